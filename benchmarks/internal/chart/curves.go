package chart

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Curves shows how figures depend on another one.
type Curves struct {
	Title, Subtitle string
	X, Y            Axis
	Series          []Series
}

// Series is one curve. Its name stands at its end.
type Series struct {
	Name   string
	Points []Point // by ascending X
}

// Point is of one measurement. A logarithmic axis has no place for what is not
// above 0: such a point is left out.
type Point struct{ X, Y float64 }

const (
	plotHeight   = 230
	legendHeight = 17 // of a name at the end of a curve
)

// colours are dark enough for texts on white.
var colours = []string{"#0969da", "#bc4c00", "#1a7f37", "#8250df", "#57606a", "#bf3989"}

// SVG draws the curves, each in a colour of its own for up to six.
func (c Curves) SVG() []byte {
	head := headHeight(c.Subtitle)
	d := begin(head+26+plotHeight+52, c.Title, c.Subtitle, c.spoken())

	x, y := newScale(c.X, c.values(func(p Point) float64 { return p.X })), newScale(c.Y.fromZero(), c.values(func(p Point) float64 { return p.Y }))
	top := head + 26
	bottom := float64(top + plotHeight)
	left := margin + widest(y.ticks, Figure) + 10
	right := width - margin - widest(c.Series, func(s Series) string { return s.Name }) - 22
	x.from, x.to = left+10, right-10
	y.from, y.to = bottom, top

	d.text(margin, head+8, "start", softInk, c.Y.Title)
	for _, tick := range y.ticks {
		d.line(left, y.at(tick), right, y.at(tick), gridInk)
		d.text(left-8, y.at(tick)+4.5, "end", softInk, Figure(tick))
	}
	for _, tick := range x.ticks {
		d.line(x.at(tick), bottom, x.at(tick), bottom+5, softInk)
		d.text(x.at(tick), bottom+20, "middle", softInk, Figure(tick))
	}
	d.text((left+right)/2, bottom+40, "middle", softInk, c.X.Title)

	var names []name
	for i, series := range c.Series {
		colour := colours[i%len(colours)]
		if end, drawn := d.curve(series, x, y, colour); drawn {
			names = append(names, name{series.Name, colour, end})
		}
	}
	d.names(names, right+6, top, bottom)
	return d.end()
}

// curve draws one, and returns how high it ends.
func (d *drawing) curve(series Series, x, y *scale, colour string) (end float64, drawn bool) {
	var path strings.Builder
	dots := &drawing{}
	for _, p := range series.Points {
		if !x.has(p.X) || !y.has(p.Y) {
			continue
		}
		end = y.at(p.Y)
		command := "L"
		if !drawn {
			command = "M"
		}
		drawn = true
		fmt.Fprintf(&path, "%s%.1f %.1f ", command, x.at(p.X), end)
		dots.printf(`<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>`, x.at(p.X), end, colour)
	}
	if drawn {
		d.printf(`<path d="%s" fill="none" stroke="%s" stroke-width="2" stroke-linejoin="round"/>`, strings.TrimSpace(path.String()), colour)
		d.Write(dots.Bytes())
	}
	return end, drawn
}

// name is written at the height at which its curve ends, or next to it.
type name struct {
	text, colour string
	y            float64
}

// names writes them so that none covers another: from the top downwards each
// makes way for the one before, then all move up for what the last lacks.
func (d *drawing) names(all []name, x, top, bottom float64) {
	slices.SortStableFunc(all, func(a, b name) int { return cmp.Compare(a.y, b.y) })
	least := top
	for i := range all {
		all[i].y = max(all[i].y, least)
		least = all[i].y + legendHeight
	}
	most := bottom
	for i := len(all) - 1; i >= 0; i-- {
		all[i].y = min(all[i].y, most)
		most = all[i].y - legendHeight
	}
	for _, n := range all {
		d.text(x, n.y+4.5, "start", n.colour, n.text)
	}
}

// values returns one coordinate of all points.
func (c Curves) values(of func(Point) float64) []float64 {
	var values []float64
	for _, series := range c.Series {
		for _, p := range series.Points {
			values = append(values, of(p))
		}
	}
	return values
}

func (c Curves) spoken() string {
	parts := make([]string, len(c.Series))
	for i, series := range c.Series {
		parts[i] = series.Name
		if n := len(series.Points); n > 0 {
			first, last := series.Points[0], series.Points[n-1]
			parts[i] += " from " + Figure(first.Y) + " at " + Figure(first.X) + " to " + Figure(last.Y) + " at " + Figure(last.X)
		}
	}
	return c.Title + ", " + c.Y.Title + " by " + c.X.Title + ": " + strings.Join(parts, "; ")
}
