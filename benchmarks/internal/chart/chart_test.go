package chart

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("chart.update", false, "write the golden files anew")

var samples = map[string]interface{ SVG() []byte }{
	"bars": Bars{
		Title:    "A request that reads its session, served by the middleware",
		Subtitle: "nanoseconds, median and quartiles of the rounds; less is better",
		Unit:     "ns",
		Rows: []Bar{
			{Label: "coatcheck, Redis", Value: 410, Low: 396, High: 431, Highlight: true},
			{Label: "rueidis DoCache & JSON", Value: 1790, Low: 1650, High: 2020},
			{Label: "scs, memory", Value: 27_100, Low: 26_300, High: 28_800},
			{Label: "gorilla, <Redis>", Value: 93_700, Low: 88_000, High: 99_000, Text: "93.7 µs"},
		},
	},
	"curves": Curves{
		Title:    "A cached Get, by how many sessions the near cache holds",
		Subtitle: "all of them hit at random",
		X:        Axis{Title: "sessions in the near cache", Log: true},
		Y:        Axis{Title: "ns"},
		Series: []Series{
			{"Manager.Get", []Point{{1e3, 71}, {1e4, 84}, {1e5, 190}, {1e6, 310}}},
			{"bare otter", []Point{{1e3, 40}, {1e4, 47}, {1e5, 131}, {1e6, 226}}},
		},
	},
	"curves-log": Curves{
		Title: "Messages a change",
		X:     Axis{Title: "nodes", Log: true, Ticks: []float64{1, 2, 4, 8, 16}},
		Y:     Axis{Title: "messages", Log: true},
		Series: []Series{
			{"pub/sub", []Point{{1, 1}, {2, 2}, {4, 4}, {8, 8}, {16, 16}}},
			{"tracking, all hold it", []Point{{1, 0}, {2, 1}, {4, 3}, {8, 7}, {16, 15}}},
			{"tracking, one holds it", []Point{{2, 1}, {4, 1}, {8, 1}, {16, 1}}},
		},
	},
}

func TestGolden(t *testing.T) {
	for name, sample := range samples {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata", name+".svg")
			if *update {
				if err := os.WriteFile(path, sample.SVG(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(sample.SVG(), want) {
				t.Errorf("%s is not what is drawn now: look at it, and run with -chart.update", path)
			}
		})
	}
}

// TestWellFormed has texts in it that are no XML, and charts without points.
func TestWellFormed(t *testing.T) {
	hostile := "a<b> & \"c\" 'd' \x00"
	all := []interface{ SVG() []byte }{
		Bars{}, Curves{}, Curves{X: Axis{Log: true}, Y: Axis{Log: true}, Series: []Series{{"none above 0", []Point{{0, 0}}}}},
		Bars{Title: hostile, Subtitle: hostile, Rows: []Bar{{Label: hostile, Text: hostile}}},
		Curves{Title: hostile, Subtitle: hostile, X: Axis{Title: hostile}, Y: Axis{Title: hostile},
			Series: []Series{{hostile, []Point{{1, 1}}}}},
	}
	for _, sample := range samples {
		all = append(all, sample)
	}
	for _, sample := range all {
		svg := sample.SVG()
		decoder := xml.NewDecoder(bytes.NewReader(svg))
		for {
			if _, err := decoder.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%v in\n%s", err, svg)
			}
		}
		if bytes.Contains(svg, []byte("NaN")) || bytes.Contains(svg, []byte("Inf")) {
			t.Errorf("a coordinate that is no number in\n%s", svg)
		}
	}
}

func TestFigure(t *testing.T) {
	for value, want := range map[float64]string{
		0: "0", 0.25: "0.25", 1.0 / 3: "0.333", 16: "16", 71.04: "71", 999.4: "999", 999.6: "1,000",
		1000: "1,000", 93_700: "93,700", 999_499: "999,499", 999_999: "1 M", 2_500_000: "2.5 M", 1e8: "100 M", 2.2e10: "22 G",
	} {
		if got := Figure(value); got != want {
			t.Errorf("Figure(%v) = %q, want %q", value, got, want)
		}
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want []float64
	}{
		{"linear from 0", linearTicks(0, 310), []float64{0, 100, 200, 300, 400}},
		{"linear that ends at a tick", linearTicks(0, 100), []float64{0, 20, 40, 60, 80, 100}},
		{"linear below 1", linearTicks(0, 0.5), []float64{0, 0.1, 0.2, 0.3, 0.4, 0.5}},
		{"linear of one value", linearTicks(0, 0), []float64{0, 0.2, 0.4, 0.6, 0.8, 1}},
		{"powers of ten", logTicks(1e3, 1e6), []float64{1e3, 1e4, 1e5, 1e6}},
		{"powers of ten around", logTicks(30, 7000), []float64{10, 100, 1000, 10_000}},
		{"few powers of ten", logTicks(3, 70), []float64{2, 5, 10, 20, 50, 100}},
		{"one value", logTicks(10, 10), []float64{10, 20}},
	} {
		near := func(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 }
		if !slices.EqualFunc(c.got, c.want, near) {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
}

// TestNamesKeepApart ends three curves at one point.
func TestNamesKeepApart(t *testing.T) {
	point := []Point{{1, 5}, {2, 5}}
	svg := string(Curves{Series: []Series{{"one", point}, {"two", point}, {"three", point}}}.SVG())
	heights := map[string]bool{}
	for _, name := range []string{"one", "two", "three"} {
		for line := range strings.Lines(svg) {
			if strings.Contains(line, ">"+name+"<") {
				_, y, _ := strings.Cut(line, ` y="`)
				y, _, _ = strings.Cut(y, `"`)
				heights[y] = true
			}
		}
	}
	if len(heights) != 3 {
		t.Errorf("the names stand at %d heights, want 3, in\n%s", len(heights), svg)
	}
}
