// Package chart draws figures as SVG for Markdown documents: each on a white
// card of its own, so that it is legible on a dark page, too. The same input
// gives the same bytes, so that a drawing under version control changes only
// with what it shows.
package chart

import (
	"bytes"
	"encoding/xml"
	"fmt"
)

const (
	width  = 760
	margin = 16

	ink      = "#1f2328"
	softInk  = "#57606a"
	gridInk  = "#d8dee4"
	quietBar = "#afb8c1"
	ours     = "#1a7f37"
)

// charWidth is about what a character takes at a font size of 13: fonts differ
// from reader to reader, so texts get room rather than a measure.
const charWidth = 7.2

// drawing is an SVG document under way.
type drawing struct{ bytes.Buffer }

// begin opens a card with a title and what it says to whoever cannot see it.
func begin(height float64, title, subtitle, spoken string) *drawing {
	d := &drawing{}
	d.printf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %.0f" width="%d" height="%.0f" font-family="system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="13" role="img" aria-label="%s">`,
		width, height, width, height, escape(spoken))
	d.printf(`<rect width="%d" height="%.0f" rx="6" fill="#ffffff"/>`, width, height)
	d.printf(`<text x="%d" y="26" font-size="14" font-weight="600" fill="%s">%s</text>`, margin, ink, escape(title))
	if subtitle != "" {
		d.printf(`<text x="%d" y="46" fill="%s">%s</text>`, margin, softInk, escape(subtitle))
	}
	return d
}

func (d *drawing) end() []byte {
	d.printf(`</svg>`)
	return d.Bytes()
}

// headHeight is what title and subtitle take.
func headHeight(subtitle string) float64 {
	if subtitle == "" {
		return 40
	}
	return 64
}

// printf adds a line.
func (d *drawing) printf(format string, args ...any) {
	fmt.Fprintf(d, format+"\n", args...)
}

// text writes at a point; anchor is start, middle or end.
func (d *drawing) text(x, y float64, anchor, colour, text string) {
	d.printf(`<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s">%s</text>`, x, y, anchor, colour, escape(text))
}

func (d *drawing) line(x1, y1, x2, y2 float64, colour string) {
	d.printf(`<path d="M%.1f %.1f L%.1f %.1f" stroke="%s"/>`, x1, y1, x2, y2, colour)
}

func escape(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text)) // a Buffer's Write does not fail
	return b.String()
}

// widest returns the room that the longest of some texts takes.
func widest[T any](all []T, text func(T) string) float64 {
	most := 0
	for _, one := range all {
		most = max(most, len([]rune(text(one))))
	}
	return charWidth * float64(most)
}
