// Package nearcache keeps decoded values in this process's memory, in front of
// a store that others change too, with a bound on how stale a read can be.
//
// The bound rests on one rule. An entry may be served while
//
//	now − max(when its read was sent, caughtUp) ≤ MaxStaleness
//
// where caughtUp is a time of which the store has said: every change that
// finished before it has been reported. Only this process's monotonic clock
// takes part. docs/ARCHITECTURE.md proves the rule, docs/model checks it.
package nearcache

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Config configures a [Cache]. All fields are required but ServeStaleFor and Newborns.
type Config struct {
	MaxEntries    int
	Newborns      int // of MaxEntries, so many are for records that were just created: with TinyLFU
	MaxStaleness  time.Duration
	ServeStaleFor time.Duration
	Eviction      Eviction
}

// Cache holds entries by ID. It is safe for concurrent use.
type Cache[V any] struct {
	maxStaleness  int64
	serveStaleFor int64

	clock clock
	state atomic.Pointer[state[V]]
	mu    sync.Mutex // of those who replace the state

	newEngine func() engine[V]
	shards    [shards]shard[V]
	counter   counters
}

// New returns an empty cache.
func New[V any](config Config) *Cache[V] {
	c := &Cache[V]{
		maxStaleness:  int64(config.MaxStaleness),
		serveStaleFor: int64(config.ServeStaleFor),
		clock:         clock{time.Now()},
	}
	c.newEngine = func() engine[V] {
		return newEngine(config, c.timeLeft, &c.counter.evictions)
	}
	s := &state[V]{epoch: 1, caughtUp: never, lastCaughtUp: never}
	s.offsetReadAt, s.offset = c.clock.read()
	s.setEngine(c.newEngine())
	c.state.Store(s)
	return c
}

// timeLeft returns for how long the entry exists.
func (c *Cache[V]) timeLeft(e *Entry[V]) time.Duration {
	left := max(0, e.ExpiresAt-c.wall(c.state.Load(), c.clock.now()))
	return time.Duration(min(left, farAhead)) * time.Millisecond
}

// farAhead is the longest time.Duration, in milliseconds.
const farAhead = math.MaxInt64 / int64(time.Millisecond)

// Never is the deadline of an entry that has none.
const Never = math.MaxInt64

// Entry is one session as it was at some moment. It never changes, but for
// what Value itself allows.
type Entry[V any] struct {
	Value V

	// Rev is the revision of Value.
	Rev uint64

	// ExpiresAt is when the entry ceases to exist, in milliseconds since the Unix
	// epoch; [Never] if it does not.
	ExpiresAt int64

	sentAt int64 // on the cache's clock: the store was asked after this
	id     text
	secret text
	epoch  uint32 // see state
}

// NewEntry returns an entry that serves holders of the secret.
func NewEntry[V any](value V, rev uint64, expiresAt int64, secretText string) *Entry[V] {
	return &Entry[V]{Value: value, Rev: rev, ExpiresAt: expiresAt, secret: newWords(secretText).text()}
}

// With returns an entry with another value and deadline that is as old as this
// one.
func (e *Entry[V]) With(value V, expiresAt int64) *Entry[V] {
	return &Entry[V]{
		Value: value, Rev: e.Rev, ExpiresAt: expiresAt,
		id: e.id, secret: e.secret, sentAt: e.sentAt, epoch: e.epoch,
	}
}

func (e *Entry[V]) key() key { return e.id.words().key() }

// Get returns the entry if it may be served to a holder of the secret, or nil.
// The second result is the wall clock, in milliseconds since the Unix epoch.
func (c *Cache[V]) Get(id, secretText string) (*Entry[V], int64) {
	// The order matters. The mark comes first, with the state: whatever it covers
	// had been reported, and dropped, before the lookup. Read after the lookup, it
	// might cover a change that was reported in between. The clock comes last, as
	// the entry is served no earlier than it says.
	s := c.state.Load()
	e := s.get(id, secretText)
	now := c.clock.now()
	wall := c.wall(s, now)
	if e == nil || wall >= e.ExpiresAt {
		c.counter.misses.add()
		return nil, wall
	}
	if enforceFreshness && !s.covers(e, now-c.maxStaleness) {
		c.counter.stale.add()
		return nil, wall
	}
	c.counter.hits.add()
	return e, wall
}

// GetStale returns an entry that may be served, for ServeStaleFor, to a holder
// of the secret while the store cannot be reached, or nil.
func (c *Cache[V]) GetStale(id, secretText string) *Entry[V] {
	if c.serveStaleFor == 0 {
		return nil
	}
	s := c.state.Load()
	e := s.get(id, secretText)
	now := c.clock.now()
	if e == nil || c.wall(s, now) >= e.ExpiresAt {
		return nil
	}
	if max(e.sentAt, s.coverage(e.epoch)) < now-c.maxStaleness-c.serveStaleFor {
		return nil
	}
	c.counter.servedStale.add()
	return e
}

// Clear empties the cache and returns how many entries it held. It takes the
// same time however many these are.
func (c *Cache[V]) Clear() int {
	old := c.change(func(s *state[V]) {
		if !s.closed {
			s.setEngine(c.newEngine())
		}
	})
	if old.closed {
		return 0
	}
	return retire(old.engine)
}

// Close empties the cache for good and ends the goroutines of its engine.
func (c *Cache[V]) Close() {
	old := c.change(func(s *state[V]) {
		if !s.closed {
			s.closed = true
			s.setEngine(c.newEngine())
		}
	})
	if !old.closed {
		retire(old.engine) // with all who are about to write to it
		retire(c.state.Load().engine)
	}
}

// retire ends an engine that was replaced, and returns its size.
func retire[V any](e engine[V]) int {
	defer e.close()
	return e.len()
}
