package loadgen

import (
	"context"
	"sync/atomic"
	"time"
)

// schedule says when the operations of a run are due. Any goroutine takes the next
// one when it is free: were they dealt out beforehand, a slow one would delay others
// while there are goroutines with nothing to do.
type schedule struct {
	begin time.Time
	rate  float64 // 0 for a closed loop
	taken atomic.Int64
}

// await takes the next operation, and returns when it is due, and the time from which
// on it counts. If all goroutines were busy when it was due, it counts from then on
// all the same: who came for it would have waited. If ctx ends before, it is not to
// begin.
func (s *schedule) await(ctx context.Context) (from time.Time, due bool) {
	now := time.Now()
	if s.rate == 0 {
		return now, true
	}
	n := s.taken.Add(1) - 1
	from = s.begin.Add(time.Duration(float64(n) / s.rate * float64(time.Second)))
	if !now.Before(from) {
		return from, true
	}
	due = pause(ctx, from.Sub(now))
	return time.Now(), due // that a timer is late is nothing of the store's
}

// pause waits, and reports whether ctx has not ended before.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
