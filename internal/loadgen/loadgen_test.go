package loadgen

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
)

// runUntil runs the load until something is so.
func runUntil(t *testing.T, l *Load, holds func() bool) Result {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for !holds() && ctx.Err() == nil {
			time.Sleep(time.Millisecond) // between two looks at the condition
		}
		cancel()
	}()
	r, err := l.Run(ctx, time.Minute)
	if allFailed := r.Succeeded() == 0; (err != nil) != allFailed {
		t.Errorf("%d operations and %d errors are told as error %v", r.Succeeded(), r.Failed(), err)
	}
	return r
}

// more reports whether the load has done so many operations more than by now.
func more(l *Load, n uint64) func() bool {
	total := func() uint64 { done, failed := l.Progress(); return done + failed }
	before := total()
	return func() bool { return total() >= before+n }
}

// TestEachKindIsCountedAsTheStoreDoes runs one kind at a time, for which it is known
// how often the store is to be asked.
func TestEachKindIsCountedAsTheStoreDoes(t *testing.T) {
	for mix, want := range map[string]func(s *counted, n, conflicts, spares uint64) bool{
		"read=1": func(s *counted, n, _, _ uint64) bool { return s.loads.Load() == n },
		"change=1": func(s *counted, n, conflicts, _ uint64) bool {
			return s.updates.Load() == n+conflicts && s.loads.Load() == n+conflicts
		},
		"update=1": func(s *counted, n, conflicts, _ uint64) bool {
			return s.updates.Load() == n+conflicts && s.loads.Load() == n+conflicts
		},
		"refresh=1": func(s *counted, n, _, _ uint64) bool { return s.loads.Load() == n },
		"create=1": func(s *counted, n, _, spares uint64) bool {
			return s.creates.Load() == sessions+n && s.deletes.Load() == n-spares
		},
		"delete=1": func(s *counted, n, _, _ uint64) bool { return s.creates.Load() == sessions+n && s.deletes.Load() == n },
	} {
		t.Run(mix, func(t *testing.T) {
			l, s := open(t, mix, false, nil)
			if err := l.Fill(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := s.living(t); n != sessions || l.Size() != sessions {
				t.Fatalf("%d sessions, and %d by its own count: want %d", n, l.Size(), sessions)
			}
			r := runUntil(t, l, more(l, 1000))
			var conflicts uint64
			for _, node := range l.config.Nodes {
				conflicts += node.Stats().Conflicts
			}
			if len(r.Operations) != 1 || r.Succeeded() < 1000 || r.Failed() > 0 {
				t.Fatalf("%d operations, %d errors: %+v", r.Succeeded(), r.Failed(), r.Failures)
			}
			if !want(s, r.Succeeded(), conflicts, uint64(l.Size()-sessions)) {
				t.Errorf("%d operations and %d conflicts, but %d loads, %d creations, %d updates, %d touches, %d deletions",
					r.Succeeded(), conflicts, s.loads.Load(), s.creates.Load(), s.updates.Load(), s.touches.Load(), s.deletes.Load())
			}
			if n := s.living(t); n != l.Size() || n > 2*sessions {
				t.Errorf("%d sessions, and %d by its own count", n, l.Size())
			}
			if err := l.Clear(t.Context()); err != nil || s.living(t) > 0 || l.Size() > 0 {
				t.Errorf("error %v, %d sessions are left, and %d by its own count", err, s.living(t), l.Size())
			}
		})
	}
}

// TestNearCacheIsCounted: each read is a hit, a miss or stale, of this run only.
func TestNearCacheIsCounted(t *testing.T) {
	l, _ := open(t, "read=1", true, nil)
	if err := l.Fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	runUntil(t, l, more(l, 1000))
	r := runUntil(t, l, more(l, 1000))
	if sum := r.NearCache.Hits + r.NearCache.Misses + r.NearCache.Stale; sum != r.Succeeded() || r.NearCache.Hits == 0 {
		t.Errorf("%d reads and %+v", r.Succeeded(), r.NearCache)
	}
}

// TestMixIsHeeded: the shares are as asked for, but for chance.
func TestMixIsHeeded(t *testing.T) {
	l, _ := open(t, "read=1,refresh=1", true, nil)
	if err := l.Fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := runUntil(t, l, more(l, 20_000))
	if share := float64(r.Operations[0].Latency.Count()) / float64(r.Succeeded()); share < 0.45 || share > 0.55 {
		t.Errorf("%v of the operations are reads, want 0.5", share)
	}
}

// TestSkew: with Zipf the first session is the most popular, else all are alike.
func TestSkew(t *testing.T) {
	for zipf, want := range map[float64]func(first int) bool{
		0:   func(first int) bool { return first < 400 },
		1.5: func(first int) bool { return first > 2000 },
	} {
		pick, counts := (&Config{Sessions: sessions, Zipf: zipf}).picker(), [sessions]int{}
		for range 10_000 {
			counts[pick()]++
		}
		if !want(counts[0]) || counts[sessions-1] == 0 {
			t.Errorf("with %v the sessions are used %v times", zipf, counts)
		}
	}
}

// TestErrorsAreCounted has a store fail in each way, and recover.
func TestErrorsAreCounted(t *testing.T) {
	for class, cause := range map[string]error{
		"unavailable": coatcheck.ErrUnavailable, "conflict": coatcheck.ErrConflict,
		"not found": coatcheck.ErrNotFound, "other": errors.New("out of order"),
	} {
		t.Run(class, func(t *testing.T) {
			l, s := open(t, "read=3,create=1", false, nil)
			if err := l.Fill(t.Context()); err != nil {
				t.Fatal(err)
			}
			cause = fmt.Errorf("no luck: %w", cause)
			s.fail.Store(&cause)
			r := runUntil(t, l, more(l, 20))
			if len(r.Failures) != 1 || r.Succeeded() > 0 || r.Failed() < 20 {
				t.Fatalf("%d operations, %d errors: %+v", r.Succeeded(), r.Failed(), r.Failures)
			}
			if f := r.Failures[0]; f.Class != class || f.Count != r.Failed() || !strings.Contains(f.First, "no luck") {
				t.Errorf("%d errors are told as %+v", r.Failed(), f)
			}
			if class == "not found" {
				return // and Delete takes it for done
			}
			if err := l.Clear(t.Context()); !errors.Is(err, cause) || l.Size() != sessions {
				t.Errorf("Clear: %v, %d sessions are left", err, l.Size())
			}
			s.fail.Store(nil)
			if err := l.Clear(t.Context()); err != nil || s.living(t) > 0 {
				t.Errorf("Clear again: %v, %d sessions are left", err, s.living(t))
			}
		})
	}
}

// TestGivesUp: without a store it ends before its time, but not before others of its
// kind may have taken over, nor because that happens again and again.
func TestGivesUp(t *testing.T) {
	for outage, want := range map[time.Duration]string{
		patience / 2: "",
		time.Hour:    "gave up after 30s without the store: ",
	} {
		t.Run(outage.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, s := open(t, "read=1", false, func(c *Config) { c.Rate = 10 })
				if err := l.Fill(t.Context()); err != nil {
					t.Fatal(err)
				}
				for _, begin := range []time.Duration{time.Second, time.Minute} {
					down := time.AfterFunc(begin, func() { s.fail.Store(&coatcheck.ErrUnavailable) })
					defer down.Stop()
					up := time.AfterFunc(begin+outage, func() { s.fail.Store(nil) })
					defer up.Stop()
				}
				r, err := l.Run(t.Context(), 2*time.Minute)
				if err == nil && want != "" || err != nil && (want == "" || !strings.Contains(err.Error(), want)) {
					t.Errorf("error %v, want %q", err, want)
				}
				if r.Succeeded() == 0 || r.Failed() == 0 || want != "" && r.Elapsed > time.Minute {
					t.Errorf("%d operations and %d errors in %v", r.Succeeded(), r.Failed(), r.Elapsed)
				}
			})
		})
	}
}

