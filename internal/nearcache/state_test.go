package nearcache

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestServedUntilMaxStalenessAfterTheReadWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{})
		ticket := c.Begin("id")
		wait(300 * time.Millisecond)
		c.End(ticket, found(1))
		wait(staleness - 300*time.Millisecond)
		wantServed(t, c, "id", true)
		wait(moment)
		wantServed(t, c, "id", false)
		if s := c.Stats(); s.Hits != 1 || s.Stale != 1 || s.Misses != 0 {
			t.Errorf("counted %d hits, %d stale, %d misses: want 1, 1, 0", s.Hits, s.Stale, s.Misses)
		}
	})
}

func TestCaughtUpExtends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{})
		fill(t, c, "id", 1)
		wait(600 * time.Millisecond)
		asOf := time.Now()
		wait(300 * time.Millisecond)
		c.CaughtUp(asOf)
		wait(staleness - 300*time.Millisecond)
		wantServed(t, c, "id", true)
		wait(moment)
		wantServed(t, c, "id", false)
		// The entry is still there: a later mark lets it be served again.
		c.CaughtUp(time.Now())
		wantServed(t, c, "id", true)
	})
}

func TestCaughtUpBeforeTheReadTakesNothingAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{})
		before := time.Now()
		wait(500 * time.Millisecond)
		fill(t, c, "id", 1)
		c.CaughtUp(before)
		wait(staleness)
		wantServed(t, c, "id", true)
	})
}

func TestAnEarlierCaughtUpNeverMovesTheMarkBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{})
		fill(t, c, "id", 1)
		earlier := time.Now()
		wait(900 * time.Millisecond)
		c.CaughtUp(time.Now())
		c.CaughtUp(earlier)
		if age := c.Stats().MarkAge; age != 0 {
			t.Errorf("the mark is %v old, want 0s", age)
		}
		wait(staleness)
		wantServed(t, c, "id", true)
	})
}

func TestAMarkACenturyAheadNeverLapses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{})
		c.CaughtUp(time.Now())
		if c.Covered() {
			t.Error("covered by a mark that lapses")
		}
		c.CaughtUp(time.Now().Add(100 * 365 * 24 * time.Hour))
		fill(t, c, "id", 1)
		for range 5 {
			wantServed(t, c, "id", true)
			if !c.Covered() {
				t.Errorf("%s: not covered", time.Now())
			}
			wait(10 * 365 * 24 * time.Hour)
		}
		if age := c.Stats().MarkAge; age != 0 {
			t.Errorf("a mark ahead of now is %v old, want 0s", age)
		}
		c.Lost()
		if c.Covered() {
			t.Error("covered after a loss")
		}
		wantServed(t, c, "id", false)
	})
}

// TestCoveredWearsOff if the mark lies ahead, but not for good.
func TestCoveredWearsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const day = 24 * time.Hour
		c := open(t, Config{})
		c.CaughtUp(time.Now().Add(400 * day))
		if !c.Covered() {
			t.Error("not covered by a mark 400 days ahead")
		}
		wait(40 * day)
		if c.Covered() {
			t.Error("covered by a mark 360 days ahead")
		}
	})
}

// TestLostEndsAll with and without ServeStaleFor: only in the one case do the
// entries go.
func TestLostEndsAll(t *testing.T) {
	for name, config := range map[string]Config{"dropped": {}, "kept": {ServeStaleFor: stalely}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := open(t, config)
				c.CaughtUp(time.Now())
				fill(t, c, "before", 1)
				load, write := c.Begin("load"), c.Begin("write")
				c.Lost()
				if c.End(load, found(1)) || c.End(write, found(2)) {
					t.Error("what was asked before the loss was cached after it")
				}
				fill(t, c, "after", 1)
				check := func() {
					t.Helper()
					wantServed(t, c, "before", false)
					wantServed(t, c, "load", false)
					wantServed(t, c, "write", false)
					wantServed(t, c, "after", true)
				}
				check()
				wait(moment)
				c.CaughtUp(time.Now()) // brings nothing back
				check()
				s := c.Stats()
				if s.Losses != 1 || s.Overtaken != 2 || s.MarkAge != 0 {
					t.Errorf("counted %d losses, %d overtaken, mark %v old: want 1, 2, 0s", s.Losses, s.Overtaken, s.MarkAge)
				}
			})
		})
	}
}

func TestLostEmptiesTheCacheUnlessItServesStale(t *testing.T) {
	for _, test := range []struct {
		serveStaleFor time.Duration
		dropped, left int
	}{{0, 2, 0}, {stalely, 0, 2}} {
		c := open(t, Config{ServeStaleFor: test.serveStaleFor})
		fill(t, c, "a", 1)
		fill(t, c, "b", 1)
		dropped := c.Lost()
		if left := c.Stats().Entries; dropped != test.dropped || left != test.left {
			t.Errorf("ServeStaleFor %v: dropped %d, left %d: want %d, %d", test.serveStaleFor, dropped, left, test.dropped, test.left)
		}
	}
}

func TestNoMarkNoAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{})
		wantAge := func(want time.Duration) {
			t.Helper()
			if age := c.Stats().MarkAge; age != want {
				t.Errorf("the mark is %v old, want %v", age, want)
			}
		}
		wantAge(-1)
		c.CaughtUp(time.Now())
		wait(time.Minute)
		wantAge(time.Minute)
		c.Lost()
		wantAge(-1)
	})
}

// TestTheMarkIsReadBeforeTheLookup: a mark that comes later covers a change
// that dropped the entry meanwhile.
func TestTheMarkIsReadBeforeTheLookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{ServeStaleFor: stalely})
		fill(t, c, "id", 4)
		overtake := func() {
			c.Changed("id", 5)
			c.CaughtUp(time.Now())
		}
		wait(staleness + moment)
		afterLookup(c, overtake)
		wantServed(t, c, "id", false)

		c.Lost()
		fill(t, c, "id", 6)
		wait(staleness + stalely + moment)
		afterLookup(c, overtake)
		wantServedStale(t, c, "id", false)
	})
}

// TestTheClockIsReadAfterTheLookup: the lookup may take long.
func TestTheClockIsReadAfterTheLookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{ServeStaleFor: stalely})
		fill(t, c, "id", 1)
		afterLookup(c, func() { wait(staleness + moment) })
		wantServed(t, c, "id", false)
		afterLookup(c, func() { wait(stalely) })
		wantServedStale(t, c, "id", false)
	})
}

// An entry of which no change is reported is no younger for any mark.
func TestUnwatchedLivesMaxStaleness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{})
		o := found(1)
		o.Unwatched = true
		if !c.End(c.Begin("id"), o) {
			t.Fatal("not cached")
		}
		c.CaughtUp(time.Now().Add(100 * 365 * 24 * time.Hour))
		wait(staleness)
		wantServed(t, c, "id", true)
		wait(moment)
		wantServed(t, c, "id", false)
		fill(t, c, "id", 1)
		wait(staleness + moment)
		wantServed(t, c, "id", true)
	})
}
