package growth

import (
	"fmt"
	"slices"

	"github.com/coatcheck/coatcheck/benchmarks/internal/chart"
)

// charts returns the drawings of docs/SCALE.md by file name.
func (f *Figures) charts(m Slopes) (Files, error) {
	messages, err := f.messagesChart()
	return Files{
		"scale-near-cache.svg": f.nearCacheChart().SVG(),
		"scale-messages.svg":   messages.SVG(),
		"scale-delays.svg":     f.delaysChart().SVG(),
		"scale-routing.svg":    f.routingChart().SVG(),
		"scale-values.svg":     f.valuesChart().SVG(),
		"scale-hits.svg":       f.hitsChart(false).SVG(),
		"scale-scans.svg":      f.hitsChart(true).SVG(),
		"scale-servers.svg":    serversChart(m).SVG(),
	}, err
}

func (f *Figures) nearCacheChart() chart.Curves {
	var get, otter chart.Series
	get.Name, otter.Name = "Manager.Get", "bare otter"
	for _, n := range f.NearCache {
		get.Points = append(get.Points, chart.Point{X: float64(n.Sessions), Y: n.GetNanos})
		otter.Points = append(otter.Points, chart.Point{X: float64(n.Sessions), Y: n.OtterNanos})
	}
	return chart.Curves{
		Title: "A read from memory", Subtitle: "of any of the sessions that the near cache holds",
		X: chart.Axis{Title: "sessions in the near cache", Log: true}, Y: chart.Axis{Title: "ns"},
		Series: []chart.Series{get, otter},
	}
}

func (f *Figures) messagesChart() (chart.Curves, error) {
	c := chart.Curves{
		Title: "Messages that a change costs",
		X:     f.nodesAxis(), Y: chart.Axis{Title: "messages"},
	}
	for _, s := range []struct {
		name, invalidation string
		holds              func(Messages) bool
	}{
		{"pub/sub", pubsub, func(m Messages) bool { return m.Holders == 0 }},
		{"tracking, all hold it", tracking, func(m Messages) bool { return m.Holders == m.Nodes-1 }},
		{"tracking, one other does", tracking, func(m Messages) bool { return m.Holders == 1 }},
		{"tracking, no other does", tracking, func(m Messages) bool { return m.Holders == 0 }},
	} {
		series := chart.Series{Name: s.name}
		for _, m := range f.Messages {
			if m.Invalidation == s.invalidation && s.holds(m) {
				n, err := f.messages(m)
				if err != nil {
					return c, err
				}
				series.Points = append(series.Points, chart.Point{X: float64(m.Nodes), Y: n})
			}
		}
		c.Series = append(c.Series, series)
	}
	return c, nil
}

func (f *Figures) delaysChart() chart.Curves {
	c := chart.Curves{
		Title:    "How long after a change another node would serve the old value",
		Subtitle: "all nodes hold it, and share the machine with the server",
		X:        f.nodesAxis(), Y: chart.Axis{Title: "µs"},
	}
	for _, invalidation := range []string{tracking, pubsub} {
		p50, p99 := chart.Series{Name: invalidation + ", p50"}, chart.Series{Name: invalidation + ", p99"}
		for _, d := range f.Delays {
			if d.Invalidation == invalidation {
				p50.Points = append(p50.Points, chart.Point{X: float64(d.Nodes), Y: d.P50Micros})
				p99.Points = append(p99.Points, chart.Point{X: float64(d.Nodes), Y: d.P99Micros})
			}
		}
		c.Series = append(c.Series, p50, p99)
	}
	return c
}

// nodesAxis has a tick for each number of nodes that was measured.
func (f *Figures) nodesAxis() chart.Axis {
	a := chart.Axis{Title: "nodes", Log: true}
	for _, m := range f.Messages {
		a.Ticks = append(a.Ticks, float64(m.Nodes))
	}
	slices.Sort(a.Ticks)
	a.Ticks = slices.Compact(a.Ticks)
	return a
}

