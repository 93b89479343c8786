package benchmarks

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/maypok86/otter/v2"
	"github.com/redis/rueidis"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/benchmarks/growth"
	"github.com/coatcheck/coatcheck/internal/redistest"
	"github.com/coatcheck/coatcheck/redisstore"
)

func growValues(t *testing.T, at sizes, f *growth.Figures) error {
	for _, bytes := range at.values {
		figures, err := operationsOn(t, bytes, at)
		if err != nil {
			return err
		}
		for _, one := range figures {
			t.Logf("%+v", one)
		}
		f.Values = append(f.Values, figures...)
	}
	return nil
}

// sampleOf returns a value of so many bytes of JSON, at least those of sample.
func sampleOf(bytes int) session {
	s := sample
	s.Name += strings.Repeat("a", bytes-len(sampleJSON()))
	return s
}

// valued is a number of sessions with a value of some size, on a server of their
// own.
type valued struct {
	value     session
	near, far *coatcheck.Manager[session] // far is without a near cache
	tokens    []coatcheck.Token
	client    rueidis.Client
	raw       *rawRedis
}

func openValued(t *testing.T, bytes, filed int) (*valued, error) {
	server := redistest.Start(t)
	store, err := openRedisStore(server, redisstore.Tracking)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = store.Close() })
	v := &valued{value: sampleOf(bytes), tokens: make([]coatcheck.Token, filed), client: openRawRedis(t, server)}
	if v.far, err = newManager(store, withoutNearCache); err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = v.far.Close() })
	if v.near, err = newManager(store, withNearCache); err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = v.near.Close() })
	for i := range v.tokens {
		if v.tokens[i], err = v.far.Generate(t.Context(), v.value); err != nil {
			return nil, err
		}
	}
	record, err := storedRecord(v.far, v.client, v.value)
	if err != nil {
		return nil, err
	}
	v.raw = &rawRedis{client: v.client, record: record}
	return v, v.raw.fillWith(filed)
}

// operationsOn compares by maxGoroutines goroutines, and the cached Get by one.
func operationsOn(t *testing.T, bytes int, at sizes) ([]growth.Value, error) {
	v, err := openValued(t, bytes, at.filed)
	if err != nil {
		return nil, err
	}
	cached := growth.Value{Bytes: bytes, Operation: growth.CachedGet}
	cached.Nanos, cached.RawNanos, cached.XRaw, err = v.cachedGet(at)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", growth.CachedGet, err)
	}
	all := []growth.Value{cached}
	for _, operation := range v.operations() {
		one := growth.Value{Bytes: bytes, Operation: operation.name}
		if one.ServerNanos, err = serverNanos(v.client, operation.do, at.alone); err != nil {
			return nil, fmt.Errorf("%s: %w", operation.name, err)
		}
		both := contest{ours: spread(maxGoroutines, operation.do), rival: operation.raw, between: operation.between}
		if one.Nanos, one.RawNanos, one.XRaw, err = sideBySide(both, at.rounds); err != nil {
			return nil, fmt.Errorf("%s: %w", operation.name, err)
		}
		all = append(all, one)
	}
	codec, err := codecOn(v.value, at)
	return append(all, codec...), err
}

// read returns what reads the session of the token with a number.
func (v *valued) read(m *coatcheck.Manager[session]) func(int) error {
	return func(i int) error {
		_, err := m.Get(context.Background(), v.tokens[i%len(v.tokens)])
		return err
	}
}

func (v *valued) cachedGet(at sizes) (ours, otters, ratio float64, err error) {
	bare := otter.Must(&otter.Options[string, *session]{MaximumSize: coatcheck.DefaultMaxEntries})
	defer bare.StopAllGoroutines()
	for _, token := range v.tokens {
		bare.Set(token.ID(), &v.value)
	}
	read := v.read(v.near)
	if err := spread(maxGoroutines, read)(0, len(v.tokens)); err != nil { // all are in memory then
		return 0, 0, 0, err
	}
	return sideBySide(contest{
		ours: each(func(i int) bool { return read(i) == nil }),
		rival: each(func(i int) bool {
			_, ok := bare.GetIfPresent(string(v.tokens[i%len(v.tokens)][:22]))
			return ok
		}),
	}, at.rounds)
}

// operation is one that asks the server, beside the raw call.
type operation struct {
	name    string
	do      func(int) error
	raw     workload
	between func() error
}

func (v *valued) operations() []operation {
	ctx := context.Background()
	return []operation{
		{growth.MissedGet, v.read(v.far), v.raw.read(maxGoroutines), nil},
		{growth.Change, func(i int) error {
			return v.near.Change(ctx, v.tokens[i%len(v.tokens)], func(s *session) error { s.Views++; return nil })
		}, v.raw.update(maxGoroutines), nil},
		{growth.Generate, func(int) error { // the last, for it empties the server
			_, err := v.near.Generate(ctx, v.value)
			return err
		}, v.raw.create(maxGoroutines), func() error { return v.client.Do(ctx, v.client.B().Flushall().Build()).Error() }},
	}
}

// codecOn is what JSON alone takes of the operations.
func codecOn(value session, at sizes) ([]growth.Value, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	encode, decode, _, err := sideBySide(contest{
		ours:  spread(maxGoroutines, func(int) error { _, err := json.Marshal(value); return err }),
		rival: spread(maxGoroutines, func(int) error { return json.Unmarshal(text, new(session)) }),
	}, at.rounds)
	return []growth.Value{
		{Bytes: len(text), Operation: growth.Encode, Nanos: encode},
		{Bytes: len(text), Operation: growth.Decode, Nanos: decode},
	}, err
}

// serverNanos returns the time of its processor that the server takes for an
// operation, if they come one by one, as those of many nodes do.
func serverNanos(client rueidis.Client, do func(int) error, operations int) (float64, error) {
	before, err := serverSeconds(client)
	if err != nil {
		return 0, err
	}
	if err := spread(1, do)(0, operations); err != nil {
		return 0, err
	}
	after, err := serverSeconds(client)
	return (after - before) * 1e9 / float64(operations), err
}

func serverSeconds(client rueidis.Client) (float64, error) {
	var sum float64
	for _, field := range []string{"used_cpu_sys", "used_cpu_user"} {
		text, err := serverText(client, "cpu", field)
		if err != nil {
			return 0, err
		}
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return 0, err
		}
		sum += seconds
	}
	return sum, nil
}
