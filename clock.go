package coatcheck

import (
	"sync/atomic"
	"time"
)

// clockTick is how late a roughClock may be.
const clockTick = 100 * time.Millisecond

// roughClock is a clock that may be late, by clockTick, and by as much more as timers
// are, but is never ahead. It stands still while the machine sleeps. To read it costs next to nothing, which cannot be said of the
// operating system's. It stands still while nobody reads it, and costs nothing then.
type roughClock struct {
	base time.Time // what it counts from
	last atomic.Int64
	read atomic.Bool // since last
}

// now returns the time since base.
func (c *roughClock) now() time.Duration {
	last := c.last.Load()
	if last == 0 {
		return c.start()
	}
	if !c.read.Load() { // mostly it is: processors share what none of them writes
		c.read.Store(true)
	}
	return time.Duration(last)
}

func (c *roughClock) start() time.Duration {
	now := max(1, time.Since(c.base))
	if c.last.CompareAndSwap(0, int64(now)) {
		time.AfterFunc(clockTick, c.tick)
	}
	return now
}

func (c *roughClock) tick() {
	if !c.read.Swap(false) {
		c.last.Store(0)
		return
	}
	c.last.Store(int64(time.Since(c.base)))
	time.AfterFunc(clockTick, c.tick)
}