// routingChart has the formula beside what was measured.
func (f *Figures) routingChart() chart.Curves {
	c := chart.Curves{
		Title:    "Hits where each request goes to any node",
		Subtitle: "dots: measured; dashed: 1 / (1 + (nodes − 1) · share of changes)",
		X:        chart.Axis{Title: "nodes", Log: true, Ticks: []float64{1, 4, 16, 64, 250, 1000}},
		Y:        chart.Axis{Title: "% of the reads", Ticks: percents},
	}
	var shares []float64
	for _, r := range f.Routing {
		if !slices.Contains(shares, r.ChangeShare) {
			shares = append(shares, r.ChangeShare)
		}
	}
	for _, share := range shares {
		measured := chart.Series{Name: percent(share) + " change"}
		formula := chart.Series{Name: measured.Name, Dashed: true}
		for _, r := range f.Routing {
			if r.ChangeShare == share {
				measured.Points = append(measured.Points, chart.Point{X: float64(r.Nodes), Y: 100 * r.HitRatio})
			}
		}
		for nodes := 1.0; nodes < 1100; nodes *= 1.3 {
			formula.Points = append(formula.Points, chart.Point{X: min(nodes, 1000), Y: 100 * kept(min(nodes, 1000), share)})
		}
		c.Series = append(c.Series, measured, formula)
	}
	return c
}

var percents = []float64{0, 20, 40, 60, 80, 100}

func (f *Figures) valuesChart() chart.Curves {
	c := chart.Curves{
		Title: "Operations by the size of the value", Subtitle: "on Redis by 64 goroutines, the cached Get by one; time an operation",
		X: chart.Axis{Title: "KiB of JSON", Log: true}, Y: chart.Axis{Title: "µs", Log: true},
	}
	for _, operation := range []string{Generate, Change, MissedGet, CachedGet} {
		series := chart.Series{Name: operation}
		for _, v := range f.Values {
			if v.Operation == operation {
				kib := float64(v.Bytes) / 1024
				series.Points = append(series.Points, chart.Point{X: kib, Y: v.Nanos / 1000})
				if !slices.Contains(c.X.Ticks, kib) {
					c.X.Ticks = append(c.X.Ticks, kib)
				}
			}
		}
		c.Series = append(c.Series, series)
	}
	return c
}

// hitsChart is of the exponent that the model takes.
func (f *Figures) hitsChart(scans bool) chart.Curves {
	c := chart.Curves{
		Title:    "Hits by the room in the near cache",
		Subtitle: fmt.Sprintf("Zipf with the exponent %v, %s sessions", modelZipf, chart.Figure(float64(f.Hits[0].Sessions))),
		X:        chart.Axis{Title: "% of the sessions for which there is room"}, Y: chart.Axis{Title: "% of the reads", Ticks: percents},
	}
	if scans {
		c.Title += ", while others look at many sessions in a row"
	}
	most := chart.Series{Name: "the most popular", Dashed: true}
	for _, eviction := range []string{tinyLFU, "LRU", "KeepOldest"} {
		series := chart.Series{Name: eviction}
		for _, h := range f.Hits {
			if h.Eviction != eviction || h.Zipf != modelZipf || h.Scans != scans {
				continue
			}
			series.Points = append(series.Points, chart.Point{X: 100 * h.CacheShare, Y: 100 * h.HitRatio})
			if eviction == tinyLFU {
				n := float64(h.Sessions)
				most.Points = append(most.Points, chart.Point{X: 100 * h.CacheShare, Y: 100 * ideal(h.CacheShare*n, n, h.Zipf)})
			}
		}
		c.Series = append(c.Series, series)
	}
	c.Series = append(c.Series, most)
	return c
}

// serversChart has requests and nodes grow with the sessions.
func serversChart(m Slopes) chart.Curves {
	c := chart.Curves{
		Title: "Servers that the model asks for", Subtitle: "requests and nodes in proportion to the sessions; computed, not measured",
		X: chart.Axis{Title: "sessions", Log: true}, Y: chart.Axis{Title: "Redis primaries", Log: true},
	}
	for _, one := range columns(m) {
		series := chart.Series{Name: one.Name, Dashed: true}
		for share := 0.01; share < 1.2; share *= 1.333521432 { // 16 steps to 1
			s := scaled(one.Scenario, share)
			series.Points = append(series.Points, chart.Point{X: s.Sessions, Y: Model(s, m).Servers})
		}
		c.Series = append(c.Series, series)
	}
	return c
}
