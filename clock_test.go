package coatcheck

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestRoughClock reads it every so often: it is never ahead, and at most clockTick
// behind.
func TestRoughClock(t *testing.T) {
	for _, every := range []time.Duration{time.Millisecond, clockTick / 3, clockTick, 3 * clockTick} {
		synctest.Test(t, func(t *testing.T) {
			c := roughClock{base: time.Now()}
			for range 1000 {
				time.Sleep(every)
				if late := time.Since(c.base) - c.now(); late < 0 || late > clockTick {
					t.Fatalf("read every %v it is late by %v, want at most %v", every, late, clockTick)
				}
			}
		})
	}
}

// TestRoughClockStopsWhenNobodyReadsIt: then its first reader gets the exact time.
func TestRoughClockStopsWhenNobodyReadsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := roughClock{base: time.Now()}
		for range 3 {
			time.Sleep(time.Hour)
			if late := time.Since(c.base) - c.now(); late != 0 {
				t.Errorf("late by %v after an hour in which nobody read it", late)
			}
			time.Sleep(2*clockTick + 1)
			if c.last.Load() != 0 {
				t.Error("it goes on though nobody reads it")
			}
		}
	})
}

func TestRoughClockAllocatesNothing(t *testing.T) {
	c := roughClock{base: time.Now()}
	c.now()
	if n := testing.AllocsPerRun(1000, func() { c.now() }); n != 0 {
		t.Errorf("%v allocations a read, want none", n)
	}
}
