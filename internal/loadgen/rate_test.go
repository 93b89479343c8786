package loadgen

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
)

// TestOpenLoopCountsFromWhenItWasDue: a store that takes 1 s, 2 callers and 4
// operations a second, for which there would have to be 4.
func TestOpenLoopCountsFromWhenItWasDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := open(t, "read=1", false, func(c *Config) { c.Goroutines, c.Rate = 2, 4 })
		if err := l.Fill(t.Context()); err != nil {
			t.Fatal(err)
		}
		slowDown(t, l, s, func() time.Duration { return time.Second })
		r, err := l.Run(t.Context(), 2900*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		// Begun at 0, 0.25; 1, 1.25; 2, 2.25 and due at 0, 0.25; 0.5, 0.75; 1, 1.25.
		h := r.Operations[0].Latency
		if h.Count() != 6 || h.Max() != 2*time.Second {
			t.Errorf("%d operations of up to %v, want 6 of up to 2s", h.Count(), h.Max())
		}
		if r.NotBegun != 6 {
			t.Errorf("%d of the 12 that were due are told as not begun, want 6", r.NotBegun)
		}
	})
}

// TestSlowOperationDelaysNoOthers: one takes 5 s, and seven other goroutines are free.
func TestSlowOperationDelaysNoOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := open(t, "read=1", false, func(c *Config) { c.Goroutines, c.Rate = 8, 8 })
		if err := l.Fill(t.Context()); err != nil {
			t.Fatal(err)
		}
		var first sync.Once
		slowDown(t, l, s, func() (takes time.Duration) {
			first.Do(func() { takes = 5 * time.Second })
			return takes
		})
		r, err := l.Run(t.Context(), 9995*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		h := r.Operations[0].Latency
		if others := h.Quantile(79. / 80); h.Count() != 80 || h.Max() != 5*time.Second || others != 0 {
			t.Errorf("%d operations of up to %v, the others up to %v: want 80, one of 5s and 79 of 0s", h.Count(), h.Max(), others)
		}
	})
}

// TestNotBegunEndsWithTheRun: what is due while an interrupted run waits for the last
// call was never to begin.
func TestNotBegunEndsWithTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := open(t, "read=1", false, func(c *Config) { c.Goroutines, c.Rate = 1, 1 })
		if err := l.Fill(t.Context()); err != nil {
			t.Fatal(err)
		}
		slowDown(t, l, s, func() time.Duration { return 10 * time.Second })
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		r, err := l.Run(ctx, time.Minute)
		// Due at 0, 1, 2 and 3 s, of which the first was begun.
		if err != nil || r.Elapsed != 10*time.Second || r.NotBegun != 3 {
			t.Errorf("%d are told as not begun in %v, want 3 (error %v)", r.NotBegun, r.Elapsed, err)
		}
	})
}

// slowDown has the load's reads take their time.
func slowDown(t *testing.T, l *Load, s *counted, takes func() time.Duration) {
	t.Helper()
	node, err := coatcheck.New(coatcheck.Config[Value]{
		Store:     &slowStore{counted: s, takes: takes},
		NearCache: coatcheck.NearCache{MaxEntries: -1},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Close() })
	for _, w := range l.workers {
		w.node = node
	}
}

// slowStore takes its time to load.
type slowStore struct {
	*counted
	takes func() time.Duration
}

func (s *slowStore) Load(ctx context.Context, id string) (coatcheck.Record, error) {
	time.Sleep(s.takes())
	return s.counted.Load(ctx, id)
}

// TestOpenLoopIsNoFasterThanAsked: a store that takes no time.
func TestOpenLoopIsNoFasterThanAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := open(t, "read=1", false, func(c *Config) { c.Rate = 100 })
		if err := l.Fill(t.Context()); err != nil {
			t.Fatal(err)
		}
		r, err := l.Run(t.Context(), 9995*time.Millisecond)
		if err != nil || r.Succeeded() != 1000 || r.NotBegun != 0 || r.Operations[0].Latency.Max() != 0 {
			t.Errorf("%d operations of up to %v, %d not begun: want 1000 of 0s", r.Succeeded(), r.Operations[0].Latency.Max(), r.NotBegun)
		}
	})
}
