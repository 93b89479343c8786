package benchmarks

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck/benchmarks/internal/quantile"
)

// roundTime is about how long a round of ours takes: long enough for the clock
// and the start of the goroutines not to matter, short enough for both sides
// of a round to meet the same weather on a machine that does other work too.
const roundTime = 50 * time.Millisecond

// maxGoroutines is how many goroutines "at once" means.
const maxGoroutines = 64

// workload does n operations, numbered from first, and returns when the last
// of them is done.
type workload func(first, n int) error

// spread divides the operations among goroutines as cards are dealt. So no two
// of them work on the same key at once, as long as an operation's key is its
// number modulo a multiple of goroutines.
func spread(goroutines int, do func(i int) error) workload {
	return func(first, n int) error {
		errs := make([]error, min(goroutines, n))
		var group sync.WaitGroup
		for g := range errs {
			group.Go(func() {
				for i := first + g; i < first+n; i += goroutines {
					if err := do(i); err != nil {
						errs[g] = err
						return
					}
				}
			})
		}
		group.Wait()
		return errors.Join(errs...)
	}
}

// contest measures two workloads in short rounds, in each of which both do the
// same number of operations, one after the other.
type contest struct {
	ours, rival workload
	between     func() error // called before each round, unmeasured; may be nil

	// level has a much faster rival do a multiple of the operations: in a round
	// of a few hundred of them it would measure the start of its goroutines.
	level bool
	times int // that multiple, once it is known

	timer interface {
		StartTimer()
		StopTimer()
	} // runs for ours only
	now  func() time.Time
	next int // number of the next operation
	swap bool
}

// result is what a contest came to.
type result struct {
	ops    int
	rival  time.Duration // taken by all rounds of the rival
	ratios []float64     // throughput of ours / that of the rival, of each round, ascending
}

// play does ops operations in rounds of size operations; what is left over is
// done in the last round.
func (c *contest) play(ops, size int) (result, error) {
	r := result{ops: ops}
	for left := ops; left > 0; {
		n := size
		if left < 2*size {
			n = left
		}
		left -= n
		ours, rival, err := c.round(n)
		if err != nil {
			return r, err
		}
		r.rival += rival
		r.ratios = append(r.ratios, float64(max(rival, 1))/float64(max(ours, 1)))
	}
	slices.Sort(r.ratios)
	return r, nil
}

// round has both sides do n operations. They take turns at going first, for
// who goes second pays for some of the other's garbage.
func (c *contest) round(n int) (ours, rival time.Duration, err error) {
	if c.between != nil {
		if err := c.between(); err != nil {
			return 0, 0, err
		}
	}
	first := c.next
	c.next += n
	playOurs := func() {
		c.timer.StartTimer()
		ours, err = c.clock(c.ours, first, n)
		c.timer.StopTimer()
	}
	if !c.swap {
		playOurs()
	}
	times := max(c.times, 1)
	var rivalErr error
	rival, rivalErr = c.clock(c.rival, first*times, n*times)
	rival /= time.Duration(times)
	if c.swap {
		playOurs()
	}
	c.swap = !c.swap
	return ours, rival, errors.Join(err, rivalErr)
}

func (c *contest) clock(w workload, first, n int) (time.Duration, error) {
	start := c.now()
	err := w(first, n)
	return c.now().Sub(start), err
}

// size finds how many operations, a multiple of unit, make a round of about
// roundTime. It warms both sides up, too.
func (c *contest) size(unit int) (int, error) {
	for n := unit; ; n *= 2 {
		took, rival, err := c.round(n)
		if err != nil {
			return 0, err
		}
		if took >= roundTime/2 {
			if c.level {
				c.times = int(took / max(rival, 1))
			}
			units := int(float64(n) * float64(roundTime) / float64(took) / float64(unit))
			return max(units, 1) * unit, nil
		}
	}
}

// quantile returns the share-quantile of the rounds' ratios: 0.5 is the median.
func (r *result) quantile(share float64) float64 {
	return quantile.Of(r.ratios, share)
}

// run plays the contest as a benchmark. Its ns/op, B/op and allocs/op are those
// of ours alone; README.md says what the other metrics are.
func (c contest) run(b *testing.B, name, rival string) {
	c.runAs(b, name, func(b *testing.B, r *result) { r.report(b, rival) })
}

func (r *result) report(b *testing.B, rival string) {
	b.ReportMetric(float64(r.rival.Nanoseconds())/float64(r.ops), rival+"-ns/op")
	b.ReportMetric(r.quantile(0.5), "x-"+rival)
	b.ReportMetric(r.quantile(0.25), "x-"+rival+"-q1")
	b.ReportMetric(r.quantile(0.75), "x-"+rival+"-q3")
}

// runAs is run with metrics of the caller's choice.
func (c contest) runAs(b *testing.B, name string, report func(*testing.B, *result)) {
	size := 0
	b.Run(name, func(b *testing.B) {
		b.StopTimer()
		c.timer, c.now = b, time.Now
		var err error
		if size == 0 { // package testing calls this several times
			if size, err = c.size(maxGoroutines); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportAllocs()
		b.ResetTimer()
		r, err := c.play(b.N, size)
		if err != nil {
			b.Fatal(err)
		}
		report(b, &r)
	})
}
