package sqlstore

import (
	"context"
	"time"
)

// sweepBatch is how many rows are swept in one change, so that none waits long.
const sweepBatch = 200

// sweepUntil deletes expired rows. It is the store's second goroutine besides
// the writer; Close ends both.
func (s *Store) sweepUntil(ctx context.Context, interval time.Duration) {
	defer close(s.swept)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for swept := int64(sweepBatch); swept == sweepBatch; {
			err := s.writer.do(ctx, unreported, func(stmts *statements) (answer, failure error) {
				swept, failure = affected(stmts.sweep.Exec(nowMillis(), sweepBatch))
				return nil, failure
			})
			if err != nil {
				break // what is left over is absent all the same, and swept later
			}
		}
	}
}
