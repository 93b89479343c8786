package histogram

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// shares are the quantiles that are looked at.
var shares = []float64{0, 0.001, 0.5, 0.9, 0.99, 0.999, 1}

// TestQuantilesAreWithinTheStatedError compares with the exact quantiles of
// durations of several kinds.
func TestQuantilesAreWithinTheStatedError(t *testing.T) {
	for what, draw := range map[string]func(*rand.Rand) time.Duration{
		"even": func(r *rand.Rand) time.Duration { return time.Duration(r.Int64N(int64(time.Millisecond))) },
		"tailed": func(r *rand.Rand) time.Duration {
			return time.Duration(float64(time.Microsecond) * math.Exp(2*r.NormFloat64()))
		},
		"any size": func(r *rand.Rand) time.Duration { return time.Duration(r.Uint64() >> (1 + r.IntN(63))) },
		"tiny":     func(r *rand.Rand) time.Duration { return time.Duration(r.IntN(3)) },
	} {
		t.Run(what, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			var parts [3]Histogram
			var all []time.Duration
			for i := range 10_000 {
				d := draw(random)
				all = append(all, d)
				parts[i%len(parts)].Record(d)
			}
			var h Histogram
			for i := range parts {
				h.Add(&parts[i])
			}
			slices.Sort(all)
			if h.Count() != uint64(len(all)) || h.Max() != all[len(all)-1] {
				t.Errorf("%d up to %v, want %d up to %v", h.Count(), h.Max(), len(all), all[len(all)-1])
			}
			for _, share := range shares {
				exact := all[max(int(math.Ceil(share*float64(len(all))))-1, 0)]
				if got := h.Quantile(share); got < exact || got-exact > exact/sub {
					t.Errorf("quantile %v is %v, want %v or up to 1/%d more", share, got, exact, sub)
				}
			}
		})
	}
}

// TestEveryDurationHasABucket goes through the edges of the buckets.
func TestEveryDurationHasABucket(t *testing.T) {
	next := uint64(0) // which no bucket has had so far
	for i := range buckets {
		last := upperBound(i)
		if bucket(next) != i || bucket(last) != i {
			t.Fatalf("bucket %d is to hold %d to %d, which are in %d and %d", i, next, last, bucket(next), bucket(last))
		}
		next = last + 1
		if last >= math.MaxInt64 {
			return
		}
	}
	t.Errorf("the last bucket ends at %d", next-1)
}

func TestNothingAndNegative(t *testing.T) {
	var h Histogram
	if h.Quantile(0.5) != 0 || h.Max() != 0 || h.Count() != 0 {
		t.Errorf("of nothing: %v, %v, %d", h.Quantile(0.5), h.Max(), h.Count())
	}
	h.Record(-time.Second)
	if h.Quantile(0.5) != 0 || h.Count() != 1 {
		t.Errorf("of one that is negative: %v, %d", h.Quantile(0.5), h.Count())
	}
}
