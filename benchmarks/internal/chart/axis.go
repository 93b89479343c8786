package chart

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Axis is one of the two of a diagram.
type Axis struct {
	Title string // with the unit
	Log   bool
	Ticks []float64 // where figures stand; by default round ones
	zero  bool      // a linear axis begins at 0
}

func (a Axis) fromZero() Axis {
	a.zero = true
	return a
}

// scale maps the values of an axis onto [from, to].
type scale struct {
	log       bool
	low, high float64
	ticks     []float64
	from, to  float64
}

// newScale has room for all values. What a logarithmic axis cannot show does not
// count.
func newScale(a Axis, values []float64) *scale {
	s := &scale{log: a.Log}
	values = slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return !s.has(v) })
	if len(values) == 0 {
		values = []float64{1}
	}
	s.low, s.high = slices.Min(values), slices.Max(values)
	if a.zero && !a.Log {
		s.low = min(s.low, 0)
	}
	s.ticks = slices.DeleteFunc(slices.Clone(a.Ticks), func(v float64) bool { return !s.has(v) })
	switch {
	case len(s.ticks) > 0:
	case a.Log:
		s.ticks = logTicks(s.low, s.high)
	default:
		s.ticks = linearTicks(s.low, s.high)
	}
	s.low, s.high = min(s.low, slices.Min(s.ticks)), max(s.high, slices.Max(s.ticks))
	return s
}

func (s *scale) has(value float64) bool { return !s.log || value > 0 }

func (s *scale) at(value float64) float64 {
	low, high := s.low, s.high
	if s.log {
		low, high, value = math.Log(low), math.Log(high), math.Log(value)
	}
	if low == high {
		return (s.from + s.to) / 2
	}
	return s.from + (value-low)/(high-low)*(s.to-s.from)
}

// mostTicks is of a linear axis: more figures would be in each other's way.
const mostTicks = 6

// linearTicks returns multiples of 1, 2 or 5 times a power of ten from at most
// low to at least high.
func linearTicks(low, high float64) []float64 {
	if low == high {
		high = low + 1
	}
	for power := math.Floor(math.Log10((high-low)/mostTicks)) - 1; ; power++ {
		for _, digit := range []float64{1, 2, 5} {
			step := digit * math.Pow10(int(power))
			first, last := math.Floor(low/step), math.Ceil(high/step-1e-9)
			if last-first >= mostTicks {
				continue
			}
			var ticks []float64
			for i := first; i <= last; i++ {
				ticks = append(ticks, i*step)
			}
			return ticks
		}
	}
}

// logTicks returns powers of ten from at most low to at least high; where they
// are few, 2 and 5 times each as well.
func logTicks(low, high float64) []float64 {
	digits := []float64{1}
	if high/low < 100 {
		digits = []float64{1, 2, 5}
	}
	var ticks []float64
	for power := math.Floor(math.Log10(low)); ; power++ {
		for _, digit := range digits {
			tick := digit * math.Pow10(int(power))
			if tick <= low*(1+1e-9) {
				ticks = ticks[:0] // those before it are not needed
			}
			ticks = append(ticks, tick)
			if tick >= high*(1-1e-9) && len(ticks) > 1 {
				return ticks
			}
		}
	}
}

// Figure writes a number as documents do: 0.25, 16, 1,000, 2.5 M. Between a
// thousand and a million it is whole, otherwise it has three significant digits.
func Figure(value float64) string {
	for _, unit := range []struct {
		of   float64
		name string
	}{{1e12, " T"}, {1e9, " G"}, {1e6, " M"}} {
		if math.Abs(value) >= unit.of*0.9995 {
			return trimmed(value/unit.of) + unit.name
		}
	}
	if math.Abs(value) >= 999.5 {
		thousands, rest := int(math.Round(value))/1000, int(math.Abs(math.Round(value)))%1000
		return fmt.Sprintf("%d,%03d", thousands, rest)
	}
	return trimmed(value)
}

// trimmed returns three significant digits and no zeros after them.
func trimmed(value float64) string {
	text := strconv.FormatFloat(value, 'g', 3, 64)
	if strings.Contains(text, "e") {
		text = strconv.FormatFloat(value, 'f', -1, 64)
	}
	return text
}