// TestInterruptedFillLeavesNothing: what was made by then is known.
func TestInterruptedFillLeavesNothing(t *testing.T) {
	l, s := open(t, "read=1", false, func(c *Config) { c.Sessions = 1_000_000 })
	ctx, cancel := context.WithCancel(t.Context())
	enough := more(l, 10)
	go func() {
		for !enough() {
			time.Sleep(time.Millisecond) // between two looks at the condition
		}
		cancel()
	}()
	if err := l.Fill(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if n := s.living(t); n != l.Size() || n < 10 {
		t.Errorf("%d sessions, and %d by its own count", n, l.Size())
	}
	if err := l.Clear(t.Context()); err != nil || s.living(t) > 0 {
		t.Errorf("error %v, %d sessions are left", err, s.living(t))
	}
}

func TestMixText(t *testing.T) {
	for text, want := range map[string]string{
		"read=80,change=20":  "",
		"delete=1,create=12": "create=12,delete=1",
		"":                   "no kind of operation",
		"read":               "want a number",
		"read=":              "want a number",
		"read=0":             "want a number",
		"read=-1":            "want a number",
		"read=1.5":           "want a number",
		"read=1,":            "no kind of operation",
		"read=1,read=2":      "comes twice",
		"write=1":            "want read, change, update, create, refresh, delete",
		"read=9999999":       "from 1 to 1000000",
	} {
		var m Mix
		err := m.UnmarshalText([]byte(text))
		switch {
		case err == nil && want == "" && m.String() == text:
		case err == nil && want != "" && m.String() == want:
		case err != nil && want != "" && strings.Contains(err.Error(), want):
		default:
			t.Errorf("%q is read as %q, error %v; want %q", text, m, err, want)
		}
	}
}
