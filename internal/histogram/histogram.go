// Package histogram counts durations in bounded memory, for quantiles of any
// number of them.
package histogram

import (
	"math"
	"math/bits"
	"time"
)

const (
	subBits = 6 // 64 buckets for each power of two
	sub     = 1 << subBits

	// buckets are enough for any duration of an int64.
	buckets = (64 - subBits) * sub
)

// Histogram counts durations in buckets that are at most 1/64 of their lower bound
// wide. It takes 29 KiB, whatever it counts. The zero value is empty. It is not
// safe for concurrent use: have one for each goroutine, and Add them up.
type Histogram struct {
	counts [buckets]uint64
	n      uint64
	max    time.Duration
}

// Record counts a duration; a negative one, which only a clock that was set back
// can tell, as 0.
func (h *Histogram) Record(d time.Duration) {
	d = max(d, 0)
	h.counts[bucket(uint64(d))]++
	h.n++
	h.max = max(h.max, d)
}

// Add counts all that the other one has counted.
func (h *Histogram) Add(other *Histogram) {
	for i, n := range &other.counts {
		h.counts[i] += n
	}
	h.n += other.n
	h.max = max(h.max, other.max)
}

// Count returns how many durations were recorded.
func (h *Histogram) Count() uint64 { return h.n }

// Max returns the longest duration, exactly, or 0 if there is none.
func (h *Histogram) Max() time.Duration { return h.max }

// Quantile returns a duration that this share of all, from 0 to 1, did not exceed.
// It is the smallest there is or at most 1/64 above it. Of nothing it is 0.
func (h *Histogram) Quantile(share float64) time.Duration {
	rank := max(uint64(math.Ceil(share*float64(h.n))), 1)
	var seen uint64
	for i, n := range &h.counts {
		if seen += n; seen >= rank {
			return min(time.Duration(upperBound(i)), h.max)
		}
	}
	return h.max
}

// bucket returns where a value is counted. Values below 128 have buckets of their
// own; of all others the seven leading bits decide.
func bucket(v uint64) int {
	shift := max(bits.Len64(v)-subBits-1, 0)
	return shift<<subBits + int(v>>shift)
}

// upperBound returns the largest value of a bucket.
func upperBound(i int) uint64 {
	shift := max(i>>subBits-1, 0)
	return uint64(i-shift<<subBits+1)<<shift - 1
}
