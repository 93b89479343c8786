package server

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// outageInterval is how often the log tells of a store that cannot be reached:
// not once a request, which would fill a disk while it lasts.
const outageInterval = time.Second

// outage is what the log has been told of it.
type outage struct {
	told   atomic.Int64  // when last, in nanoseconds since the Unix epoch
	untold atomic.Uint64 // failures since then
}

// log tells of a failure, or counts it. Whoever logs everything hears of each.
func (o *outage) log(ctx context.Context, logger *slog.Logger, err error) {
	now := time.Now().UnixNano()
	told := o.told.Load()
	// A clock that was set back must not silence it.
	due := now-told >= int64(outageInterval) || now < told
	if !due || !o.told.CompareAndSwap(told, now) {
		o.untold.Add(1)
		logger.DebugContext(ctx, "store unavailable", "error", err)
		return
	}
	args := []any{"error", err}
	if n := o.untold.Swap(0); n > 0 {
		args = append(args, "more_since_last", n)
	}
	logger.ErrorContext(ctx, "store unavailable", args...)
}
