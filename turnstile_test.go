package coatcheck

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// enter passes the turnstile and returns how long that took.
func enter(t *testing.T, ts *turnstile, id string) (leave func(), waited time.Duration) {
	t.Helper()
	start := time.Now()
	mine, err := ts.enter(t.Context(), id)
	if err != nil {
		t.Fatalf("enter: %v", err)
	}
	return mine.leave, time.Since(start)
}

func wantNoGates(t *testing.T, ts *turnstile) {
	t.Helper()
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if n := len(ts.gate); n != 0 {
		t.Errorf("%d gates are left behind", n)
	}
}

func TestTurnstileLetsChangesThroughOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ts turnstile
		inside := 0 // guarded by nothing else: the race detector watches too
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				leave, _ := enter(t, &ts, "id")
				defer leave()
				if inside++; inside != 1 {
					t.Errorf("%d are inside", inside)
				}
				time.Sleep(time.Millisecond) // all together less than anybody's patience
				inside--
			})
		}
		wg.Wait()
		wantNoGates(t, &ts)
	})
}

func TestTurnstileKeepsSessionsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ts turnstile
		leaveA, _ := enter(t, &ts, "a")
		leaveB, waited := enter(t, &ts, "b")
		if waited != 0 {
			t.Errorf("a change of one session held up that of another for %v", waited)
		}
		leaveA()
		leaveB()
		wantNoGates(t, &ts)
	})
}

func TestTurnstileLosesPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ts turnstile
		leaveFirst, _ := enter(t, &ts, "id")
		leaveSecond, waited := enter(t, &ts, "id")
		if waited != 250*time.Millisecond {
			t.Errorf("waited %v, want 250ms", waited)
		}
		// Whoever passed without the turn has none to hand on.
		leaveSecond()
		leaveThird, waited := enter(t, &ts, "id")
		if waited != 250*time.Millisecond {
			t.Errorf("waited %v for a turn that nobody handed on, want 250ms", waited)
		}
		// The turn that was taken first is still of use.
		leaveFirst()
		leaveFourth, waited := enter(t, &ts, "id")
		if waited != 0 {
			t.Errorf("waited %v for a turn that was free", waited)
		}
		leaveThird()
		leaveFourth()
		wantNoGates(t, &ts)
	})
}

func TestTurnstileHeedsTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ts turnstile
		leave, _ := enter(t, &ts, "id")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		start := time.Now()
		if _, err := ts.enter(ctx, "id"); err != context.DeadlineExceeded {
			t.Errorf("enter: %v, want the error of the context", err)
		}
		if waited := time.Since(start); waited != 10*time.Millisecond {
			t.Errorf("waited %v, want 10ms", waited)
		}
		leave()
		wantNoGates(t, &ts)
	})
}

func TestTurnstileLeavesNothingBehind(t *testing.T) {
	var ts turnstile
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for n := range 500 {
				ctx := t.Context()
				if n%7 == 0 {
					ctx = ended // gives up, unless it is its turn at once
				}
				if mine, err := ts.enter(ctx, string(rune('a'+i%3))); err == nil {
					mine.leave()
				}
			}
		})
	}
	wg.Wait()
	wantNoGates(t, &ts)
}
