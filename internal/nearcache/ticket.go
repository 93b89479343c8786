package nearcache

import (
	"context"
	"errors"
	"math"
	"sync"
)

// shards spread the locks. They are held for moments, and never while a store
// is asked.
const shards = 64

// shard is what is under way for the IDs that fall to it: a list for each key. Two IDs
// that have the same one are reported together, which does no harm.
type shard[V any] struct {
	mu      sync.Mutex
	tickets map[key]*Ticket[V]
	_       [48]byte // the rest of a cache line
}

// Ticket is drawn before the store is asked for a record, or to change it, and
// handed back with what came of it. In between it collects what is reported of
// the record: a value that was overtaken on its way must not be cached.
type Ticket[V any] struct {
	next   *Ticket[V]
	id     string
	key    key
	sentAt int64
	epoch  uint32

	joinable bool // later readers may join the load

	// reported is the highest revision of the record that was reported since the
	// ticket was drawn; unknown if one was reported without its number.
	reported uint64

	load *loading[V] // that it is part of, or nil
}

// loading is a ticket that others may wait for.
type loading[V any] struct {
	ticket   Ticket[V]
	secret   words
	done     chan struct{} // made by the first who joins
	outcome  Outcome[V]
	deserted bool // ended for a reason of the first reader's own
}

const unknown = math.MaxUint64

// errDeserted ends a load whose reader panicked. Nobody sees it.
var errDeserted = errors.New("nearcache: the reader panicked")

// Outcome is what came of asking the store.
type Outcome[V any] struct {
	// Known says that Rev is: the revision that the record has reached, or 0 if
	// it is gone, or may have been changed to nobody knows what.
	Known bool
	Rev   uint64

	// Entry is what may be cached, at revision Rev, or nil.
	Entry *Entry[V]

	// Uncached says that Entry is for those who asked only.
	Uncached bool

	// Unwatched says that no change of the record is reported. The entry then
	// lives MaxStaleness, whatever the mark says.
	Unwatched bool

	// Newborn says that nobody can have asked for the record before: it was created
	// under a new ID.
	Newborn bool

	// Err is what Load returns.
	Err error
}

func (c *Cache[V]) shardOf(k key) *shard[V] { return &c.shards[k%shards] }

// ID returns what the ticket was drawn for.
func (t *Ticket[V]) ID() string { return t.id }

// Begin draws a ticket.
func (c *Cache[V]) Begin(id string) *Ticket[V] {
	t := &Ticket[V]{id: id, key: newWords(id).key()}
	s := c.shardOf(t.key)
	s.mu.Lock()
	c.begin(s, t)
	s.mu.Unlock()
	return t
}

// begin files a ticket. The shard is locked.
func (c *Cache[V]) begin(s *shard[V], t *Ticket[V]) {
	t.epoch = c.state.Load().epoch
	t.sentAt = c.clock.now()
	if s.tickets == nil {
		s.tickets = make(map[key]*Ticket[V])
	}
	t.next = s.tickets[t.key]
	s.tickets[t.key] = t
}

