package nearcache

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var errUnavailable = errors.New("the store cannot be reached")

// crowd is many goroutines on one cache, in front of a store of a few records
// that have a revision only.
type crowd struct {
	cache *Cache[int]
	store [8]atomic.Uint64
}

func (w *crowd) id(n int) string { return string(rune('a' + n)) }

// read asks the store, which sometimes does not answer.
func (w *crowd) read(n int) Outcome[int] {
	if rand.N(20) == 0 {
		return Outcome[int]{Err: errUnavailable}
	}
	return found(w.store[n].Load())
}

// TestManyAtOnce: nobody sees a record go back, least of all behind a write of
// its own, and nothing is left behind.
func TestManyAtOnce(t *testing.T) {
	const goroutines, operations = 8, 2000
	for name, eviction := range evictions {
		for _, serveStaleFor := range []time.Duration{0, time.Hour} {
			t.Run(name+" "+serveStaleFor.String(), func(t *testing.T) {
				w := &crowd{cache: open(t, Config{
					Eviction: eviction, MaxEntries: 6, MaxStaleness: 20 * time.Microsecond, ServeStaleFor: serveStaleFor,
				})}
				for n := range w.store {
					w.store[n].Store(1)
				}
				var wg sync.WaitGroup
				for range goroutines {
					wg.Go(func() {
						var seen [len(w.store)]uint64
						for range operations {
							n := rand.N(len(seen))
							rev := w.act(t.Context(), n)
							if rev != 0 && rev < seen[n] {
								t.Errorf("%s: revision %d after %d", w.id(n), rev, seen[n])
							}
							seen[n] = max(seen[n], rev)
						}
					})
				}
				wg.Wait()
				wantNoTickets(t, w.cache)
				settle(w.cache)
				// KeepOldest may exceed its size by those who come at the same moment.
				if n := w.cache.Stats().Entries; n > 6 && (eviction != KeepOldest || n > 6+goroutines) {
					t.Errorf("holds %d entries, want 6 at most", n)
				}
				for n := range w.store {
					if rev, newest := cachedRev(w.cache, w.id(n)), w.store[n].Load(); rev != 0 && rev != newest {
						t.Errorf("%s: revision %d is in the cache, want %d: all changes were reported", w.id(n), rev, newest)
					}
				}
			})
		}
	}
}

// TestLossesAreNotForgotten when marks come at the same moment.
func TestLossesAreNotForgotten(t *testing.T) {
	c := open(t, Config{ServeStaleFor: stalely})
	const each = 2000
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for range each {
				c.CaughtUp(time.Now())
			}
		})
		wg.Go(func() {
			for range each {
				c.Lost()
			}
		})
	}
	wg.Wait()
	if epoch := c.state.Load().epoch; epoch != 1+2*each {
		t.Errorf("in epoch %d after %d losses", epoch, 2*each)
	}
}

// locked tells whether the lock of an ID is held whenever its entry is looked
// at with an intent, or changed.
type locked struct {
	engine[int]
	cache   *Cache[int]
	without []string
}

func (l *locked) note(doing string, k key) {
	if s := l.cache.shardOf(k); s.mu.TryLock() {
		s.mu.Unlock()
		l.without = append(l.without, doing)
	}
}

func (l *locked) peek(k key) *Entry[int] {
	l.note("peek", k)
	return l.engine.peek(k)
}

func (l *locked) set(k key, e *Entry[int]) bool {
	l.note("set", k)
	return l.engine.set(k, e)
}

func (l *locked) drop(k key) {
	l.note("drop", k)
	l.engine.drop(k)
}

// TestEntriesChangeUnderTheirLock: else a report that comes in between would
// find nothing to drop.
func TestEntriesChangeUnderTheirLock(t *testing.T) {
	c := open(t, Config{})
	l := &locked{engine: c.state.Load().engine, cache: c}
	c.change(func(s *state[int]) { s.setEngine(l) })

	old := fill(t, c, "filled", 1)
	c.Replace(old, old.With(2, Never))
	c.Changed("filled", 2)
	c.Drop(fill(t, c, "dropped", 1))
	_, _, _ = c.Load(t.Context(), "loaded", ours, func(context.Context) Outcome[int] { return found(1) })
	if len(l.without) > 0 {
		t.Errorf("without the lock: %q", l.without)
	}
}

// act does anything, and returns the revision it has seen of the record, if any.
func (w *crowd) act(ctx context.Context, n int) uint64 {
	c, id := w.cache, w.id(n)
	switch p := rand.N(100); {
	case p < 40:
		return w.get(ctx, n)
	case p < 60: // a write here
		ticket := c.Begin(id)
		rev := w.store[n].Add(1)
		o := found(rev)
		if rand.N(10) == 0 {
			o.Rev, o.Entry, o.Err = 0, nil, errUnavailable // though it was made
		}
		c.End(ticket, o)
		return rev
	case p < 75: // a write elsewhere, and its report
		rev := w.store[n].Add(1)
		c.Changed(id, rev*rand.N(uint64(2)))
		return rev
	case p < 85:
		c.CaughtUp(time.Now())
	case p < 90:
		if e, _ := c.Get(id, ours); e != nil {
			c.Replace(e, e.With(e.Value, Never))
			return e.Rev
		}
	case p < 94:
		if e, _ := c.Get(id, ours); e != nil {
			c.Drop(e)
			return e.Rev
		}
	case p < 96:
		c.Lost()
	case p < 97:
		c.Clear()
	case p < 98:
		c.Stats()
		c.Covered()
	default:
		if e, _ := c.Get(id, theirs); e != nil {
			return 0
		}
	}
	return 0
}

func (w *crowd) get(ctx context.Context, n int) uint64 {
	c, id := w.cache, w.id(n)
	if e, _ := c.Get(id, ours); e != nil {
		return e.Rev
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	e, _, err := c.Load(ctx, id, ours, func(context.Context) Outcome[int] {
		if rand.N(20) == 0 {
			cancel()
			return Outcome[int]{Err: ctx.Err()}
		}
		return w.read(n)
	})
	if err != nil {
		e = c.GetStale(id, ours)
	}
	if e == nil {
		return 0
	}
	return e.Rev
}
