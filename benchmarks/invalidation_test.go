package benchmarks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/redistest"
	"github.com/coatcheck/coatcheck/redisstore"
)

// leastSamples is of how many changes the quantiles are at least.
const leastSamples = 2000

// BenchmarkInvalidation measures for how long after a change has returned on
// one node another node, which holds the session, would serve the old value.
func BenchmarkInvalidation(b *testing.B) {
	for _, kind := range []redisstore.Invalidation{redisstore.Tracking, redisstore.PubSub} {
		b.Run(kind.String(), func(b *testing.B) {
			server := redistest.Start(b)
			r := openRace(b, server, kind, 1)
			for b.Loop() {
				if err := r.run(); err != nil {
					b.Fatal(err)
				}
			}
			for len(r.gone) < leastSamples {
				if err := r.run(); err != nil {
					b.Fatal(err)
				}
			}
			r.report(b)
		})
	}
}

// openNode returns a manager with the default near cache whose watch has begun.
func openNode(t testing.TB, server *redistest.Server, kind redisstore.Invalidation, onEvent func(coatcheck.Event)) *coatcheck.Manager[int] {
	store, err := openRedisStore(server, kind)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return watching(t, coatcheck.Config[int]{Store: store, OnEvent: onEvent})
}

// watching returns a manager whose watch has begun.
func watching(t testing.TB, config coatcheck.Config[int]) *coatcheck.Manager[int] {
	manager, err := coatcheck.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = manager.Close() })
	for manager.Stats().NearCache.MarkAge < 0 {
		time.Sleep(time.Millisecond) // between two looks at the condition
	}
	return manager
}

// race is between messages on some connections and the answer on another.
type race struct {
	writer  *coatcheck.Manager[int]
	readers []*coatcheck.Manager[int]
	token   coatcheck.Token
	value   int
	bare    rueidis.Client
	dropped chan time.Time // when one of the readers had dropped the old value

	trips, gone, served []time.Duration
}

// openRace opens a writer and so many readers. At its end, no watch may have been
// broken.
func openRace(t testing.TB, server *redistest.Server, kind redisstore.Invalidation, readers int) *race {
	r := &race{
		writer:  openNode(t, server, kind, nil),
		bare:    openRawRedis(t, server),
		dropped: make(chan time.Time, readers),
	}
	for range readers {
		reader := openNode(t, server, kind, func(e coatcheck.Event) {
			if e.Kind == coatcheck.ChangeReceived {
				r.dropped <- e.Time
			}
		})
		r.readers = append(r.readers, reader)
		lost := reader.Stats().NearCache.Losses
		t.Cleanup(func() { // before the node is closed
			if n := reader.Stats().NearCache.Losses - lost; n > 0 {
				t.Errorf("a watch was broken %d times: this was no healthy server", n)
			}
		})
	}
	var err error
	if r.token, err = r.writer.Generate(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	return r
}

// run takes one sample of each, and of gone one of each reader. It does not ask
// the readers again and again: on a machine with few processors, that would delay
// the messages.
func (r *race) run() error {
	ctx := context.Background()
	sent := time.Now()
	if err := r.bare.Do(ctx, r.bare.B().Get().Key(redisstore.DefaultPrefix+r.token.ID()).Build()).Error(); err != nil {
		return err
	}
	r.trips = append(r.trips, time.Since(sent))

	for _, reader := range r.readers {
		hits := reader.Stats().NearCache.Hits
		for range 2 {
			if err := r.read(ctx, reader); err != nil {
				return err
			}
		}
		if reader.Stats().NearCache.Hits == hits {
			return errors.New("a reader does not hold the session")
		}
	}

	r.value++
	if err := r.writer.Update(ctx, r.token, r.value); err != nil {
		return err
	}
	returned := time.Now()
	late := time.After(10 * time.Second)
	for range r.readers {
		select {
		case at := <-r.dropped:
			r.gone = append(r.gone, max(at.Sub(returned), 0)) // it may be the first to come
		case <-late:
			return errors.New("a reader hears nothing of the change")
		}
	}
	if err := r.read(ctx, r.readers[0]); err != nil {
		return err
	}
	r.served = append(r.served, time.Since(returned))
	return nil
}

func (r *race) read(ctx context.Context, reader *coatcheck.Manager[int]) error {
	value, err := reader.Get(ctx, r.token)
	if err == nil && value != r.value {
		err = fmt.Errorf("a reader has %d, and should have %d", value, r.value)
	}
	return err
}

// sort has the durations ascend.
func (r *race) sort() {
	for _, durations := range [][]time.Duration{r.trips, r.gone, r.served} {
		slices.Sort(durations)
	}
}

func (r *race) report(b *testing.B) {
	r.sort()
	trip := quantileOf(r.trips, 0.5)
	b.ReportMetric(microseconds(trip), "roundtrip-p50-µs")
	for _, q := range []struct {
		name  string
		share float64
	}{{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"max", 1}} {
		gone := quantileOf(r.gone, q.share)
		b.ReportMetric(microseconds(gone), "gone-"+q.name+"-µs")
		b.ReportMetric(float64(gone)/float64(trip), "gone-"+q.name+"-roundtrips")
		b.ReportMetric(microseconds(quantileOf(r.served, q.share)), "served-"+q.name+"-µs")
	}
	b.ReportMetric(float64(len(r.gone)), "samples")
}

// quantileOf returns a quantile of ascending durations: 1 is the longest.
func quantileOf(ascending []time.Duration, share float64) time.Duration {
	return ascending[int(share*float64(len(ascending)-1))]
}

func microseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
