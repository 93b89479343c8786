package compare

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/coatcheck/coatcheck/benchmarks/internal/quantile"
)

// Results is all that a run has found out: docs/compare.json. The report is made
// of it and of nothing else.
type Results struct {
	About    About
	Subjects []Subject
	Cells    []Cell
	Web      []WebStanding
	Floors   []Floor
	Metrics  Metrics // of the Go benchmarks
}

// About is where and how it was measured.
type About struct {
	Date       string
	Command    string
	Processor  string
	System     string // such as linux/amd64
	Processors int
	GOMAXPROCS int
	Go, Redis  string // versions
}

// Subject is what there is to say of one without measuring.
type Subject struct {
	Name, Module, Version    string
	Configured, Reads, Gives string
	MaxValue                 int // bytes that a session is sure to hold; 0 for any
}

// Cell is one work in one arena.
type Cell struct {
	Work           string
	Value, Clients int
	Yardstick      string // the subject with which the others are compared
	Standings      []Standing
}

// Standing is what one operation of one subject took.
type Standing struct {
	Subject                 string
	Nanoseconds             Quartiles
	Times                   Quartiles // as long as the yardstick took in the same round
	Allocs, Bytes, Commands float64   // medians
}

// Quartiles sums up rounds: half of them lie between Q1 and Q3.
type Quartiles struct{ Q1, Median, Q3 float64 }

func quartiles(figures []float64) Quartiles {
	slices.Sort(figures)
	at := func(share float64) float64 { return rounded(quantile.Of(figures, share)) }
	return Quartiles{at(0.25), at(0.5), at(0.75)}
}

// rounded has four significant digits: more would be noise.
func rounded(figure float64) float64 {
	short, _ := strconv.ParseFloat(strconv.FormatFloat(figure, 'g', 4, 64), 64)
	return short
}

// standings compares each side with the yardstick, round by round.
func standings(sides []*side, laps [][]lap, yardstick string) ([]Standing, error) {
	at := slices.IndexFunc(sides, func(s *side) bool { return s.name == yardstick })
	if at < 0 {
		return nil, fmt.Errorf("%s does not take part, which all are compared with", yardstick)
	}
	var all []Standing
	for i, s := range sides {
		of := func(figure func(round int) float64) Quartiles {
			figures := make([]float64, len(laps[i]))
			for round := range figures {
				figures[round] = figure(round)
			}
			return quartiles(figures)
		}
		all = append(all, Standing{
			Subject:     s.name,
			Nanoseconds: of(func(round int) float64 { return laps[i][round].ns }),
			Times:       of(func(round int) float64 { return laps[i][round].ns / laps[at][round].ns }),
			Allocs:      of(func(round int) float64 { return laps[i][round].allocs }).Median,
			Bytes:       of(func(round int) float64 { return laps[i][round].bytes }).Median,
			Commands:    of(func(round int) float64 { return laps[i][round].commands }).Median,
		})
	}
	return all, nil
}

// Cell returns one of the cells, or nil.
func (r *Results) Cell(work string, value, clients int) *Cell {
	for i, c := range r.Cells {
		if c.Work == work && c.Value == value && c.Clients == clients {
			return &r.Cells[i]
		}
	}
	return nil
}

// standing returns that of a subject, or nil.
func (c *Cell) standing(subject string) *Standing {
	if c == nil {
		return nil
	}
	for i, s := range c.Standings {
		if s.Subject == subject {
			return &c.Standings[i]
		}
	}
	return nil
}
