package loadgen

import (
	"context"
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
		slow := &slowStore{counted: s, takes: time.Second}
		for i := range l.config.Nodes {
			node, err := coatcheck.New(coatcheck.Config[Value]{Store: slow, NearCache: coatcheck.NearCache{MaxEntries: -1}})
			if err != nil {
				t.Fatal(err)
			}
			l.workers[i].node = node
		}
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

// slowStore takes its time to load.
type slowStore struct {
	*counted
	takes time.Duration
}

func (s *slowStore) Load(ctx context.Context, id string) (coatcheck.Record, error) {
	time.Sleep(s.takes)
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
