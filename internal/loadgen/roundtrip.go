package loadgen

import (
	"context"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/histogram"
)

// pings are enough for a median, and soon done even on a slow network.
const pings = 21

// RoundTrip returns the median time in which the store answers a Ping, one after
// the other.
func RoundTrip(ctx context.Context, store coatcheck.Store) (time.Duration, error) {
	var h histogram.Histogram
	for range pings {
		sent := time.Now()
		if err := coatcheck.Ping(ctx, store); err != nil {
			return 0, err
		}
		h.Record(time.Since(sent))
	}
	return h.Quantile(0.5), nil
}
