package benchmarks

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/redistest"
	"github.com/coatcheck/coatcheck/memstore"
	"github.com/coatcheck/coatcheck/redisstore"
)

const (
	manySessions = 100_000
	smallValue   = "a short text, 22 bytes" // 24 bytes of JSON, with its quotes
	smallBytes   = len(smallValue) + 2

	// leastRecord is what no session can do without besides its value: 128 bits to know
	// its token by, and five bytes for when it ends and which revision it is.
	leastRecord = 16 + 5
)

// BenchmarkMemory measures what a session takes in the store besides its value,
// and, as "redis-tracked", that a process has read it and is to be told of its
// changes; "redis-bare" has values of the same size set with a deadline, and nothing
// else, under keys of the same length, and "redis-least" leastRecord bytes more. Of its
// ns/op nothing can be learnt.
func BenchmarkMemory(b *testing.B) {
	b.Run("memory", func(b *testing.B) {
		perSession(b, func() (int64, error) {
			store, err := memstore.New(memstore.Config{})
			if err != nil {
				return 0, err
			}
			defer store.Close()
			return filed(store, manySessions, smallValue, false, heapBytes)
		})
	})
	for name, size := range map[string]int{"redis-bare": smallBytes, "redis-least": smallBytes + leastRecord} {
		b.Run(name, func(b *testing.B) {
			perSession(b, func() (int64, error) {
				server := redistest.Start(b)
				defer server.Kill()
				raw := rawRedis{client: server.Client(), record: strings.Repeat("v", size)}
				create := raw.create(maxGoroutines)
				if err := create(0, maxGoroutines); err != nil {
					return 0, err
				}
				before, err := settledBytes(raw.client)
				if err != nil {
					return 0, err
				}
				if err := create(0, manySessions); err != nil {
					return 0, err
				}
				after, err := settledBytes(raw.client)
				return after - before, err
			})
		})
	}
	for name, kind := range map[string]redisstore.Invalidation{
		"redis": redisstore.NoInvalidation, "redis-tracked": redisstore.Tracking,
	} {
		b.Run(name, func(b *testing.B) {
			perSession(b, func() (int64, error) {
				server := redistest.Start(b)
				defer server.Kill()
				store, err := openRedisStore(server, kind)
				if err != nil {
					return 0, err
				}
				defer store.Close()
				client := server.Client()
				return filed(store, manySessions, smallValue, kind == redisstore.Tracking, func() (int64, error) { return settledBytes(client) })
			})
		})
	}
}

// perSession reports the mean of what measure returns, the bytes that
// manySessions sessions take.
func perSession(b *testing.B, measure func() (int64, error)) {
	var total, runs float64
	for b.Loop() {
		bytes, err := measure()
		if err != nil {
			b.Fatal(err)
		}
		total += float64(bytes)
		runs++
	}
	b.ReportMetric(total/runs/manySessions-float64(smallBytes), "B/session-above-value")
}

// filed files so many sessions of a value, and if called for reads each, and returns
// how many more bytes are in use.
func filed(store coatcheck.Store, sessions int, value string, read bool, used func() (int64, error)) (int64, error) {
	manager, err := coatcheck.New(coatcheck.Config[string]{Store: store, NearCache: withoutNearCache})
	if err != nil {
		return 0, err
	}
	defer manager.Close()
	generate := spread(maxGoroutines, func(int) error {
		token, err := manager.Generate(context.Background(), value)
		if err == nil && read {
			_, err = manager.Get(context.Background(), token)
		}
		return err
	})
	// The first ones also pay for buffers and pools.
	if err := generate(0, maxGoroutines); err != nil {
		return 0, err
	}
	before, err := used()
	if err != nil {
		return 0, err
	}
	if err := generate(0, sessions); err != nil {
		return 0, err
	}
	after, err := used()
	runtime.KeepAlive(store)
	return after - before, err
}

// heapBytes returns the size of what is reachable on the heap.
func heapBytes() (int64, error) {
	runtime.GC()
	runtime.GC() // what pools held over the first
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc), nil
}

// settledBytes returns the used_memory of a server when it has stopped changing:
// Redis enlarges its tables bit by bit, and has an old one beside the new one
// meanwhile.
func settledBytes(client rueidis.Client) (int64, error) {
	const enough, looks = 16 << 10, 100
	last := int64(0)
	for range looks {
		bytes, err := usedMemory(client)
		if err != nil {
			return 0, err
		}
		if difference := bytes - last; -enough < difference && difference < enough {
			return bytes, nil
		}
		last = bytes
		time.Sleep(250 * time.Millisecond) // a few turns of Redis' own clock
	}
	return 0, fmt.Errorf("used_memory does not settle")
}

func usedMemory(client rueidis.Client) (int64, error) {
	return serverNumber(client, "memory", "used_memory")
}

// serverNumber returns one field of a section of INFO.
func serverNumber(client rueidis.Client, section, field string) (int64, error) {
	text, err := serverText(client, section, field)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(text, 10, 64)
}

func serverText(client rueidis.Client, section, field string) (string, error) {
	info, err := client.Do(context.Background(), client.B().Info().Section(section).Build()).ToString()
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("no %s in %q", field, info)
}
