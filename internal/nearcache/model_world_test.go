package nearcache

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// goneRev is later than every revision: a record that is gone stays gone.
const goneRev = math.MaxUint64

// world is a store, and nodes that keep its records in memory. All that takes
// time is cut into steps, which a test takes in random order.
type world struct {
	t      *testing.T
	ctx    context.Context
	random *rand.Rand

	records []*record
	created int
	nodes   []*node
	pending []*pending

	mu         sync.Mutex // of steps, and of the readers that one wakes
	readers    sync.WaitGroup
	violations []string
	joined     int
	stale      int
	newborn    int
}

// record is the truth about one ID.
type record struct {
	id      string
	rev     uint64   // goneRev at the end
	changes []change // that have returned to whom made them
}

type change struct {
	rev      uint64
	returned time.Time
}

type node struct {
	name   string
	cache  *Cache[uint64]
	cut    bool              // nothing new enters the stream
	stream []func()          // reports on their way, in order
	seen   map[string]uint64 // what reads and writes here have told of each ID

	unwatched map[string]bool // what was only created here: the store need not report its changes
}

// pending is an operation of which a step is left.
type pending struct {
	step func() (done bool)
	stop func() // loses patience; nil for those that have none
}

func newWorld(t *testing.T, ctx context.Context, random *rand.Rand) *world {
	w := &world{t: t, ctx: ctx, random: random}
	for range 4 {
		w.records = append(w.records, w.create())
	}
	for name, eviction := range []Eviction{TinyLFU, LRU, KeepOldest} {
		config := Config{MaxEntries: 3, MaxStaleness: modelStaleness, Eviction: eviction}
		if eviction == TinyLFU {
			config.Newborns = nestSlots
			config.MaxEntries += config.Newborns
		} else {
			config.ServeStaleFor = modelServeStale
		}
		cache := New[uint64](config)
		t.Cleanup(cache.Close)
		w.nodes = append(w.nodes, &node{name: fmt.Sprint("node ", name), cache: cache, seen: map[string]uint64{}, unwatched: map[string]bool{}})
	}
	return w
}

func (w *world) create() *record {
	w.created++
	return &record{id: fmt.Sprint("record ", w.created), rev: 1}
}

func (w *world) anyRecord() *record { return w.records[w.random.IntN(len(w.records))] }
func (w *world) anyNode() *node     { return w.nodes[w.random.IntN(len(w.nodes))] }
func (w *world) oneIn(n int) bool   { return w.random.IntN(n) == 0 }

// apply makes a change in the store, and puts its report on the way. It returns
// the revision that the record has now.
func (w *world) apply(r *record) uint64 {
	if r.rev == goneRev {
		return goneRev
	}
	r.rev++
	if w.oneIn(15) {
		r.rev = goneRev
	}
	rev := r.rev
	if rev == goneRev || w.oneIn(5) {
		rev = 0
	}
	for _, n := range w.nodes {
		if !n.cut && !(n.unwatched[r.id] && w.oneIn(2)) {
			n.stream = append(n.stream, func() { n.cache.Changed(r.id, rev) })
		}
	}
	return r.rev
}

// returns says that a change has returned to whom made it.
func (r *record) returns(rev uint64) {
	r.changes = append(r.changes, change{rev, time.Now()})
}

// mark puts on the way that all changes up to now, or a little earlier, have
// been reported.
func (w *world) mark(n *node) {
	if !n.cut {
		asOf := time.Now().Add(-time.Duration(w.random.Int64N(int64(modelStaleness / 10))))
		n.stream = append(n.stream, func() { n.cache.CaughtUp(asOf) })
	}
}

// breaks loses the reports from somewhere in the stream on; the node does not
// know yet.
func (n *node) breaks(random *rand.Rand) {
	n.cut = true
	n.stream = n.stream[:random.IntN(len(n.stream)+1)]
}

// reconnects starts the stream anew; what is left of the old one never comes.
func (n *node) reconnects() {
	n.cut = false
	n.stream = []func(){func() { n.cache.Lost() }}
}

// delivers takes some reports to the node.
func (n *node) delivers(count int) {
	count = min(count, len(n.stream))
	for _, report := range n.stream[:count] {
		report()
	}
	n.stream = slices.Delete(n.stream, 0, count)
}

var errGone = errors.New("gone")

