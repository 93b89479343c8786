package nearcache

import "time"

// clock is the monotonic clock of this process, as nanoseconds since the cache
// was made. It stands still while the whole machine sleeps.
//
// To read the wall clock, too, would take twice as long. So it is known as an
// offset, which is read anew with every mark, and at least every MaxStaleness.
type clock struct{ base time.Time }

func (c clock) now() int64 { return int64(time.Since(c.base)) }

func (c clock) at(t time.Time) int64 { return int64(t.Sub(c.base)) }

func (c clock) read() (now, offset int64) {
	t := time.Now()
	now = c.at(t)
	return now, t.UnixNano() - now
}

// wall returns the wall clock, in milliseconds since the Unix epoch, at a time
// of the cache's clock that is about now.
func (c *Cache[V]) wall(s *state[V], now int64) int64 {
	if now-s.offsetReadAt > c.maxStaleness {
		at, offset := c.clock.read()
		c.change(func(s *state[V]) { s.offset, s.offsetReadAt = offset, at })
		s = c.state.Load()
	}
	return (now + s.offset) / int64(time.Millisecond)
}
