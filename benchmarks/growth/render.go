package growth

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"text/template"
	"time"

	"github.com/coatcheck/coatcheck/benchmarks/internal/chart"
)

// Files are contents by name.
type Files map[string][]byte

// Write puts the files into a folder.
func (files Files) Write(folder string) error {
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
			return fmt.Errorf("growth: %w", err)
		}
	}
	return nil
}

//go:embed SCALE.md.tmpl
var page string

// Render returns SCALE.md and the charts in it.
func Render(f *Figures) (Files, error) {
	m, err := f.Slopes()
	if err != nil {
		return nil, err
	}
	files, err := f.charts(m)
	if err != nil {
		return nil, err
	}
	t, err := template.New("SCALE.md").Funcs(template.FuncMap{
		"n": chart.Figure, "int": func(i int) string { return chart.Figure(float64(i)) },
		"percent": percent, "bytes": inBytes, "rate": rate, "duration": duration, "sessions": sessions,
		"kept": kept, "ideal": ideal, "float": func(i int) float64 { return float64(i) },
		"times": func(a, b float64) float64 { return a * b }, "over": func(a, b float64) float64 { return a / b },
	}).Parse(page)
	if err != nil {
		return nil, fmt.Errorf("growth: %w", err)
	}
	all := columns(m)
	var text bytes.Buffer
	err = t.Execute(&text, map[string]any{
		"Figures": f, "Slopes": m, "Scenario": big, "Seldom": seldom,
		"Columns": all, "Rows": rows, "Sticky": all[0], "Anywhere": all[2],
		"Limits": Limits(all[0].Scenario, m), "LimitsAnywhere": Limits(all[2].Scenario, m),
	})
	if err != nil {
		return nil, errors.Join(errors.New("growth: SCALE.md"), err)
	}
	files["SCALE.md"] = text.Bytes()
	return files, nil
}

// row is one line of the model.
type row struct {
	Name, Formula string
	Of            func(Demand) string
}

// rows are what docs/SCALE.md shows of a Demand, in the order of the computation.
var rows = []row{
	{"touches a second", "`S / (touch + S / R)`", func(d Demand) string { return rate(d.Touches) }},
	{"writes a second, *W*", "`change · R + touches`", func(d Demand) string { return rate(d.Changes + d.Touches) }},
	{"share of nodes that keep a session, *k*", "one node: `1`; any: `1 / (1 + (N − 1) · W / R)`", func(d Demand) string { return percent(d.Kept) }},
	{"hits as far as there is room", "one node: `room(N · entries)`; any: `room(entries)`", func(d Demand) string { return percent(d.Room) }},
	{"**hit ratio**", "`k · hits as far as there is room`", func(d Demand) string { return percent(d.HitRatio) }},
	{"misses a second", "`R · (1 − hit ratio) + S / life`", func(d Demand) string { return rate(d.Misses) }},
	{"**commands a second**", "`misses + W + S / life`", func(d Demand) string { return rate(d.Commands) }},
	{"nodes that the server has in mind for a session, *h*", "one node: `1`; any: `k · N`", func(d Demand) string { return chart.Figure(d.Holders) }},
	{"messages a second", "`W · (h − k)`", func(d Demand) string { return rate(d.Messages) }},
	{"… with pub/sub, on each server", "`change · R · N`", func(d Demand) string { return rate(d.PubSub) }},
	{"processors of servers", "`misses · get + W · change + S / life · create + messages · tell`", func(d Demand) string { return chart.Figure(d.Busy) }},
	{"commands for marks a second, on each server", "`N · 4 / MaxStaleness`", func(d Demand) string { return rate(d.Marks) }},
	{"… of the time of each", "`marks · get`", func(d Demand) string { return percent(d.MarkShare) }},
	{"memory for records", "`S · record(value)`", func(d Demand) string { return inBytes(d.RecordBytes) }},
	{"memory for the tracking table", "`S · tracked(h)`", func(d Demand) string { return inBytes(d.TrackingBytes) }},
	{"primaries for the memory", "`memory / that of a server`", func(d Demand) string { return servers(d.ForMemory) }},
	{"primaries for the commands", "`processors / (share that a server may use − marks)`", func(d Demand) string { return servers(d.ForCommands) }},
	{"**primaries**", "the larger", func(d Demand) string { return servers(d.Servers) }},
	{"keys in the tracking table of each server", "`S / primaries`", func(d Demand) string { return chart.Figure(d.TrackedKeys) }},
	{"… and the hit ratio, were they left at a million", "`k · room(at most primaries · 1 M)`", func(d Demand) string { return percent(d.HitAtDefault) }},
	{"connections of each server", "`N · connections`", func(d Demand) string { return chart.Figure(d.Connections) }},
	{"network, all servers", "`(misses + change · R + S / life) · (value + 77) + messages · message + touches · 143 + marks · primaries · 50`", func(d Demand) string { return inBytes(d.NetworkBytes) + "/s" }},
	{"near cache of each node", "`entries · (entry + value)`", func(d Demand) string { return inBytes(d.NearBytes) }},
}

// sessions is of what breaks at so many of them.
func sessions(n float64) string {
	if math.IsInf(n, 0) {
		return "none"
	}
	return chart.Figure(n)
}

func servers(n float64) string {
	if math.IsInf(n, 0) {
		return "none suffices"
	}
	return chart.Figure(n)
}

func percent(share float64) string { return chart.Figure(100*share) + " %" }

func rate(perSecond float64) string { return chart.Figure(perSecond) }

func inBytes(n float64) string {
	for _, unit := range []struct {
		of   float64
		name string
	}{{1e12, "TB"}, {1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}} {
		if n >= unit.of {
			return chart.Figure(n/unit.of) + " " + unit.name
		}
	}
	return chart.Figure(n) + " B"
}

func duration(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	default:
		return fmt.Sprintf("%v s", d.Seconds())
	}
}
