package compare

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coatcheck/coatcheck/benchmarks/rivals"
)

// TestReportIsOfItsData makes sure that nobody has written a figure into the
// report by hand.
func TestReportIsOfItsData(t *testing.T) {
	results := readResults(t)
	described := *results
	described.describe(rivals.All())
	if !slices.Equal(described.Subjects, results.Subjects) {
		t.Error("docs/compare.json says of the subjects what their adapters do not: run with -compare.render")
	}
	documents, err := results.Documents()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range documents {
		got, err := os.ReadFile(filepath.Join(docs, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("docs/%s is not what docs/compare.json makes of it: run with -compare.render", name)
		}
	}
}

// TestBoldIsWhatOthersDoBetter has a rival that is faster, but allocates more, and
// one of coatcheck's own that is faster still.
func TestBoldIsWhatOthersDoBetter(t *testing.T) {
	standing := func(subject string, ns, allocs float64) Standing {
		return Standing{subject, Quartiles{ns, ns, ns}, Quartiles{ns / 400, ns / 400, ns / 400}, allocs, 100, 0}
	}
	cell := Cell{Read, baseValue, baseClients, yardstick, []Standing{
		standing(yardstick, 400, 3), standing("lean", 4000, 2), standing("fast", 300, 3.3), standing("coatcheck-memory", 200, 1),
	}}
	var table strings.Builder
	for _, row := range cell.Rows() {
		table.WriteString(strings.Join(row, " | ") + "\n")
	}
	const want = `coatcheck-memory | 200 ns | 200 ns to 200 ns | 0.5 | 0.5 to 0.5 | 1 | 100 | 0.0
**fast** | **300 ns** | 300 ns to 300 ns | **0.75** | 0.75 to 0.75 | 3 | 100 | 0.0
coatcheck-redis | 400 ns | 400 ns to 400 ns | 1 | 1 to 1 | 3 | 100 | 0.0
lean | 4 µs | 4 µs to 4 µs | 10 | 10 to 10 | **2** | 100 | 0.0
`
	if got := table.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := cell.figure("fast") + ", " + cell.figure("lean") + ", " + cell.figure("absent"); got != "**300 ns (0.75 ×)**, 4 µs (10 ×), –" {
		t.Errorf("in a table of several cells: %s", got)
	}
}

func TestWebRowsMarkTheFaster(t *testing.T) {
	r := Results{Web: []WebStanding{
		{"slow", Quartiles{1, 1, 1}, Quartiles{9, 9, 9}},
		{yardstick, Quartiles{2, 2, 2}, Quartiles{5, 5, 5}},
		{bareSite, Quartiles{3, 3, 3}, Quartiles{}},
	}}
	var names []string
	for _, row := range r.WebRows() {
		names = append(names, row[0])
	}
	if got := strings.Join(names, ", "); got != "**bare**, coatcheck-redis, slow" {
		t.Errorf("the sites are %s", got)
	}
}

func TestDuration(t *testing.T) {
	for ns, want := range map[float64]string{41.2: "41.2 ns", 999: "999 ns", 1234: "1.23 µs", 98_765: "98.8 µs", 2.5e6: "2.5 ms"} {
		if got := duration(ns); got != want {
			t.Errorf("%v ns are %s, want %s", ns, got, want)
		}
	}
}
