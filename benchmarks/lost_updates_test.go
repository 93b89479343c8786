package benchmarks

import (
	"context"
	"sync"
	"testing"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/redistest"
	"github.com/coatcheck/coatcheck/redisstore"
)

// BenchmarkLostUpdates counts what becomes of 2,000 increments of one counter
// by eight clients of two managers on Redis: read, add and write back, as
// stores whose last writer wins have it, and Change. No manager has a near
// cache, for what is compared is the way to write, not to read.
func BenchmarkLostUpdates(b *testing.B) {
	const clients, increments = 8, 250
	type counter struct{ N int }
	ctx := context.Background()
	server := redistest.Start(b)
	var managers [2]*coatcheck.Manager[counter]
	for i := range managers {
		store, err := openRedisStore(server, redisstore.Tracking)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = store.Close() })
		if managers[i], err = coatcheck.New(coatcheck.Config[counter]{Store: store, NearCache: withoutNearCache}); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = managers[i].Close() })
	}
	for how, increment := range map[string]func(*coatcheck.Manager[counter], coatcheck.Token) error{
		"read-then-write": func(m *coatcheck.Manager[counter], token coatcheck.Token) error {
			c, err := m.Get(ctx, token)
			if err != nil {
				return err
			}
			c.N++
			return m.Update(ctx, token, c)
		},
		"change": func(m *coatcheck.Manager[counter], token coatcheck.Token) error {
			return m.Change(ctx, token, func(c *counter) error { c.N++; return nil })
		},
	} {
		b.Run(how, func(b *testing.B) {
			lost := 0
			for b.Loop() {
				token, err := managers[0].Generate(ctx, counter{})
				if err != nil {
					b.Fatal(err)
				}
				var wg sync.WaitGroup
				for client := range clients {
					wg.Go(func() {
						for range increments {
							if err := increment(managers[client%2], token); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				c, err := managers[1].Get(ctx, token)
				if err != nil {
					b.Fatal(err)
				}
				lost += clients*increments - c.N
			}
			b.ReportMetric(100*float64(lost)/float64(b.N*clients*increments), "%lost")
		})
	}
}
