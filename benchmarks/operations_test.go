package benchmarks

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"runtime"
	"strconv"
	"testing"

	"github.com/coatcheck/coatcheck"
)

// sessions is how many there are to read and to change: a multiple of
// maxGoroutines, see spread.
const sessions = 256 * maxGoroutines

// session is a value as an application may have it: 100 bytes of JSON.
type session struct {
	User  string   `json:"user"`
	Name  string   `json:"name"`
	Roles []string `json:"roles"`
	Theme string   `json:"theme"`
	Views int      `json:"views"`
}

// sample has a number that BenchmarkChange can count up without making the JSON
// longer.
var sample = session{
	User: "8b1f6c", Name: "Ada Lovelace", Roles: []string{"editor", "admin"}, Theme: "dark", Views: 1_000_000_000,
}

// sampleBytes is how long the sample is as JSON: see TestSampleIs100Bytes.
const sampleBytes = 100

func sampleJSON() []byte {
	data, err := json.Marshal(sample)
	if err != nil {
		panic(err) // no such value: see TestSampleIs100Bytes
	}
	return data
}

func TestSampleIs100Bytes(t *testing.T) {
	if data := sampleJSON(); len(data) != sampleBytes {
		t.Errorf("%d bytes: %s", len(data), data)
	}
}

// bench is a manager on an otherwise unused store, and beside it the store's
// bare client.
type bench struct {
	store   coatcheck.Store
	manager *coatcheck.Manager[session]
	raw     rawClient

	// between is for contests that add sessions; may be nil.
	between func() error
}

// rawClient makes the calls that a store cannot do without, on keys and values
// as long as those of the store.
type rawClient interface {
	fill() error // makes the keys for read and update
	create(goroutines int) workload
	read(goroutines int) workload
	update(goroutines int) workload
}

var stores = []struct {
	name string
	open func(*testing.B, coatcheck.NearCache) *bench
}{
	{"memory", openMemory},
	{"sqlite", openSQLite},
	{"redis", openRedis},
}

// Without a near cache every call asks the store. By default there is one.
var (
	withoutNearCache = coatcheck.NearCache{MaxEntries: -1}
	withNearCache    = coatcheck.NearCache{}
)

func newManager(store coatcheck.Store, near coatcheck.NearCache) (*coatcheck.Manager[session], error) {
	return coatcheck.New(coatcheck.Config[session]{Store: store, NearCache: near})
}

// BenchmarkGet reads what is not in memory: a miss.
func BenchmarkGet(b *testing.B) {
	onSessions(b, withoutNearCache, rawClient.read, func(ctx context.Context, m *coatcheck.Manager[session], t coatcheck.Token) error {
		_, err := m.Get(ctx, t)
		return err
	})
}

func BenchmarkGenerate(b *testing.B)                 { generate(b, withNearCache) }
func BenchmarkGenerateWithoutNearCache(b *testing.B) { generate(b, withoutNearCache) }

func BenchmarkUpdate(b *testing.B)                 { update(b, withNearCache) }
func BenchmarkUpdateWithoutNearCache(b *testing.B) { update(b, withoutNearCache) }

func BenchmarkChange(b *testing.B)                 { change(b, withNearCache) }
func BenchmarkChangeWithoutNearCache(b *testing.B) { change(b, withoutNearCache) }

func generate(b *testing.B, near coatcheck.NearCache) {
	for _, store := range stores {
		b.Run(store.name, func(b *testing.B) {
			s := store.open(b, near)
			for _, goroutines := range []int{1, maxGoroutines} {
				contest{
					ours: spread(goroutines, func(int) error {
						_, err := s.manager.Generate(context.Background(), sample)
						return err
					}),
					rival:   s.raw.create(goroutines),
					between: s.between,
				}.run(b, strconv.Itoa(goroutines), "raw")
			}
		})
	}
}

func update(b *testing.B, near coatcheck.NearCache) {
	onSessions(b, near, rawClient.update, func(ctx context.Context, m *coatcheck.Manager[session], t coatcheck.Token) error {
		return m.Update(ctx, t, sample)
	})
}

func change(b *testing.B, near coatcheck.NearCache) {
	onSessions(b, near, rawClient.update, func(ctx context.Context, m *coatcheck.Manager[session], t coatcheck.Token) error {
		return m.Change(ctx, t, func(s *session) error { s.Views++; return nil })
	})
}

// onSessions compares an operation on sessions that exist with a raw call. A
// near cache holds all of them.
func onSessions(
	b *testing.B,
	near coatcheck.NearCache,
	raw func(rawClient, int) workload,
	ours func(context.Context, *coatcheck.Manager[session], coatcheck.Token) error,
) {
	for _, store := range stores {
		b.Run(store.name, func(b *testing.B) {
			s := store.open(b, near)
			tokens := s.fill(b, near.MaxEntries >= 0)
			if err := s.raw.fill(); err != nil {
				b.Fatal(err)
			}
			for _, goroutines := range []int{1, maxGoroutines} {
				contest{
					ours: spread(goroutines, func(i int) error {
						return ours(context.Background(), s.manager, tokens[i%sessions])
					}),
					rival: raw(s.raw, goroutines),
				}.run(b, strconv.Itoa(goroutines), "raw")
			}
		})
	}
}

// fill makes the sessions, and has the near cache hold all of them if there is one.
func (s *bench) fill(b *testing.B, near bool) []coatcheck.Token {
	maker, err := newManager(s.store, withoutNearCache)
	if err != nil {
		b.Fatal(err)
	}
	return fill(b, maker, s.manager, sample, near)
}

// fill has maker make the sessions, of which it is done then, and the near cache of
// reader, if there is one, hold all of them. What a manager has only created lives
// there for MaxStaleness.
func fill[T any](b *testing.B, maker, reader *coatcheck.Manager[T], value T, near bool) []coatcheck.Token {
	defer maker.Close()
	for near && reader.Stats().NearCache.MarkAge < 0 { // the watch begins by emptying the near cache
		runtime.Gosched()
	}
	tokens := make([]coatcheck.Token, sessions)
	fill := spread(maxGoroutines, func(i int) (err error) {
		if tokens[i], err = maker.Generate(context.Background(), value); err == nil && near {
			_, err = reader.Get(context.Background(), tokens[i])
		}
		return err
	})
	if err := fill(0, sessions); err != nil {
		b.Fatal(err)
	}
	if held := reader.Stats().NearCache.Entries; near && held < sessions {
		b.Fatalf("%d of %d sessions are held", held, sessions)
	}
	return tokens
}

// randomID is a key as random as an ID of coatcheck's and as long, for trees
// and tables are faster on keys in order. It need not be secret.
func randomID() string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	var id [22]byte
	high, low := rand.Uint64(), rand.Uint64()
	for i := range id[:11] {
		id[i], id[11+i] = alphabet[high&63], alphabet[low&63]
		high, low = high>>6, low>>6
	}
	return string(id[:])
}

func randomIDs(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = randomID()
	}
	return ids
}
