package loadgen

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/histogram"
)

// Result is what was measured.
type Result struct {
	Elapsed    time.Duration // from the begin of the first operation to the end of the last
	Operations []Operation   // of the kinds that the mix has
	Failures   []Failure     // of the classes that there were
	NearCache  NearCache
	NotBegun   uint64 // operations that were due at the Rate while all goroutines were busy
}

// Operation is what was measured of one kind.
type Operation struct {
	Kind    Kind
	Latency *histogram.Histogram // of those that were carried out
	Errors  uint64               // the others
}

// Failure tells of the errors of one class.
type Failure struct {
	Class string // "unavailable", "conflict", "not found" or "other"
	Count uint64
	First string // text of the first one
}

// NearCache counts what the near caches of all nodes did meanwhile: see
// [coatcheck.NearCacheStats].
type NearCache struct{ Hits, Misses, Stale uint64 }

// Succeeded returns how many operations of all kinds were carried out.
func (r *Result) Succeeded() (n uint64) {
	for _, o := range r.Operations {
		n += o.Latency.Count()
	}
	return n
}

// Failed returns how many were not.
func (r *Result) Failed() (n uint64) {
	for _, o := range r.Operations {
		n += o.Errors
	}
	return n
}

// Run does operations for so long, or until ctx ends. Those that have begun by then
// are waited for, and count. It returns an error if all of them have failed, or if it
// has given up before its time because the store cannot be reached.
func (l *Load) Run(ctx context.Context, d time.Duration) (Result, error) {
	before := l.nearCache()
	tallies := make([]*tally, len(l.workers))
	var f failures
	s := &schedule{begin: time.Now(), rate: l.config.Rate}
	limited, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	ended := make(chan time.Time, 1)
	goesOn := context.AfterFunc(limited, func() { ended <- time.Now() })
	err := l.each(limited, func(ctx context.Context, w *worker) error {
		t := &tally{failures: &f}
		tallies[w.number] = t
		return w.work(ctx, s, t)
	})
	if limited.Err() != nil { // and not given up
		err = nil
	}
	r := Result{Elapsed: time.Since(s.begin), Failures: f.all}
	over := r.Elapsed
	if !goesOn() { // what was due while the last ones were waited for was not to begin
		over = (<-ended).Sub(s.begin)
	}

	after := l.nearCache()
	r.NearCache = NearCache{after.Hits - before.Hits, after.Misses - before.Misses, after.Stale - before.Stale}
	var begun uint64
	for kind, parts := range l.config.Mix {
		if parts == 0 {
			continue
		}
		o := Operation{Kind: Kind(kind), Latency: new(histogram.Histogram)}
		for _, t := range tallies {
			o.Latency.Add(t.latency(o.Kind))
			o.Errors += t.errors[kind]
		}
		r.Operations = append(r.Operations, o)
	}
	for _, t := range tallies {
		begun += t.begun
	}
	if due := uint64(math.Ceil(l.config.Rate * min(over, d).Seconds())); due > begun {
		r.NotBegun = due - begun
	}
	if err == nil && r.Succeeded() == 0 && r.Failed() > 0 {
		err = fmt.Errorf("all %d operations have failed: %s", r.Failed(), r.Failures[0].First)
	}
	return r, err
}

func (l *Load) nearCache() (sum NearCache) {
	for _, node := range l.config.Nodes {
		s := node.Stats().NearCache
		sum.Hits += s.Hits
		sum.Misses += s.Misses
		sum.Stale += s.Stale
	}
	return sum
}

// tally is what one goroutine has measured.
type tally struct {
	latencies [kinds]*histogram.Histogram // nil where there is none so far
	errors    [kinds]uint64
	begun     uint64
	failures  *failures // of all goroutines
}

func (t *tally) latency(kind Kind) *histogram.Histogram {
	if t.latencies[kind] == nil {
		t.latencies[kind] = new(histogram.Histogram)
	}
	return t.latencies[kind]
}

// failures counts errors by class.
type failures struct {
	mu  sync.Mutex
	all []Failure // in the order in which they came up
}

func (f *failures) add(err error) {
	class := classOf(err)
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.all {
		if f.all[i].Class == class {
			f.all[i].Count++
			return
		}
	}
	f.all = append(f.all, Failure{Class: class, Count: 1, First: err.Error()})
}

func classOf(err error) string {
	switch {
	case errors.Is(err, coatcheck.ErrUnavailable):
		return "unavailable"
	case errors.Is(err, coatcheck.ErrConflict):
		return "conflict"
	case errors.Is(err, coatcheck.ErrNotFound):
		return "not found"
	default:
		return "other"
	}
}
