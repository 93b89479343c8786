package nearcache

import (
	"math"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

// settle has TinyLFU do at once what it does a little later.
func settle(c *Cache[int]) {
	if o, ok := c.state.Load().engine.(*otterEngine[int]); ok {
		o.cache.CleanUp()
	}
}

// fillMany caches records 0 to n−1.
func fillMany(t *testing.T, c *Cache[int], n int) {
	t.Helper()
	for i := range n {
		c.End(c.Begin(strconv.Itoa(i)), found(1))
	}
}

func TestEnginesAreBounded(t *testing.T) {
	const bound, offered = 20, 500
	for name, eviction := range evictions {
		t.Run(name, func(t *testing.T) {
			c := open(t, Config{Eviction: eviction, MaxEntries: bound})
			fillMany(t, c, bound)
			settle(c)
			if s := c.Stats(); s.Entries != bound || s.Evictions != 0 {
				t.Errorf("holds %d entries after %d evictions, want %d after none", s.Entries, s.Evictions, bound)
			}
			fillMany(t, c, offered)
			settle(c)
			if n := c.Stats().Entries; n != bound {
				t.Errorf("holds %d entries, want %d", n, bound)
			}
		})
	}
}

// TestEvictionsAreCounted, and no other ways for an entry to go.
func TestEvictionsAreCounted(t *testing.T) {
	const bound = 20
	for name, eviction := range evictions {
		t.Run(name, func(t *testing.T) {
			c := open(t, Config{Eviction: eviction, MaxEntries: bound})
			want := func(evictions, invalidations uint64) {
				t.Helper()
				settle(c)
				if s := c.Stats(); s.Evictions != evictions || s.Invalidations != invalidations {
					t.Errorf("counted %d evictions and %d invalidations, want %d and %d", s.Evictions, s.Invalidations, evictions, invalidations)
				}
			}
			fillMany(t, c, bound)
			fillMany(t, c, bound) // in the place of the same
			e := fill(t, c, "0", 1)
			c.Replace(e, e.With(2, Never))
			want(0, 0)
			c.Changed("1", 2)
			want(0, 1)
			c.Drop(fill(t, c, "2", 1))
			c.Clear()
			fillMany(t, c, bound)
			c.Lost()
			want(0, 1)

			fillMany(t, c, bound)
			settle(c)
			for i := range 15 {
				c.End(c.Begin("new"+strconv.Itoa(i)), found(1))
				settle(c)
			}
			if eviction == KeepOldest {
				want(0, 1) // it refuses instead
			} else {
				want(15, 1)
			}
		})
	}
}

func TestLRUDropsTheLeastRecentlyUsed(t *testing.T) {
	c := open(t, Config{Eviction: LRU, MaxEntries: 3})
	for _, id := range []string{"a", "b", "c"} {
		fill(t, c, id, 5)
	}
	wantServed(t, c, "a", true)
	c.Changed("b", 1)                   // a report is no use
	c.Replace(entryAt(1), entryAt(1))   // nor is the look at another entry
	c.Drop(entryAt(1))                  // likewise
	fill(t, c, "d", 5)                  // in the place of b
	wantServed(t, c, "c", true)         // now a is the oldest
	c.Replace(get(c, "a"), get(c, "a")) // and now d
	fill(t, c, "e", 5)
	for id, kept := range map[string]uint64{"a": 5, "b": 0, "c": 5, "d": 0, "e": 5} {
		wantCached(t, c, id, kept)
	}
}

func get(c *Cache[int], id string) *Entry[int] {
	e, _ := c.Get(id, ours)
	return e
}

// TestTinyLFUKeepsWhatIsUsed while many others pass through once.
func TestTinyLFUKeepsWhatIsUsed(t *testing.T) {
	c := open(t, Config{Eviction: TinyLFU, MaxEntries: 100})
	fill(t, c, "used", 1)
	for i := range 1000 {
		fill(t, c, strconv.Itoa(i), 1)
		c.Get("used", ours)
		c.Get("used", ours)
		settle(c)
	}
	wantServed(t, c, "used", true)
}

func TestKeepOldestRefusesNewcomersWhenFull(t *testing.T) {
	c := open(t, Config{Eviction: KeepOldest, MaxEntries: 2})
	a := fill(t, c, "a", 1)
	fill(t, c, "b", 1)
	c.End(c.Begin("c"), found(1))
	for id, rev := range map[string]uint64{"a": 1, "b": 1, "c": 0} {
		wantCached(t, c, id, rev)
	}
	// Whom it knows, it takes.
	c.Replace(a, a.With(7, Never))
	if e := get(c, "a"); e == nil || e.Value != 7 {
		t.Error("an entry was not replaced in a full cache")
	}
	fill(t, c, "a", 2)
	wantCached(t, c, "a", 2)
	fill(t, c, "b", 1)
	wantCached(t, c, "b", 1)
}

func TestKeepOldestHasRoomAfterADrop(t *testing.T) {
	for name, drop := range map[string]func(*Cache[int], *Entry[int]){
		"changed": func(c *Cache[int], _ *Entry[int]) { c.Changed("a", 2) },
		"dropped": func(c *Cache[int], e *Entry[int]) { c.Drop(e) },
		"gone":    func(c *Cache[int], _ *Entry[int]) { c.End(c.Begin("a"), gone()) },
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, Config{Eviction: KeepOldest, MaxEntries: 2})
			a := fill(t, c, "a", 1)
			fill(t, c, "b", 1)
			drop(c, a)
			fill(t, c, "c", 1)
			c.End(c.Begin("d"), found(1))
			for id, rev := range map[string]uint64{"a": 0, "b": 1, "c": 1, "d": 0} {
				wantCached(t, c, id, rev)
			}
		})
	}
}

