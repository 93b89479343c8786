package nearcache

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// mark says how far the store has reported changes. It is replaced as a whole,
// so that a reader never sees the time of one stream with the epoch of another.
type mark struct {
	// epoch counts the streams of reports. An entry belongs to the one during
	// which its read began; a mark covers the entries of its own epoch only.
	epoch uint32

	// caughtUp: every change that finished before it has been reported. On the
	// cache's clock; never if nothing was said in this epoch.
	caughtUp int64

	// The last epoch of which something was said, and how far it came: what
	// ServeStaleFor counts from.
	lastEpoch    uint32
	lastCaughtUp int64
}

// never is before every time, and far enough from the smallest number that
// differences with it do not overflow.
const never = math.MinInt64 / 2

// coverage returns until when the entries of an epoch were known to be current,
// or never.
func (m *mark) coverage(epoch uint32) int64 {
	switch epoch {
	case m.epoch:
		return m.caughtUp
	case m.lastEpoch:
		return m.lastCaughtUp
	default:
		return never
	}
}

// horizon is the part of a cache that knows the mark.
type horizon struct {
	mark atomic.Pointer[mark]
	mu   sync.Mutex // of those who replace it
}

func (h *horizon) init() {
	h.mark.Store(&mark{epoch: 1, caughtUp: never, lastCaughtUp: never})
}

// Lost ends an epoch: changes may have gone unreported, so that no entry that
// was read before, nor one that is being read, is served again, unless
// ServeStaleFor lets it. It returns how many entries were dropped.
func (c *Cache[V]) Lost() int {
	h := &c.horizon
	h.mu.Lock()
	next := *h.mark.Load()
	if next.caughtUp != never {
		next.lastEpoch, next.lastCaughtUp = next.epoch, next.caughtUp
	}
	next.epoch++
	next.caughtUp = never
	h.mark.Store(&next)
	h.mu.Unlock()
	c.counter.losses.add()
	if c.serveStaleFor > 0 {
		return 0
	}
	return c.replaceEngine()
}

// CaughtUp says that every change that finished before asOf has been reported.
func (c *Cache[V]) CaughtUp(asOf time.Time) {
	h := &c.horizon
	at := c.clock.at(asOf)
	h.mu.Lock()
	defer h.mu.Unlock()
	if next := *h.mark.Load(); at > next.caughtUp {
		next.caughtUp = at
		h.mark.Store(&next)
	}
	c.clock.adjust()
}

// clock is the monotonic clock of this process, as nanoseconds since the cache
// was made. Reading the wall clock, too, would take twice as long: it is known
// as an offset, which every read of the store and every mark adjusts.
//
// The monotonic clock stands still while the whole machine sleeps.
type clock struct {
	base   time.Time
	offset atomic.Int64
}

func (c *clock) init() {
	c.base = time.Now()
	c.adjust()
}

func (c *clock) now() int64 { return int64(time.Since(c.base)) }

// wall translates a time of this clock into milliseconds since the Unix epoch.
func (c *clock) wall(now int64) int64 { return (now + c.offset.Load()) / int64(time.Millisecond) }

func (c *clock) at(t time.Time) int64 { return int64(t.Sub(c.base)) }

// adjust follows steps of the wall clock, and returns the time.
func (c *clock) adjust() int64 {
	t := time.Now()
	now := c.at(t)
	offset, known := t.UnixNano()-now, c.offset.Load()
	// Not at every call: readers on other processors have it in their caches.
	if diff := offset - known; diff < -int64(time.Microsecond) || diff > int64(time.Microsecond) {
		c.offset.Store(offset)
	}
	return now
}