// asks is a read of the store, which answers with what it saw halfway.
func (w *world) asks(n *node, r *record, answer chan<- Outcome[uint64], stop func()) {
	var o Outcome[uint64]
	asked := false
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending = append(w.pending, &pending{stop: stop, step: func() bool {
		if asked {
			answer <- o
			return true
		}
		asked = true
		delete(n.unwatched, r.id)
		switch {
		case w.oneIn(8):
			o = Outcome[uint64]{Err: errUnavailable}
		case r.rev == goneRev:
			o = Outcome[uint64]{Known: true, Err: errGone}
		default:
			o = Outcome[uint64]{Known: true, Rev: r.rev, Entry: NewEntry(r.rev, r.rev, Never, ours)}
		}
		return false
	}})
}

// reads is what a manager's Get does.
func (w *world) reads(n *node, r *record) {
	want := w.demands(n, r, modelStaleness)
	if e, _ := n.cache.Get(r.id, ours); e != nil {
		w.check(want, n, r, e.Rev)
		if e.epoch == unwatched {
			w.newborn++
		}
		if w.oneIn(10) { // its deadline is extended
			n.cache.Replace(e, e.With(e.Value, Never))
		}
		return
	}
	wantStale := w.demands(n, r, modelStaleness+modelServeStale)
	ctx, cancel := context.WithCancel(w.ctx)
	w.readers.Go(func() {
		defer cancel()
		asked := false
		e, _, err := n.cache.Load(ctx, r.id, ours, func(ctx context.Context) Outcome[uint64] {
			asked = true
			answer := make(chan Outcome[uint64], 1)
			w.asks(n, r, answer, cancel)
			select {
			case o := <-answer:
				return o
			case <-ctx.Done():
				return Outcome[uint64]{Err: ctx.Err()}
			}
		})
		w.mu.Lock()
		defer w.mu.Unlock()
		if !asked {
			w.joined++
		}
		switch {
		case err == nil:
			w.check(want, n, r, e.Rev)
		case errors.Is(err, errGone):
			w.check(want, n, r, goneRev)
		case errors.Is(err, errUnavailable):
			if e := n.cache.GetStale(r.id, ours); e != nil {
				w.stale++
				w.check(wantStale, n, r, e.Rev)
			}
		}
	})
}

// creates is what a manager's Generate does: it puts a record in the place of another,
// which the world then forgets. The others may change it before the one who creates it knows that it is there.
func (w *world) creates(n *node, i int) {
	r := w.create()
	ticket := n.cache.Begin(r.id)
	filed := false
	w.pending = append(w.pending, &pending{step: func() bool {
		switch {
		case !filed:
			filed = true
			n.unwatched[r.id] = true
			w.records[i] = r
			return false
		case w.oneIn(10): // no answer
			n.cache.End(ticket, Outcome[uint64]{Known: true, Err: errUnavailable})
		default:
			n.cache.End(ticket, Outcome[uint64]{Known: true, Rev: 1, Entry: NewEntry(uint64(1), 1, Never, ours), Unwatched: true, Newborn: true})
			n.seen[r.id] = max(n.seen[r.id], 1)
		}
		return true
	}})
}

// writes is what a manager's Update and Delete do.
func (w *world) writes(n *node, r *record) {
	ticket := n.cache.Begin(r.id)
	var rev uint64
	applied, failed := false, false
	w.pending = append(w.pending, &pending{step: func() bool {
		switch {
		case !failed && !applied && w.oneIn(10): // no answer; it may be made yet, or never
			failed = true
			n.cache.End(ticket, Outcome[uint64]{Known: true, Err: errUnavailable})
			return w.oneIn(2)
		case !applied:
			applied = true
			delete(n.unwatched, r.id)
			rev = w.apply(r)
			return failed
		case rev == goneRev:
			n.cache.End(ticket, Outcome[uint64]{Known: true})
		default:
			n.cache.End(ticket, Outcome[uint64]{Known: true, Rev: rev, Entry: NewEntry(rev, rev, Never, ours)})
		}
		r.returns(rev)
		n.seen[r.id] = max(n.seen[r.id], rev)
		return true
	}})
}

// writesElsewhere is a change by a process that has no near cache.
func (w *world) writesElsewhere(r *record) {
	rev := w.apply(r)
	w.pending = append(w.pending, &pending{step: func() bool {
		r.returns(rev)
		return true
	}})
}
