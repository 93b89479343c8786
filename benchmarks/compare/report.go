package compare

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"math"
	"slices"
	"strings"
	"text/template"

	"github.com/coatcheck/coatcheck/benchmarks/internal/chart"
)

//go:embed report.md.tmpl
var reportText string

var reportTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"size": size, "crowd": crowded, "figure": chart.Figure, "duration": duration, "capital": capital,
}).Parse(reportText))

// Documents returns the report and its drawings, by the names of their files.
func (r *Results) Documents() (map[string][]byte, error) {
	var report bytes.Buffer
	if err := reportTemplate.Execute(&report, r); err != nil {
		return nil, fmt.Errorf("writing the report: %w", err)
	}
	documents := map[string][]byte{"COMPARISON.md": report.Bytes()}
	for _, work := range mainOnes {
		documents[drawing(work)] = r.bars(work).SVG()
	}
	return documents, nil
}

func drawing(work string) string { return "compare-" + work + ".svg" }

// bars draws a main work in the middle of all comparisons, the fastest first.
func (r *Results) bars(work string) chart.Bars {
	cell := r.Cell(work, baseValue, baseClients)
	bars := chart.Bars{
		Title:    fmt.Sprintf("%s a session of %s, %s at once", capital(work), size(baseValue), crowded(baseClients)),
		Subtitle: "a request's share of the time; median and quartiles of the rounds; less is better",
	}
	for _, s := range cell.Fastest() {
		bars.Rows = append(bars.Rows, chart.Bar{
			Label: s.Subject, Text: duration(s.Nanoseconds.Median), Highlight: ours(s.Subject),
			Value: s.Nanoseconds.Median, Low: s.Nanoseconds.Q1, High: s.Nanoseconds.Q3,
		})
	}
	return bars
}

// Base returns the cells of all works in the middle of all comparisons.
func (r *Results) Base() []Cell {
	return slices.DeleteFunc(slices.Clone(r.Cells), func(c Cell) bool {
		return c.Value != baseValue || c.Clients != baseClients
	})
}

// Fastest returns the standings by time.
func (c *Cell) Fastest() []Standing {
	return slices.SortedStableFunc(slices.Values(c.Standings), func(a, b Standing) int {
		return cmp.Compare(a.Nanoseconds.Median, b.Nanoseconds.Median)
	})
}

// Rows returns the cells of a table, the fastest subject first. What others do
// better than coatcheck is bold.
func (c Cell) Rows() [][]string {
	own := c.standing(c.Yardstick)
	var rows [][]string
	for _, s := range c.Fastest() {
		better := func(less bool, text string) string { return bold(less && !ours(s.Subject), text) }
		rows = append(rows, []string{
			better(s.Times.Median < 1, s.Subject),
			better(s.Times.Median < 1, duration(s.Nanoseconds.Median)),
			duration(s.Nanoseconds.Q1) + " to " + duration(s.Nanoseconds.Q3),
			better(s.Times.Median < 1, chart.Figure(s.Times.Median)),
			chart.Figure(s.Times.Q1) + " to " + chart.Figure(s.Times.Q3),
			better(math.Round(s.Allocs) < math.Round(own.Allocs), chart.Figure(math.Round(s.Allocs))),
			better(math.Round(s.Bytes) < math.Round(own.Bytes), chart.Figure(math.Round(s.Bytes))),
			fmt.Sprintf("%.1f", s.Commands),
		})
	}
	return rows
}

// WebRows is Rows for what wrk has measured.
func (r *Results) WebRows() [][]string {
	var own WebStanding
	if at := slices.IndexFunc(r.Web, func(s WebStanding) bool { return s.Subject == yardstick }); at >= 0 {
		own = r.Web[at]
	}
	var rows [][]string
	for _, s := range slices.SortedStableFunc(slices.Values(r.Web), func(a, b WebStanding) int {
		return cmp.Compare(b.PerSecond.Median, a.PerSecond.Median)
	}) {
		better := func(text string) string {
			return bold(s.PerSecond.Median > own.PerSecond.Median && !ours(s.Subject), text)
		}
		rows = append(rows, []string{
			better(s.Subject),
			better(chart.Figure(s.PerSecond.Median)),
			chart.Figure(s.PerSecond.Q1) + " to " + chart.Figure(s.PerSecond.Q3),
			chart.Figure(s.Overhead.Median) + " µs",
			chart.Figure(s.Overhead.Q1) + " to " + chart.Figure(s.Overhead.Q3) + " µs",
		})
	}
	return rows
}

func bold(is bool, text string) string {
	if is {
		return "**" + text + "**"
	}
	return text
}

// Axis is a table of one work: how long it takes by the size of the values or by
// the number of clients.
type Axis struct {
	Work  string
	Heads []string
	Rows  []AxisRow
}

// AxisRow is one subject's.
type AxisRow struct {
	Subject string
	Figures []string
}

// ByValue returns a table for each main work.
func (r *Results) ByValue() []Axis {
	return r.axes(func(c Cell) (string, bool) { return size(c.Value), c.Clients == baseClients })
}

// ByClients is ByValue for the number of clients.
func (r *Results) ByClients() []Axis {
	return r.axes(func(c Cell) (string, bool) { return crowded(c.Clients), c.Value == baseValue })
}

func (r *Results) axes(on func(Cell) (head string, ok bool)) []Axis {
	var all []Axis
	for _, work := range mainOnes {
		axis := Axis{Work: work}
		var cells []Cell
		for _, c := range r.Cells {
			if head, ok := on(c); ok && c.Work == work {
				axis.Heads, cells = append(axis.Heads, head), append(cells, c)
			}
		}
		for _, subject := range r.Subjects {
			row := AxisRow{Subject: subject.Name}
			for _, c := range cells {
				row.Figures = append(row.Figures, c.figure(subject.Name))
			}
			axis.Rows = append(axis.Rows, row)
		}
		all = append(all, axis)
	}
	return all
}

// figure is what a cell says of a subject, in a table of several cells.
func (c *Cell) figure(subject string) string {
	s := c.standing(subject)
	if s == nil {
		return "–"
	}
	text := fmt.Sprintf("%s (%s ×)", duration(s.Nanoseconds.Median), chart.Figure(s.Times.Median))
	return bold(s.Times.Median < 1 && !ours(subject), text)
}

func ours(subject string) bool { return strings.HasPrefix(subject, "coatcheck") }

// duration writes nanoseconds in a unit that fits.
func duration(ns float64) string {
	switch {
	case ns < 1e3:
		return chart.Figure(ns) + " ns"
	case ns < 1e6:
		return chart.Figure(ns/1e3) + " µs"
	default:
		return chart.Figure(ns/1e6) + " ms"
	}
}

func capital(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
