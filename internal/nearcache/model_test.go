package nearcache

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var (
	modelSeed  = flag.Uint64("model.seed", 0, "seed of TestModel; 0 for another each time")
	modelSteps = flag.Int("model.steps", 30_000, "steps of TestModel")
)

const (
	modelStaleness  = 100 * time.Millisecond
	modelServeStale = 150 * time.Millisecond
)

// demands are what a read that starts now must see of a record, at least.
type demands struct {
	bounded  uint64 // P1: every change that returned longer ago than the bound
	seenHere uint64 // P2 and P3: what this node has written, or has read
}

func (w *world) demands(n *node, r *record, bound time.Duration) demands {
	d := demands{seenHere: n.seen[r.id], bounded: 1}
	for _, c := range r.changes {
		if time.Since(c.returned) > bound {
			d.bounded = max(d.bounded, c.rev)
		}
	}
	return d
}

// check notes what a read has returned, and whether it may.
func (w *world) check(want demands, n *node, r *record, rev uint64) {
	name := func(rev uint64) string {
		if rev == goneRev {
			return "that it is gone"
		}
		return fmt.Sprint("revision ", rev)
	}
	if rev < want.bounded {
		w.violations = append(w.violations, fmt.Sprintf("P1: %s read %s of %s: %s had returned too long ago",
			n.name, name(rev), r.id, name(want.bounded)))
	}
	if rev < want.seenHere {
		w.violations = append(w.violations, fmt.Sprintf("P2 or P3: %s read %s of %s: it had written or read %s",
			n.name, name(rev), r.id, name(want.seenHere)))
	}
	n.seen[r.id] = max(n.seen[r.id], rev)
}

// takeStep takes one at random.
func (w *world) takeStep() {
	w.mu.Lock()
	w.dispatch()
	w.mu.Unlock()
	synctest.Wait()
}

func (w *world) dispatch() {
	p := w.random.IntN(100)
	if len(w.pending) > 12 {
		p = 99
	}
	switch {
	case p < 35:
		w.reads(w.anyNode(), w.anyRecord())
	case p < 37:
		if e, _ := w.anyNode().cache.Get(w.anyRecord().id, theirs); e != nil {
			w.violations = append(w.violations, "served with a wrong secret")
		}
	case p < 42:
		w.writes(w.anyNode(), w.anyRecord())
	case p < 44:
		w.writesElsewhere(w.anyRecord())
	case p < 54:
		w.mark(w.anyNode())
	case p < 70:
		w.anyNode().delivers(1 + w.random.IntN(6))
	case p < 71:
		w.anyNode().breaks(w.random)
	case p < 72:
		if n := w.anyNode(); n.cut {
			n.reconnects()
		}
	case p < 73:
		if i := w.random.IntN(len(w.records)); w.records[i].rev == goneRev || w.oneIn(4) {
			w.creates(w.anyNode(), i)
		}
	case p < 74:
		w.clears(w.anyNode())
	case p < 75:
		if len(w.pending) > 0 {
			if stop := w.pending[w.random.IntN(len(w.pending))].stop; stop != nil {
				stop()
			}
		}
	default:
		if len(w.pending) > 0 {
			w.proceed(w.random.IntN(len(w.pending)))
		}
	}
}

// clears is rare: an empty cache has nothing to get wrong.
func (w *world) clears(n *node) {
	if w.oneIn(10) {
		n.cache.Clear()
	}
}

// proceed takes one operation a step further.
func (w *world) proceed(i int) {
	o := w.pending[i]
	if o.step() {
		w.pending[i] = w.pending[len(w.pending)-1]
		w.pending = w.pending[:len(w.pending)-1]
	}
}

// finish ends all that is under way.
func (w *world) finish() {
	for len(w.pending) > 0 {
		w.mu.Lock()
		w.proceed(0)
		w.mu.Unlock()
		synctest.Wait()
	}
	w.readers.Wait()
}

// TestModel takes random steps in a world of three nodes, and holds every read
// to the three promises: that its staleness is bounded (P1), that a node sees
// its own writes (P2), and that it never sees a record go back (P3).
func TestModel(t *testing.T) {
	seed := *modelSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("again with: -model.seed=%d -model.steps=%d", seed, *modelSteps)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := newWorld(t, ctx, rand.New(rand.NewPCG(seed, 0)))
		defer w.readers.Wait()
		defer cancel()
		for step := range *modelSteps {
			w.takeStep()
			if len(w.violations) > 0 {
				t.Fatalf("step %d: %s", step, strings.Join(w.violations, "; "))
			}
			wait(w.pause())
		}
		w.finish()
		w.wantEventful()
		for _, n := range w.nodes {
			wantNoTickets(t, n.cache)
		}
	})
}

// pause is short as a rule, and now and then about as long as the bounds.
func (w *world) pause() time.Duration {
	longest := modelStaleness / 100
	if w.oneIn(300) {
		longest = modelStaleness + modelServeStale
	}
	return time.Duration(w.random.Int64N(int64(longest)))
}

// wantEventful demands that what could go wrong has happened: a walk that met
// nothing shows nothing.
func (w *world) wantEventful() {
	var sum Stats
	for _, n := range w.nodes {
		s := n.cache.Stats()
		sum.Hits += s.Hits
		sum.Stale += s.Stale
		sum.Invalidations += s.Invalidations
		sum.Evictions += s.Evictions
		sum.Overtaken += s.Overtaken
		sum.Losses += s.Losses
	}
	least := uint64(*modelSteps / 3000)
	for what, n := range map[string]uint64{
		"hits": sum.Hits, "stale": sum.Stale, "invalidations": sum.Invalidations, "evictions": sum.Evictions,
		"overtaken": sum.Overtaken, "losses": sum.Losses, "joined": uint64(w.joined), "served stale": uint64(w.stale), "newborn": uint64(w.newborn),
	} {
		w.t.Logf("%s: %d", what, n)
		if n < least {
			w.t.Errorf("%s: %d, want %d at least", what, n, least)
		}
	}
}
