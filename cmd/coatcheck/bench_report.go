package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"text/tabwriter"
	"time"

	"github.com/coatcheck/coatcheck/internal/histogram"
	"github.com/coatcheck/coatcheck/internal/loadgen"
)

// benchReport is what bench prints. Its JSON has durations in nanoseconds.
type benchReport struct {
	Version     string         `json:"version"`
	Store       string         `json:"store"`
	Load        benchLoad      `json:"load"`
	Interrupted bool           `json:"interrupted"`
	Elapsed     time.Duration  `json:"elapsed_ns"`
	Operations  []benchRow     `json:"operations"`
	All         benchRow       `json:"all"`
	NotBegun    uint64         `json:"not_begun"`
	Errors      []benchFailure `json:"errors"`
	NearCache   benchNearCache `json:"near_cache"`

	// RoundTrip is 0 for a store in this process.
	RoundTrip time.Duration `json:"store_round_trip_p50_ns,omitzero"`

	// Elsewhere is nil with one node, without a near cache, and if no change was counted.
	Elsewhere *benchElsewhere `json:"change_served_elsewhere"`

	description string // of the load, in words
}

// benchLoad says what the load was.
type benchLoad struct {
	Mix              string        `json:"mix"`
	Rate             float64       `json:"rate"`
	Goroutines       int           `json:"goroutines"`
	Nodes            int           `json:"nodes"`
	Sessions         int           `json:"sessions"`
	ValueBytes       int           `json:"value_bytes"`
	Zipf             float64       `json:"zipf"`
	NearCacheEntries int           `json:"near_cache_entries"`
	MaxStaleness     time.Duration `json:"max_staleness_ns"`
}

// benchRow is of one kind of operation, or of all. The quantiles are of those that
// were carried out, which are counted; the errors are the others.
type benchRow struct {
	Kind      string        `json:"kind"`
	Count     uint64        `json:"count"`
	PerSecond float64       `json:"per_second"`
	Errors    uint64        `json:"errors"`
	P50       time.Duration `json:"p50_ns"`
	P90       time.Duration `json:"p90_ns"`
	P99       time.Duration `json:"p99_ns"`
	P999      time.Duration `json:"p99_9_ns"`
	Max       time.Duration `json:"max_ns"`
}

// benchFailure tells of the errors of one class.
type benchFailure struct {
	Class string `json:"class"`
	Count uint64 `json:"count"`
	First string `json:"first"`
}

// benchNearCache counts what the near caches did.
type benchNearCache struct {
	Hits     uint64  `json:"hits"`
	Misses   uint64  `json:"misses"`
	Stale    uint64  `json:"stale"`
	HitRatio float64 `json:"hit_ratio"` // 0 if nothing was looked up
}

// benchElsewhere says when a change was served by another node, after it had returned.
type benchElsewhere struct {
	Changes uint64        `json:"changes"`
	P50     time.Duration `json:"p50_ns"`
	P90     time.Duration `json:"p90_ns"`
	P99     time.Duration `json:"p99_ns"`
	Max     time.Duration `json:"max_ns"`
}

func newBenchReport(b *bench, r loadgen.Result, roundTrip time.Duration, interrupted bool) *benchReport {
	c := b.command
	report := &benchReport{
		Version: version(), Store: b.storeName, Interrupted: interrupted,
		Load: benchLoad{
			Mix: c.Mix.String(), Rate: c.Rate, Goroutines: c.Goroutines, Nodes: c.Nodes, Sessions: c.Sessions,
			ValueBytes: c.ValueBytes, Zipf: c.Zipf, NearCacheEntries: int(c.NearCacheEntries), MaxStaleness: time.Duration(c.MaxStaleness),
		},
		Elapsed: r.Elapsed, NotBegun: r.NotBegun, RoundTrip: roundTrip,
		NearCache:   benchNearCache{Hits: r.NearCache.Hits, Misses: r.NearCache.Misses, Stale: r.NearCache.Stale},
		Errors:      []benchFailure{},
		description: c.load(),
	}
	var all histogram.Histogram
	for _, o := range r.Operations {
		report.Operations = append(report.Operations, newBenchRow(o.Kind.String(), o.Latency, o.Errors, r.Elapsed))
		all.Add(o.Latency)
	}
	report.All = newBenchRow("all", &all, r.Failed(), r.Elapsed)
	for _, f := range r.Failures {
		report.Errors = append(report.Errors, benchFailure(f))
	}
	if lookups := r.NearCache.Hits + r.NearCache.Misses + r.NearCache.Stale; lookups > 0 {
		report.NearCache.HitRatio = float64(r.NearCache.Hits) / float64(lookups)
	}
	return report
}

func newBenchRow(kind string, h *histogram.Histogram, errors uint64, elapsed time.Duration) benchRow {
	return benchRow{
		Kind: kind, Count: h.Count(), PerSecond: float64(h.Count()) / elapsed.Seconds(), Errors: errors,
		P50: h.Quantile(0.5), P90: h.Quantile(0.9), P99: h.Quantile(0.99), P999: h.Quantile(0.999), Max: h.Max(),
	}
}

func (r *benchReport) write(w io.Writer, format string) error {
	if format == "json" {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(r)
	}
	return r.writeTable(w)
}

func (r *benchReport) writeTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	interrupted := ""
	if r.Interrupted {
		interrupted = ", interrupted"
	}
	fmt.Fprintf(t, "%s\n%s\n%s of %d bytes, %v%s\n\n",
		r.Store, r.description, number(r.Load.Sessions, "session"), r.Load.ValueBytes, r.Elapsed.Round(10*time.Millisecond), interrupted)
	fmt.Fprint(t, "operation\tcount\tper second\terrors\tp50\tp90\tp99\tp99.9\tmax\t\n")
	for _, row := range append(r.Operations, r.All) {
		fmt.Fprintf(t, "%s\t%d\t%.0f\t%d\t%s\t%s\t%s\t%s\t%s\t\n", row.Kind, row.Count, row.PerSecond, row.Errors,
			rounded(row.P50), rounded(row.P90), rounded(row.P99), rounded(row.P999), rounded(row.Max))
	}
	fmt.Fprintln(t)
	if r.NotBegun > 0 {
		fmt.Fprintf(t, "%d operations were due and not begun: all goroutines were busy\n", r.NotBegun)
	}
	if r.Load.NearCacheEntries > 0 {
		fmt.Fprintf(t, "near cache: %d hits, %d misses, %d stale: %.1f %% hits\n",
			r.NearCache.Hits, r.NearCache.Misses, r.NearCache.Stale, 100*r.NearCache.HitRatio)
	}
	if r.RoundTrip > 0 {
		fmt.Fprintf(t, "round trip to the store: %s\n", rounded(r.RoundTrip))
	}
	if e := r.Elsewhere; e != nil {
		fmt.Fprintf(t, "a change is served by another node after: %s (p50), %s (p90), %s (p99), %s (max) of %d, without load\n",
			rounded(e.P50), rounded(e.P90), rounded(e.P99), rounded(e.Max), e.Changes)
	}
	for _, f := range r.Errors {
		fmt.Fprintf(t, "%s, %s, the first: %s\n", number(int(f.Count), "error"), f.Class, f.First)
	}
	return t.Flush()
}

// rounded returns a duration with three digits that count.
func rounded(d time.Duration) string {
	if d < time.Microsecond {
		return d.String()
	}
	digits := int(math.Log10(float64(d))) + 1
	return d.Round(time.Duration(math.Pow10(digits - 3))).String()
}
