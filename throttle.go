package coatcheck

import (
	"sync/atomic"
	"time"
)

// throttle lets something through once a second, such as a line in the log about
// trouble that every call meets.
type throttle struct{ last atomic.Int64 } // in nanoseconds since the Unix epoch

func (t *throttle) due() bool {
	now, last := time.Now().UnixNano(), t.last.Load()
	return now-last >= int64(time.Second) && t.last.CompareAndSwap(last, now)
}
