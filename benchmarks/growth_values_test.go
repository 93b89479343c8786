package benchmarks

import (
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

// operationsOn compares by maxGoroutines goroutines, and the cached Get by one.
func operationsOn(t *testing.T, bytes int, at sizes) (all []growth.Value, err error) {
	ctx := t.Context()
	server := redistest.Start(t)
	store, err := openRedisStore(server, redisstore.Tracking)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	far, err := newManager(store, withoutNearCache)
	if err != nil {
		return nil, err
	}
	defer far.Close()
	near, err := newManager(store, withNearCache)
	if err != nil {
		return nil, err
	}
	defer near.Close()

	value := sampleOf(bytes)
	tokens := make([]coatcheck.Token, at.filed)
	bare := otter.Must(&otter.Options[string, *session]{MaximumSize: coatcheck.DefaultMaxEntries})
	defer bare.StopAllGoroutines()
	for i := range tokens {
		if tokens[i], err = far.Generate(ctx, value); err != nil {
			return nil, err
		}
		bare.Set(tokens[i].ID(), &value)
	}
	client := openRawRedis(t, server, 0)
	record, err := storedRecord(far, client, value)
	if err != nil {
		return nil, err
	}
	raw := &rawRedis{client: client, record: record}
	if err := raw.fillWith(at.filed); err != nil {
		return nil, err
	}
	onEach := func(do func(coatcheck.Token) error) func(int) error {
		return func(i int) error { return do(tokens[i%len(tokens)]) }
	}
	readNear := onEach(func(token coatcheck.Token) error { _, err := near.Get(ctx, token); return err })
	if err := spread(maxGoroutines, readNear)(0, len(tokens)); err != nil { // all are in memory then
		return nil, err
	}
	cached := growth.Value{Bytes: bytes, Operation: growth.CachedGet}
	cached.Nanos, cached.RawNanos, cached.XRaw, err = sideBySide(contest{
		ours:  each(func(i int) bool { return readNear(i) == nil }),
		rival: each(func(i int) bool { _, ok := bare.GetIfPresent(string(tokens[i%len(tokens)][:22])); return ok }),
	}, at.rounds)
	if err != nil {
		return nil, err
	}
	all = append(all, cached)
	for _, operation := range []struct {
		name    string
		do      func(int) error
		raw     workload
		between func() error
	}{
		{growth.MissedGet,
			onEach(func(token coatcheck.Token) error { _, err := far.Get(ctx, token); return err }),
			raw.read(maxGoroutines), nil},
		{growth.Change,
			onEach(func(token coatcheck.Token) error {
				return near.Change(ctx, token, func(s *session) error { s.Views++; return nil })
			}),
			raw.update(maxGoroutines), nil},
		{growth.Generate, // the last, for it empties the server
			func(int) error { _, err := near.Generate(ctx, value); return err },
			raw.create(maxGoroutines),
			func() error { return client.Do(ctx, client.B().Flushall().Build()).Error() }},
	} {
		v := growth.Value{Bytes: bytes, Operation: operation.name}
		if v.ServerNanos, err = serverNanos(client, operation.do, at.alone); err != nil {
			return nil, fmt.Errorf("%s: %w", operation.name, err)
		}
		ours := contest{ours: spread(maxGoroutines, operation.do), rival: operation.raw, between: operation.between}
		if v.Nanos, v.RawNanos, v.XRaw, err = sideBySide(ours, at.rounds); err != nil {
			return nil, fmt.Errorf("%s: %w", operation.name, err)
		}
		all = append(all, v)
	}
	encode := growth.Value{Bytes: bytes, Operation: growth.Encode}
	decode := growth.Value{Bytes: bytes, Operation: growth.Decode}
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	encode.Nanos, decode.Nanos, _, err = sideBySide(contest{
		ours:  spread(maxGoroutines, func(int) error { _, err := json.Marshal(value); return err }),
		rival: spread(maxGoroutines, func(int) error { return json.Unmarshal(text, new(session)) }),
	}, at.rounds)
	return append(all, encode, decode), err
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
