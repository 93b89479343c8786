package nearcache

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestWrongSecretMisses(t *testing.T) {
	c := open(t, Config{})
	fill(t, c, "id", 1)
	for _, secret := range []string{theirs, "", ours[1:], ours + "0"} {
		if e, _ := c.Get("id", secret); e != nil {
			t.Errorf("served with a wrong secret of %d characters", len(secret))
		}
	}
	wantServed(t, c, "other", false)
	if s := c.Stats(); s.Misses != 5 || s.Hits != 0 || s.Stale != 0 {
		t.Errorf("counted %d misses, %d hits, %d stale: want 5, 0, 0", s.Misses, s.Hits, s.Stale)
	}
}

func TestExpiredMissesAlthoughFresh(t *testing.T) {
	for name, eviction := range evictions {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := open(t, Config{Eviction: eviction})
				deadline := time.Now().Add(300 * time.Millisecond)
				e := NewEntry(1, 1, deadline.UnixMilli(), ours)
				c.End(c.Begin("id"), Outcome[int]{Known: true, Rev: 1, Entry: e})
				wait(300*time.Millisecond - moment)
				wantServed(t, c, "id", true)
				wait(moment)
				wantServed(t, c, "id", false)
				if n := c.Stats().Misses; n != 1 {
					t.Errorf("counted %d misses, want 1", n)
				}
			})
		})
	}
}

func TestGetTellsTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{})
		fill(t, c, "id", 1)
		for range 3 { // a hit, a stale one, and then a miss
			for _, id := range []string{"id", "none"} {
				if _, wall := c.Get(id, ours); wall != time.Now().UnixMilli() {
					t.Errorf("%s: it is %d, want %d", id, wall, time.Now().UnixMilli())
				}
			}
			wait(staleness)
		}
	})
}

// TestReplaceTouchesOnlyTheVeryEntry: another of the same revision is another.
func TestReplaceTouchesOnlyTheVeryEntry(t *testing.T) {
	c := open(t, Config{})
	old := fill(t, c, "id", 1)
	derived := old.With(7, 0)
	if derived.Value != 7 || derived.Rev != 1 || derived.ExpiresAt != 0 || derived.secret.words() != newWords(ours) {
		t.Errorf("derived an entry that differs: %d, %d, %d", derived.Value, derived.Rev, derived.ExpiresAt)
	}
	derived = old.With(7, Never)
	c.Replace(old, derived)
	if e, _ := c.Get("id", ours); e != derived {
		t.Error("not replaced")
	}
	c.Replace(old, old.With(8, Never))
	if e, _ := c.Get("id", ours); e != derived {
		t.Error("replaced another entry")
	}
	c.Changed("id", 0)
	c.Replace(derived, derived.With(9, Never))
	wantCached(t, c, "id", 0)
}

func TestDropTouchesOnlyTheVeryEntry(t *testing.T) {
	c := open(t, Config{})
	old := fill(t, c, "id", 1)
	replaced := fill(t, c, "id", 1)
	c.Drop(old)
	if e, _ := c.Get("id", ours); e != replaced {
		t.Error("another entry was dropped")
	}
	wantCached(t, c, "id", 1)
	c.Drop(replaced)
	wantCached(t, c, "id", 0)
	if n := c.Stats().Invalidations; n != 0 {
		t.Errorf("counted %d invalidations, want none", n)
	}
}

func TestADerivedEntryIsAsOldAsTheOriginal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{ServeStaleFor: stalely})
		wait(time.Minute) // the cache is older than its entry
		old := fill(t, c, "id", 1)
		wait(700 * time.Millisecond)
		c.Replace(old, old.With(2, Never))
		wait(staleness - 700*time.Millisecond)
		wantServed(t, c, "id", true)
		wait(moment)
		wantServed(t, c, "id", false)

		// It belongs to the original's epoch, too.
		old = fill(t, c, "id", 1)
		c.Lost()
		c.Replace(old, old.With(2, Never))
		c.CaughtUp(time.Now())
		wantServed(t, c, "id", false)
	})
}

func TestClearReturnsTheSizeAndEmpties(t *testing.T) {
	for name, eviction := range evictions {
		t.Run(name, func(t *testing.T) {
			c := open(t, Config{Eviction: eviction})
			if n := c.Clear(); n != 0 {
				t.Errorf("cleared %d of an empty cache", n)
			}
			for _, id := range []string{"a", "b", "c"} {
				fill(t, c, id, 1)
			}
			ticket := c.Begin("d")
			if n := c.Clear(); n != 3 {
				t.Errorf("cleared %d, want 3", n)
			}
			for _, id := range []string{"a", "b", "c"} {
				wantServed(t, c, id, false)
			}
			if s := c.Stats(); s.Entries != 0 || s.Evictions != 0 || s.Invalidations != 0 {
				t.Errorf("left %d entries, counted %d evictions, %d invalidations: want none", s.Entries, s.Evictions, s.Invalidations)
			}
			if !c.End(ticket, found(1)) {
				t.Error("what is read meanwhile is not cached")
			}
			wantServed(t, c, "d", true)
		})
	}
}

func TestCloseEmptiesAndMayBeRepeated(t *testing.T) {
	for name, eviction := range evictions {
		t.Run(name, func(t *testing.T) {
			c := open(t, Config{Eviction: eviction})
			fill(t, c, "a", 1)
			ticket := c.Begin("b")
			c.Close()
			wantServed(t, c, "a", false)
			c.End(ticket, found(1)) // late, but no harm
			c.Close()
			wantServed(t, c, "b", false)
		})
	}
}

func TestGetAllocatesNothing(t *testing.T) {
	for name, eviction := range evictions {
		t.Run(name, func(t *testing.T) {
			c := open(t, Config{Eviction: eviction, ServeStaleFor: stalely, MaxStaleness: time.Hour})
			fill(t, c, "id", 1)
			fill(t, c, "stale", 1)
			c.state.Load().peek(newWords("stale")).epoch = 0
			for what, get := range map[string]func(){
				"a hit":          func() { c.Get("id", ours) },
				"a miss":         func() { c.Get("none", ours) },
				"a wrong secret": func() { c.Get("id", theirs) },
				"a stale entry":  func() { c.Get("stale", ours) },
				"GetStale":       func() { c.GetStale("id", ours) },
			} {
				if n := testing.AllocsPerRun(1000, get); n != 0 {
					t.Errorf("%s allocates %v times", what, n)
				}
			}
		})
	}
}
