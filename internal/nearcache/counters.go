package nearcache

import (
	"sync/atomic"
	"time"
	"unsafe"
)

// counter is exact, and spread so that processors rarely meet in one place.
type counter [stripes]struct {
	n atomic.Uint64
	_ [56]byte // the rest of a cache line
}

const (
	stripeBits = 5
	stripes    = 1 << stripeBits
)

// add counts one, in a place that depends on where the caller's stack lies:
// goroutines that run at once mostly have different ones. Nothing but speed
// rests on it.
func (c *counter) add() {
	var onStack byte
	const golden = 0x9e3779b97f4a7c15 // spreads neighbours, as in Fibonacci hashing
	stack := uint64(uintptr(unsafe.Pointer(&onStack))) >> 11
	c[stack*golden>>(64-stripeBits)].n.Add(1)
}

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
	state := c.state.Load()
	s := Stats{
		Hits:          c.counter.hits.load(),
		Misses:        c.counter.misses.load(),
		Stale:         c.counter.stale.load(),
		ServedStale:   c.counter.servedStale.Load(),
		Invalidations: c.counter.invalidations.Load(),
		Evictions:     c.counter.evictions.Load(),
		Overtaken:     c.counter.overtaken.Load(),
		Losses:        c.counter.losses.Load(),
		Entries:       state.engine.len(),
		MarkAge:       -1,
	}
	if state.caughtUp != never {
		s.MarkAge = time.Duration(max(0, c.clock.now()-state.caughtUp))
	}
	return s
}

// Covered reports whether the mark lies so far ahead that it never lapses: the
// store cannot miss a change.
func (c *Cache[V]) Covered() bool {
	return c.state.Load().caughtUp-c.clock.now() > int64(365*24*time.Hour)
}