// TestKeepOldestHasRoomAfterAnExpiry, at the latest a few seconds later: the
// engine looks about every second.
func TestKeepOldestHasRoomAfterAnExpiry(t *testing.T) {
	const grace = 3 * time.Second
	for _, life := range []time.Duration{10 * time.Millisecond, time.Minute, 3 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			c := open(t, Config{Eviction: KeepOldest, MaxEntries: 2, MaxStaleness: 24 * time.Hour})
			short := NewEntry(1, 1, time.Now().Add(life).UnixMilli(), ours)
			fill(t, c, "lasting", 1)
			c.End(c.Begin("short"), Outcome[int]{Known: true, Rev: 1, Entry: short})
			wait(life - moment)
			c.End(c.Begin("early"), found(1))
			wantCached(t, c, "early", 0)
			wait(grace)
			synctest.Wait()
			if s := c.Stats(); s.Entries != 1 || s.Evictions != 0 {
				t.Errorf("%v: holds %d entries after %d evictions, want 1 after none", life, s.Entries, s.Evictions)
			}
			fill(t, c, "late", 1)
			wantCached(t, c, "late", 1)
			wantCached(t, c, "lasting", 1)
		})
	}
}

// TestKeepOldestFollowsAnExtendedDeadline, and a shortened one.
func TestKeepOldestFollowsAnExtendedDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{Eviction: KeepOldest, MaxEntries: 2, MaxStaleness: time.Hour})
		soon, later := time.Now().Add(5*time.Second).UnixMilli(), time.Now().Add(time.Minute).UnixMilli()
		for id, expiresAt := range map[string][2]int64{"extended": {soon, later}, "shortened": {later, soon}} {
			e := NewEntry(1, 1, expiresAt[0], ours)
			c.End(c.Begin(id), Outcome[int]{Known: true, Rev: 1, Entry: e})
			c.Replace(e, e.With(2, expiresAt[1]))
		}
		wait(8 * time.Second)
		synctest.Wait()
		wantServed(t, c, "extended", true)
		if n := c.Stats().Entries; n != 1 {
			t.Errorf("holds %d entries, want the extended one", n)
		}
	})
}

// TestKeepOldestKeepsWhatNeverExpires, and what expires later than a Duration
// can say: also where its nanoseconds, cut to 64 bits, are few.
func TestKeepOldestKeepsWhatNeverExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{Eviction: KeepOldest, MaxEntries: 3})
		const few = math.MaxUint64/1_000_000 + 1 // milliseconds
		now := time.Now().UnixMilli()
		for id, expiresAt := range map[string]int64{"never": Never, "in centuries": now + farAhead + 1, "in more": now + few} {
			e := NewEntry(1, 1, expiresAt, ours)
			c.End(c.Begin(id), Outcome[int]{Known: true, Rev: 1, Entry: e})
		}
		wait(time.Minute)
		for _, id := range []string{"never", "in centuries", "in more"} {
			wantCached(t, c, id, 1)
		}
	})
}

func TestEnginesLeaveNoGoroutine(t *testing.T) {
	for name, eviction := range evictions {
		t.Run(name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			c := New[int](Config{Eviction: eviction, MaxEntries: 10, MaxStaleness: staleness})
			fillMany(t, c, 100)
			c.Clear()
			fillMany(t, c, 100)
			c.Lost()
			c.Close()
			goleak.VerifyNone(t, before)
		})
	}
}

func TestEndSaysWhatKeepOldestRefuses(t *testing.T) {
	c := open(t, Config{Eviction: KeepOldest, MaxEntries: 1})
	fill(t, c, "a", 1)
	if c.End(c.Begin("b"), found(1)) {
		t.Error("said to be cached, but was refused")
	}
	wantCached(t, c, "b", 0)
}

// What a watch that is ending says after Close starts nothing anew.
func TestNothingBeginsAfterClose(t *testing.T) {
	before := goleak.IgnoreCurrent()
	c := New[int](Config{Eviction: KeepOldest, MaxEntries: 10, MaxStaleness: staleness})
	c.Close()
	c.Lost()
	c.Clear()
	c.CaughtUp(time.Now())
	if c.End(c.Begin("a"), found(1)) {
		t.Error("cached after Close")
	}
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
	c.Close()
}
