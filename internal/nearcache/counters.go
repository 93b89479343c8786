package nearcache

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// counter is exact, and spread so that processors rarely meet in one place.
type counter [8]struct {
	n atomic.Uint64
	_ [56]byte // the rest of a cache line
}

func (c *counter) add() { c[rand.Uint32()%uint32(len(c))].n.Add(1) }

func (c *counter) load() (sum uint64) {
	for i := range c {
		sum += c[i].n.Load()
	}
	return sum
}

// event is a counter of what is rarer than a read.
type event struct{ atomic.Uint64 }

func (e *event) add() { e.Add(1) }

type counters struct {
	hits, misses, stale counter

	servedStale, invalidations, evictions, overtaken, losses event
}

// Stats are counters since the cache was made, and its state.
type Stats struct {
	Hits          uint64
	Misses        uint64
	Stale         uint64
	ServedStale   uint64
	Invalidations uint64
	Evictions     uint64
	Overtaken     uint64
	Losses        uint64
	Entries       int
	MarkAge       time.Duration // negative: no mark
}

// Stats returns the counters. Each is exact; together they are not one moment.
func (c *Cache[V]) Stats() Stats {
	s := Stats{
		Hits:          c.counter.hits.load(),
		Misses:        c.counter.misses.load(),
		Stale:         c.counter.stale.load(),
		ServedStale:   c.counter.servedStale.Load(),
		Invalidations: c.counter.invalidations.Load(),
		Evictions:     c.counter.evictions.Load(),
		Overtaken:     c.counter.overtaken.Load(),
		Losses:        c.counter.losses.Load(),
		Entries:       (*c.engine.Load()).len(),
		MarkAge:       -1,
	}
	if m := c.mark.Load(); m.caughtUp != never {
		s.MarkAge = time.Duration(max(0, c.clock.now()-m.caughtUp))
	}
	return s
}

// Covered reports whether the mark lies so far ahead that it never lapses: the
// store cannot miss a change.
func (c *Cache[V]) Covered() bool {
	return c.mark.Load().caughtUp-c.clock.now() > int64(365*24*time.Hour)
}