// End hands a ticket back: what the store has told of the record counts as a
// report, and the entry is cached unless it was overtaken. It reports whether
// the entry was cached.
func (c *Cache[V]) End(t *Ticket[V], o Outcome[V]) (cached bool) {
	s, id := c.shardOf(t.key), newWords(t.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(t)
	if o.Known {
		c.learn(s, id, t.key, o.Rev)
	}
	if o.Entry != nil && !o.Uncached {
		o.Entry.id, o.Entry.sentAt, o.Entry.epoch = id.text(), t.sentAt, t.epoch
		if o.Unwatched {
			o.Entry.epoch = unwatched
		}
		state := c.state.Load()
		if (t.reported <= o.Rev || !enforceFillGuard) && t.epoch == state.epoch && !state.closed {
			if o.Newborn {
				cached = state.engine.add(t.key, o.Entry)
			} else {
				cached = state.engine.set(t.key, o.Entry)
			}
		} else {
			c.counter.overtaken.add()
		}
	}
	if t.load != nil && t.load.done != nil {
		t.load.outcome = o
		close(t.load.done)
	}
	return cached
}

func (s *shard[V]) remove(t *Ticket[V]) {
	head := s.tickets[t.key]
	if head == t {
		if t.next == nil {
			delete(s.tickets, t.key)
		} else {
			s.tickets[t.key] = t.next
		}
		return
	}
	for p := head; p != nil; p = p.next {
		if p.next == t {
			p.next = t.next
			return
		}
	}
}

// Changed says that the record has reached a revision, or, with 0, that it is
// gone or at a revision that is not known. It reports whether an entry was
// dropped.
func (c *Cache[V]) Changed(id string, rev uint64) (dropped bool) {
	name := newWords(id)
	k := name.key()
	s := c.shardOf(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	return c.learn(s, name, k, rev)
}

// learn is Changed with the shard locked.
func (c *Cache[V]) learn(s *shard[V], id words, k key, rev uint64) (dropped bool) {
	if rev == 0 {
		rev = unknown
	}
	for t := s.tickets[k]; t != nil; t = t.next {
		t.reported = max(t.reported, rev)
		t.joinable = false // whoever comes later must see the change
	}
	if rev == 1 {
		return false // there is none before
	}
	state := c.state.Load()
	if e := state.peek(id); e != nil && e.Rev < rev {
		state.engine.drop(k)
		c.counter.invalidations.add()
		return true
	}
	return false
}

// Replace puts an entry in the place of another that it derives from, unless
// that is no longer there.
func (c *Cache[V]) Replace(old, derived *Entry[V]) {
	id := old.id.words()
	s := c.shardOf(id.key())
	s.mu.Lock()
	defer s.mu.Unlock()
	if state := c.state.Load(); state.peek(id) == old {
		state.engine.set(id.key(), derived)
	}
}

// Drop removes an entry, unless another has taken its place.
func (c *Cache[V]) Drop(old *Entry[V]) {
	id := old.id.words()
	s := c.shardOf(id.key())
	s.mu.Lock()
	defer s.mu.Unlock()
	if state := c.state.Load(); state.peek(id) == old {
		state.engine.drop(id.key())
	}
}

// Load has read ask the store, and caches the outcome. Readers who come
// meanwhile with the same secret wait for it instead of asking, too. The second
// result says whether the entry was cached by this very call.
func (c *Cache[V]) Load(ctx context.Context, id, secretText string, read func(context.Context) Outcome[V]) (e *Entry[V], cached bool, err error) {
	for {
		l, first := c.join(id, secretText)
		if first {
			o := Outcome[V]{Err: errDeserted}
			func() { // so that others go on if read panics
				defer func() { cached = c.End(&l.ticket, o) }()
				l.deserted = true
				o = read(ctx)
				l.deserted = o.Err != nil && ctx.Err() != nil
			}()
			return o.Entry, cached, o.Err
		}
		select {
		case <-l.done:
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
		if !l.deserted {
			return l.outcome.Entry, false, l.outcome.Err
		}
	}
}

// join returns a load that is under way, or a new one whose first reader the
// caller is.
func (c *Cache[V]) join(id, secretText string) (_ *loading[V], first bool) {
	mine := newWords(secretText)
	k := newWords(id).key()
	s := c.shardOf(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	for t := s.tickets[k]; t != nil; t = t.next {
		// One that began longer ago may return what this reader must not see.
		if t.joinable && t.id == id && t.load.secret.equal(mine) && c.clock.now()-t.sentAt <= c.maxStaleness {
			if t.load.done == nil {
				t.load.done = make(chan struct{})
			}
			return t.load, false
		}
	}
	l := &loading[V]{ticket: Ticket[V]{id: id, key: k, joinable: true}, secret: mine}
	l.ticket.load = l
	c.begin(s, &l.ticket)
	return l, true
}
