// Package outage logs that the store cannot be reached without flooding the log.
package outage

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// interval is how often the log tells of a store that cannot be reached:
// not once a request, which would fill a disk while it lasts.
const interval = time.Second

// Log remembers what a log has been told of an outage. The zero value is ready.
type Log struct {
	told   atomic.Int64  // when last, in nanoseconds since the Unix epoch
	untold atomic.Uint64 // failures since then
}

// Tell tells the logger of a failure, or counts it for the next time. Whoever logs
// everything hears of each.
func (o *Log) Tell(ctx context.Context, logger *slog.Logger, err error) {
	now := time.Now().UnixNano()
	told := o.told.Load()
	// A clock that was set back must not silence it.
	due := now-told >= int64(interval) || now < told
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
