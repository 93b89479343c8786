package sqlstore

import (
	"context"
	"time"

	"github.com/coatcheck/coatcheck"
)

// sweepBatch is how many rows are swept in one change, so that none waits long.
const sweepBatch = 200

// sweepUntil deletes expired rows and reports them. It is the store's second
// goroutine besides the writer; Close ends both.
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
		for more := true; more; {
			var expired []coatcheck.RecordChange
			err := s.writer.do(ctx, unreported, func(stmts *statements) (answer, failure error) {
				expired, failure = swept(stmts)
				return nil, failure
			})
			if err != nil {
				break // what is left over is absent all the same, and swept later
			}
			if len(expired) > 0 {
				s.writer.watches.report(expired...)
			}
			more = len(expired) == sweepBatch
		}
	}
}

// swept deletes a batch of expired rows and returns what to report of them.
func swept(stmts *statements) (expired []coatcheck.RecordChange, err error) {
	rows, err := stmts.sweep.Query(nowMillis(), sweepBatch)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		change := coatcheck.RecordChange{Expired: true}
		if err := rows.Scan(&change.ID); err != nil {
			return nil, err
		}
		expired = append(expired, change)
	}
	return expired, rows.Err()
}
