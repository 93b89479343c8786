package benchmarks

import (
	"flag"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck/benchmarks/growth"
	"github.com/coatcheck/coatcheck/benchmarks/internal/quantile"
	"github.com/coatcheck/coatcheck/internal/redistest"
)

var growthWrite = flag.Bool("growth.write", false, "measure at all sizes, and write docs/growth.json and docs/SCALE.md")

// sizes are those at which growth is measured.
type sizes struct {
	held         []int // sessions in the near cache
	rounds       int   // of which each figure in ns is the median
	nodes        []int
	changes      int // whose messages and cost are counted
	races        int // changes whose delay is measured
	routed       int // sessions of which requests go to any node
	requests     int // to them
	values       []int
	filed        int // sessions with such a value
	alone        int // operations of which the server's time is taken
	popular      int // sessions in the trace of a Zipf distribution
	drawn        int // requests in the trace, half of which fill the near cache
	recordValues []int
	records      int
	holders      []int
	tracked      int
}

// growthSizes are those of docs/growth.json.
var growthSizes = sizes{
	held: []int{1_000, 10_000, 100_000, 1_000_000}, rounds: 21,
	nodes: []int{1, 2, 4, 8, 16}, changes: 1000, races: 2000,
	routed: 200, requests: 20_000,
	values: []int{1 << 10, 4 << 10, 16 << 10, 64 << 10}, filed: 16 * maxGoroutines, alone: 5000,
	popular: 1_000_000, drawn: 1_000_000,
	recordValues: []int{64, 256, 1 << 10, 4 << 10}, records: 50_000,
	holders: []int{1, 2, 4, 8, 16}, tracked: 20_000,
}

// fewSizes make sure that all of it works.
var fewSizes = sizes{
	held: []int{1_000, 2_000}, rounds: 1,
	nodes: []int{1, 2, 3}, changes: 10, races: 20,
	routed: 50, requests: 1000,
	values: []int{1 << 10}, filed: maxGoroutines, alone: 200,
	popular: 2000, drawn: 10_000,
	recordValues: []int{64, 256}, records: 1000,
	holders: []int{1, 2}, tracked: 1000,
}

// TestGrowth measures how coatcheck grows, with few sizes but for -growth.write.
func TestGrowth(t *testing.T) {
	at := fewSizes
	if *growthWrite {
		at = growthSizes
	}
	f := &growth.Figures{Machine: machine(t)}
	for _, part := range []struct {
		name    string
		measure func(*testing.T, sizes, *growth.Figures) error
	}{
		{"sessions in the near cache", growNearCache},
		{"messages by nodes", growMessages},
		{"delays by nodes", growDelays},
		{"hit ratio by nodes", growRouting},
		{"operations by size of value", growValues},
		{"hit ratio by size of near cache", growHits},
		{"memory of Redis by size of value", growRecords},
		{"memory of Redis by holders", growTracking},
	} {
		t.Run(part.name, func(t *testing.T) {
			if err := part.measure(t, at, f); err != nil {
				t.Fatal(err)
			}
		})
	}
	if t.Failed() {
		return
	}
	plausible(t, f)
	files, err := growth.Render(f)
	if err != nil {
		t.Fatal(err)
	}
	if *growthWrite {
		if err := f.Save("../docs/growth.json"); err != nil {
			t.Fatal(err)
		}
		if err := files.Write("../docs"); err != nil {
			t.Fatal(err)
		}
	}
}

func machine(t *testing.T) growth.Machine {
	t.Helper()
	redis, err := serverText(redistest.Start(t).Client(), "server", "redis_version")
	if err != nil {
		t.Fatal(err)
	}
	return growth.Machine{Processors: runtime.NumCPU(), Go: runtime.Version(), Redis: redis}
}

// sideBySide returns the medians of so many rounds.
func sideBySide(c contest, rounds int) (ours, rival, ratio float64, err error) {
	return sideBySideBy(c, rounds, time.Now)
}

func sideBySideBy(c contest, rounds int, now func() time.Time) (ours, rival, ratio float64, err error) {
	c.timer, c.now = nobodysTimer{}, now
	n, err := c.size(maxGoroutines)
	if err != nil {
		return 0, 0, 0, err
	}
	var all [3][]float64
	for range rounds {
		ours, rival, err := c.round(n)
		if err != nil {
			return 0, 0, 0, err
		}
		of := float64(n)
		for i, figure := range []float64{float64(ours) / of, float64(rival) / of, float64(rival) / float64(max(ours, 1))} {
			all[i] = append(all[i], figure)
		}
	}
	return median(all[0]), median(all[1]), median(all[2]), nil
}

type nobodysTimer struct{}

func (nobodysTimer) StartTimer() {}
func (nobodysTimer) StopTimer()  {}

func median(figures []float64) float64 {
	slices.Sort(figures)
	return quantile.Of(figures, 0.5)
}
