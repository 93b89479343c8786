package nearcache

import (
	"math"
	"time"
)

// state is what a read looks at. It is replaced as a whole, so that a reader
// never sees the mark of one stream of reports with the epoch of another.
type state[V any] struct {
	engine engine[V]
	otter  *otterEngine[V] // the engine, if it is that: to be called without detours

	// epoch counts the streams of reports. An entry belongs to the one during
	// which its read began; a mark covers the entries of its own epoch only.
	epoch uint32

	// caughtUp is the mark: every change that finished before it has been
	// reported. On the cache's clock; never if nothing was said in this epoch.
	caughtUp int64

	// offset is between the cache's clock and the wall clock, as it was read last.
	offset, offsetReadAt int64

	// The last epoch of which something was said, and how far it came: what
	// ServeStaleFor counts from.
	lastEpoch    uint32
	lastCaughtUp int64

	closed bool
}

// never is before every time, and far enough from the smallest number that
// differences with it do not overflow.
const never = math.MinInt64 / 2

// get returns the entry if there is one for holders of the secret, and notes the
// use.
func (s *state[V]) get(idText, secretText string) (e *Entry[V]) {
	if len(secretText) != textLen {
		return nil
	}
	id := newWords(idText)
	if s.otter != nil {
		e = s.otter.get(id.key())
	} else {
		e = s.engine.get(id.key())
	}
	if e == nil || e.id.words() != id || !e.secret.words().equal(wordsOf22(secretText)) {
		return nil
	}
	return e
}

// peek returns the entry that is filed under the ID, unnoticed.
func (s *state[V]) peek(id words) *Entry[V] {
	if e := s.engine.peek(id.key()); e != nil && e.id.words() == id {
		return e
	}
	return nil
}

// unwatched is the epoch of entries of which no change is reported.
const unwatched = 0

// covers reports whether the entry was current at some moment since then.
func (s *state[V]) covers(e *Entry[V], then int64) bool {
	if e.epoch == s.epoch {
		return max(e.sentAt, s.caughtUp) >= then
	}
	return e.epoch == unwatched && e.sentAt >= then
}

// coverage returns until when the entries of an epoch were known to be current,
// or never.
func (s *state[V]) coverage(epoch uint32) int64 {
	switch epoch {
	case s.epoch:
		return s.caughtUp
	case s.lastEpoch:
		return s.lastCaughtUp
	default:
		return never
	}
}

func (s *state[V]) setEngine(e engine[V]) {
	s.engine = e
	s.otter, _ = e.(*otterEngine[V])
}

// change replaces the state, and returns the one before.
func (c *Cache[V]) change(how func(*state[V])) (old *state[V]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old = c.state.Load()
	next := *old
	how(&next)
	c.state.Store(&next)
	return old
}

// Lost ends an epoch: changes may have gone unreported, so that no entry that
// was read before, nor one that is being read, is served again, unless
// ServeStaleFor lets it. It returns how many entries were dropped.
func (c *Cache[V]) Lost() int {
	now := c.clock.now()
	old := c.change(func(s *state[V]) {
		if s.caughtUp != never {
			s.lastEpoch, s.lastCaughtUp = s.epoch, min(s.caughtUp, now)
		}
		s.epoch++
		s.caughtUp = never
		if c.serveStaleFor == 0 && !s.closed {
			s.setEngine(c.newEngine())
		}
	})
	if old.caughtUp != never { // else nothing was known that could be lost
		c.counter.losses.add()
	}
	if c.serveStaleFor > 0 || old.closed {
		return 0
	}
	return retire(old.engine)
}

// CaughtUp says that every change that finished before asOf has been reported.
func (c *Cache[V]) CaughtUp(asOf time.Time) {
	now, offset := c.clock.read()
	c.change(func(s *state[V]) {
		s.caughtUp = max(s.caughtUp, c.clock.at(asOf))
		s.offset, s.offsetReadAt = offset, now
	})
}
