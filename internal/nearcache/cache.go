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
	"sync/atomic"
	"time"
)

// Config configures a [Cache]. All fields are required but ServeStaleFor.
type Config struct {
	MaxEntries    int
	MaxStaleness  time.Duration
	ServeStaleFor time.Duration
	Eviction      Eviction
}

// Cache holds entries by ID. It is safe for concurrent use.
type Cache[V any] struct {
	maxStaleness  int64
	serveStaleFor int64

	engine    atomic.Pointer[engine[V]]
	newEngine func() engine[V]

	clock clock
	horizon
	queues  [shards]shard[V]
	counter counters
}

// New returns an empty cache.
func New[V any](config Config) *Cache[V] {
	c := &Cache[V]{
		maxStaleness:  int64(config.MaxStaleness),
		serveStaleFor: int64(config.ServeStaleFor),
	}
	c.clock.init()
	c.newEngine = func() engine[V] {
		return newEngine[V](config.Eviction, config.MaxEntries, &c.clock, &c.counter.evictions)
	}
	c.horizon.init()
	c.replaceEngine()
	return c
}

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

	secret secret
	sentAt int64  // on the cache's clock: the store was asked after this
	epoch  uint32 // see mark
}

// NewEntry returns an entry that serves holders of the secret.
func NewEntry[V any](value V, rev uint64, expiresAt int64, secretText string) *Entry[V] {
	return &Entry[V]{Value: value, Rev: rev, ExpiresAt: expiresAt, secret: newSecret(secretText)}
}

// With returns an entry with another value and deadline that is as old as this
// one.
func (e *Entry[V]) With(value V, expiresAt int64) *Entry[V] {
	return &Entry[V]{
		Value: value, Rev: e.Rev, ExpiresAt: expiresAt,
		secret: e.secret, sentAt: e.sentAt, epoch: e.epoch,
	}
}

// Get returns the entry if it may be served to a holder of the secret, or nil.
// The second result is the wall clock, in milliseconds since the Unix epoch.
func (c *Cache[V]) Get(id, secretText string) (*Entry[V], int64) {
	// The order matters. The mark comes first: whatever it covers had been
	// reported, and dropped, before the lookup. Read after the lookup, it might
	// cover a change that was reported in between. The clock comes last, as the
	// entry is served no earlier than it says.
	m := c.mark.Load()
	e := (*c.engine.Load()).get(id)
	now := c.clock.now()
	wall := c.clock.wall(now)
	if e == nil || !e.secret.matches(secretText) || wall >= e.ExpiresAt {
		c.counter.misses.add()
		return nil, wall
	}
	if enforceFreshness && (e.epoch != m.epoch || now-max(e.sentAt, m.caughtUp) > c.maxStaleness) {
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
	m := c.mark.Load()
	e := (*c.engine.Load()).get(id)
	now := c.clock.now()
	if e == nil || !e.secret.matches(secretText) || c.clock.wall(now) >= e.ExpiresAt {
		return nil
	}
	if now-max(e.sentAt, m.coverage(e.epoch))-c.maxStaleness > c.serveStaleFor {
		return nil
	}
	c.counter.servedStale.add()
	return e
}

// Clear empties the cache at once and returns how many entries it held.
func (c *Cache[V]) Clear() int {
	return c.replaceEngine()
}

// Close empties the cache and ends the goroutines of its engine.
func (c *Cache[V]) Close() {
	c.replaceEngine()
	(*c.engine.Load()).close()
}

// replaceEngine swaps in an empty engine, which takes the same time however
// full the old one is.
func (c *Cache[V]) replaceEngine() int {
	fresh := c.newEngine()
	old := c.engine.Swap(&fresh)
	if old == nil {
		return 0
	}
	size := (*old).len()
	(*old).close()
	return size
}
