package nearcache

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	staleness = time.Second
	stalely   = 10 * time.Second // ServeStaleFor, where there is one
	moment    = time.Nanosecond  // the least that the clock can move

	ours   = "0123456789012345678901"
	theirs = "9876543210987654321098"
)

var evictions = map[string]Eviction{"TinyLFU": TinyLFU, "LRU": LRU, "KeepOldest": KeepOldest}

// open fills in what the configuration lacks.
func open(t *testing.T, config Config) *Cache[int] {
	t.Helper()
	if config.MaxEntries == 0 {
		config.MaxEntries = 100
	}
	if config.MaxStaleness == 0 {
		config.MaxStaleness = staleness
	}
	c := New[int](config)
	t.Cleanup(c.Close)
	return c
}

func entryAt(rev uint64) *Entry[int] { return NewEntry(int(rev), rev, Never, ours) }

// found is what a load comes to that finds the record at a revision.
func found(rev uint64) Outcome[int] {
	return Outcome[int]{Known: true, Rev: rev, Entry: entryAt(rev)}
}

// gone is what a load comes to that finds no record, or a write that may have
// been made.
func gone() Outcome[int] { return Outcome[int]{Known: true} }

// fill caches a record that was read just now.
func fill(t *testing.T, c *Cache[int], id string, rev uint64) *Entry[int] {
	t.Helper()
	o := found(rev)
	if !c.End(c.Begin(id), o) {
		t.Fatalf("%s: a record that nothing overtook was not cached", id)
	}
	return o.Entry
}

// cachedRev is the revision that is in the cache, fresh or not; 0 for none.
func cachedRev(c *Cache[int], id string) uint64 {
	if e := c.state.Load().peek(newWords(id)); e != nil {
		return e.Rev
	}
	return 0
}

func wantCached(t *testing.T, c *Cache[int], id string, rev uint64) {
	t.Helper()
	if got := cachedRev(c, id); got != rev {
		t.Errorf("%s: revision %d is in the cache, want %d (0: none)", id, got, rev)
	}
}

func wantServed(t *testing.T, c *Cache[int], id string, served bool) {
	t.Helper()
	if e, _ := c.Get(id, ours); (e != nil) != served {
		t.Errorf("%s: served is %v, want %v", id, e != nil, served)
	}
}

func wantServedStale(t *testing.T, c *Cache[int], id string, served bool) {
	t.Helper()
	if e := c.GetStale(id, ours); (e != nil) != served {
		t.Errorf("%s: served stale is %v, want %v", id, e != nil, served)
	}
}

func wantNoTickets[V any](t *testing.T, c *Cache[V]) {
	t.Helper()
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		for id := range s.tickets {
			t.Errorf("%d: a ticket is left", id)
		}
		s.mu.Unlock()
	}
}

// wait moves the clock of a bubble, which stands still otherwise.
func wait(d time.Duration) { time.Sleep(d) }

// hooked runs something between a lookup and its answer, once.
type hooked struct {
	engine[int]
	afterGet func()
}

func (h *hooked) get(k key) *Entry[int] {
	e := h.engine.get(k)
	if f := h.afterGet; f != nil {
		h.afterGet = nil
		f()
	}
	return e
}

// afterLookup arranges that f runs when the next Get has looked into the cache.
func afterLookup(c *Cache[int], f func()) {
	c.change(func(s *state[int]) { s.setEngine(&hooked{engine: s.engine, afterGet: f}) })
}
