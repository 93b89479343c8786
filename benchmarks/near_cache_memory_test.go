package benchmarks

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"runtime"
	"strconv"
	"testing"
	"time"
	"unsafe"

	"github.com/coatcheck/coatcheck"
)

// heldSessions is how many sessions BenchmarkNearCacheMemory has in memory.
const heldSessions = 1_000_000

// setAside is more than a near cache keeps for new sessions of the room that it has, so
// that it can hold all that are read.
const setAside = 5000

// numbers is a value that points to nothing else: all its bytes are in the near
// cache's entry.
type numbers struct{ A, B, C int64 }

const numbersBytes = float64(unsafe.Sizeof(numbers{}))

// evictions are the kinds of near cache.
var evictions = []struct {
	name     string
	eviction coatcheck.Eviction
}{
	{"TinyLFU", coatcheck.TinyLFU}, {"LRU", coatcheck.LRU}, {"KeepOldest", coatcheck.KeepOldest},
}

// BenchmarkNearCacheMemory measures what a session takes in the near cache
// besides its value, and what holding a million of them costs the garbage
// collector. Of its ns/op nothing can be learnt.
func BenchmarkNearCacheMemory(b *testing.B) {
	for _, c := range evictions {
		b.Run(c.name, func(b *testing.B) {
			var total, runs float64
			var cost collection
			for b.Loop() {
				held, err := holdAll(c.eviction, heldSessions)
				if err != nil {
					b.Fatal(err)
				}
				total += float64(held.bytes)
				runs++
				cost = held.collected
				if err := held.manager.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(total/runs/heldSessions-numbersBytes, "B/session-above-value")
			b.ReportMetric(float64(cost.took.Microseconds())/1000, "gc-ms")
			b.ReportMetric(float64(cost.paused.Nanoseconds())/1000, "gc-pause-µs")
		})
	}
}

// held is a near cache that is full.
type held struct {
	manager   *coatcheck.Manager[numbers]
	bytes     int64      // by which the heap has grown
	collected collection // with all in memory
}

// holdAll fills a near cache by reads of so many sessions.
func holdAll(eviction coatcheck.Eviction, sessions int) (h held, err error) {
	h.manager, err = coatcheck.New(coatcheck.Config[numbers]{Store: inventor{}, NearCache: coatcheck.NearCache{
		MaxEntries:   sessions + setAside,
		MaxStaleness: time.Hour, // longer than this takes, for the store reports nothing
		Eviction:     eviction,
	}})
	if err != nil {
		return h, err
	}
	defer func() {
		if err != nil {
			_ = h.manager.Close()
		}
	}()
	before, err := heapBytes()
	if err != nil {
		return h, err
	}
	if err := readAll(h.manager, sessions); err != nil {
		return h, err
	}
	after, err := heapBytes()
	if err != nil {
		return h, err
	}
	h.bytes, h.collected = after-before, collect()

	// All are held still: what is read again is served from memory.
	hits := h.manager.Stats().NearCache.Hits
	if err := readAll(h.manager, sessions); err != nil {
		return h, err
	}
	if hits = h.manager.Stats().NearCache.Hits - hits; hits != uint64(sessions) {
		return h, fmt.Errorf("only %d of %d sessions are held", hits, sessions)
	}
	return h, nil
}

func readAll(manager *coatcheck.Manager[numbers], sessions int) error {
	return spread(maxGoroutines, func(i int) error {
		value, err := manager.Get(context.Background(), inventedToken(i))
		if err == nil && value.A != int64(i) {
			err = fmt.Errorf("session %d has the value of session %d", i, value.A)
		}
		return err
	})(0, sessions)
}

// collection is what one garbage collection took.
type collection struct {
	took, paused time.Duration // paused: the world stood still
}

func collect() collection {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	runtime.GC()
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	return collection{took, time.Duration(after.PauseTotalNs - before.PauseTotalNs)}
}

// inventor is a store that holds nothing: it makes a record up from its ID.
type inventor struct{ coatcheck.Store }

const inventedSecret = "----------------------"

// inventedToken returns the token of the session with this number.
func inventedToken(number int) coatcheck.Token {
	return coatcheck.Token(fmt.Sprintf("%022d", number) + inventedSecret)
}

// Load implements [coatcheck.Store].
func (inventor) Load(_ context.Context, id string) (coatcheck.Record, error) {
	number, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return coatcheck.Record{}, err
	}
	value, err := json.Marshal(numbers{A: number, B: -number, C: 1})
	if err != nil {
		return coatcheck.Record{}, err
	}
	hash := sha256.Sum256([]byte(id + inventedSecret))
	created := time.Now().UTC().Truncate(time.Millisecond)
	return coatcheck.Record{
		ID:               id,
		Incarnation:      binary.NativeEndian.Uint64(hash[:]),
		Rev:              1,
		SecretHash:       hash,
		Value:            value,
		CreatedAt:        created,
		ExpiresAt:        created.Add(coatcheck.DefaultIdleTimeout),
		AbsoluteDeadline: created.Add(coatcheck.DefaultAbsoluteTimeout),
		IdleTimeout:      coatcheck.DefaultIdleTimeout,
	}, nil
}
