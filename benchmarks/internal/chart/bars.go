package chart

import "strings"

// Bars compares one figure of several things, by horizontal bars on a linear
// scale that begins at 0.
type Bars struct {
	Title, Subtitle string
	Unit            string // follows each figure that has no Text
	Rows            []Bar
}

// Bar is one of the things that are compared.
type Bar struct {
	Label     string
	Value     float64
	Low, High float64 // ends of a whisker, such as quartiles; none where High is 0
	Text      string  // stands at the bar instead of the value and its unit
	Highlight bool
}

const (
	rowHeight = 34
	barHeight = 20
)

// SVG draws the bars in the order of the rows.
func (b Bars) SVG() []byte {
	head := headHeight(b.Subtitle)
	d := begin(head+rowHeight*float64(len(b.Rows))+6, b.Title, b.Subtitle, b.spoken())

	left := margin + widest(b.Rows, func(r Bar) string { return r.Label }) + 14
	right := width - margin - widest(b.Rows, b.figure) - 14
	var most float64
	for _, row := range b.Rows {
		most = max(most, row.Value, row.High)
	}
	at := func(value float64) float64 {
		if most == 0 {
			return left
		}
		return left + value/most*(right-left)
	}
	for i, row := range b.Rows {
		top := head + rowHeight*float64(i)
		middle := top + barHeight/2
		colour := quietBar
		if row.Highlight {
			colour = ours
		}
		d.text(margin, middle+4.5, "start", ink, row.Label)
		d.printf(`<rect x="%.1f" y="%.1f" width="%.1f" height="%d" rx="2" fill="%s"/>`,
			left, top, max(at(row.Value)-left, 1), barHeight, colour)
		if row.High > 0 {
			d.whisker(at(row.Low), at(row.High), middle)
		}
		d.text(at(max(row.Value, row.High))+10, middle+4.5, "start", ink, b.figure(row))
	}
	return d.end()
}

func (d *drawing) whisker(from, to, y float64) {
	d.line(from, y, to, y, ink)
	d.line(from, y-4, from, y+4, ink)
	d.line(to, y-4, to, y+4, ink)
}

// figure is what stands at a bar.
func (b Bars) figure(row Bar) string {
	if row.Text != "" {
		return row.Text
	}
	return strings.TrimSpace(Figure(row.Value) + " " + b.Unit)
}

func (b Bars) spoken() string {
	parts := make([]string, len(b.Rows))
	for i, row := range b.Rows {
		parts[i] = row.Label + " " + b.figure(row)
	}
	return b.Title + ": " + strings.Join(parts, ", ")
}
