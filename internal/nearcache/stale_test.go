package nearcache

import (
	"testing"
	"testing/synctest"
	"time"
)

// wantStaleUntil demands that the entry is served for MaxStaleness and
// ServeStaleFor after it was known to be current, and not longer.
func wantStaleUntil(t *testing.T, c *Cache[int], id string, current time.Time) {
	t.Helper()
	wait(time.Until(current.Add(staleness + stalely)))
	wantServedStale(t, c, id, true)
	wait(moment)
	wantServedStale(t, c, id, false)
}

func TestServedStaleFromTheRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{ServeStaleFor: stalely})
		ticket := c.Begin("id")
		sent := time.Now()
		wait(300 * time.Millisecond)
		c.End(ticket, found(1))
		wantStaleUntil(t, c, "id", sent)
		if n := c.Stats().ServedStale; n != 1 {
			t.Errorf("counted %d served stale, want 1", n)
		}
	})
}

func TestServedStaleFromTheMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{ServeStaleFor: stalely})
		fill(t, c, "id", 1)
		wait(time.Minute)
		c.CaughtUp(time.Now())
		wantStaleUntil(t, c, "id", time.Now())
	})
}

// TestServedStaleAfterLosses: what counts is the last mark of the entry's own
// epoch, however many losses follow it.
func TestServedStaleAfterLosses(t *testing.T) {
	for losses := range 4 {
		synctest.Test(t, func(t *testing.T) {
			c := open(t, Config{ServeStaleFor: stalely})
			fill(t, c, "id", 1)
			wait(time.Minute)
			current := time.Now()
			c.CaughtUp(current)
			for range losses {
				wait(time.Second)
				c.Lost()
			}
			wantStaleUntil(t, c, "id", current)
		})
	}
}

func TestServedStaleAfterALossWithoutAMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{ServeStaleFor: stalely})
		fill(t, c, "id", 1)
		sent := time.Now()
		wait(time.Second)
		c.Lost()
		wantStaleUntil(t, c, "id", sent)
	})
}

// TestMarksOfAnotherEpochProlongNothing: neither that of the epoch under way,
// nor the last of one that ended since.
func TestMarksOfAnotherEpochProlongNothing(t *testing.T) {
	for _, losses := range []int{1, 2, 3} {
		synctest.Test(t, func(t *testing.T) {
			c := open(t, Config{ServeStaleFor: stalely})
			fill(t, c, "id", 1)
			current := time.Now()
			c.CaughtUp(current)
			for range losses {
				c.Lost()
				wait(time.Second)
				c.CaughtUp(time.Now())
			}
			wantStaleUntil(t, c, "id", current)
		})
	}
}

func TestNeverServedStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{ServeStaleFor: stalely})
		fill(t, c, "id", 1)
		if c.GetStale("id", theirs) != nil {
			t.Error("served with a wrong secret")
		}
		if c.GetStale("id", "short") != nil {
			t.Error("served with a secret that is none")
		}
		wantServedStale(t, c, "none", false)

		expiring := NewEntry(1, 1, time.Now().Add(time.Second).UnixMilli(), ours)
		c.End(c.Begin("expiring"), Outcome[int]{Known: true, Rev: 1, Entry: expiring})
		wait(time.Second - moment)
		wantServedStale(t, c, "expiring", true)
		wait(moment)
		wantServedStale(t, c, "expiring", false)

		c.Lost()
		wantServedStale(t, c, "id", true)
		c.Changed("id", 2)
		wantServedStale(t, c, "id", false)
	})
}

func TestNothingIsServedStaleUnlessAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{})
		fill(t, c, "id", 1)
		wantServedStale(t, c, "id", false)
		wait(staleness)
		wantServedStale(t, c, "id", false)
		if n := c.Stats().ServedStale; n != 0 {
			t.Errorf("counted %d served stale, want 0", n)
		}
	})
}

// A mark may lie a century ahead; from a loss on, it says nothing of the future.
func TestServedStaleIsBoundedAfterAMarkFarAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{ServeStaleFor: stalely})
		fill(t, c, "id", 1)
		c.CaughtUp(time.Now().Add(100 * 365 * 24 * time.Hour))
		wait(time.Minute)
		lost := time.Now()
		c.Lost()
		wantStaleUntil(t, c, "id", lost)
	})
}
