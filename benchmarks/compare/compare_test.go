package compare

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck/benchmarks/rivals"
	"github.com/coatcheck/coatcheck/internal/redistest"
)

var (
	write     = flag.Bool("compare.write", false, "measure, and write docs/COMPARISON.md")
	render    = flag.Bool("compare.render", false, "write docs/COMPARISON.md again from docs/compare.json, without measuring")
	full      = flag.Bool("compare.full", false, "all works for all sizes of values and all numbers of clients")
	rounds    = flag.Int("compare.rounds", 5, "rounds of each work")
	roundTime = flag.Duration("compare.round", 100*time.Millisecond, "about how long a round of one subject is")
)

const docs = "../../docs"

// TestCompare is the comparison, with -compare.write. Without, it makes sure that
// the parts work together.
func TestCompare(t *testing.T) {
	config := Config{
		Subjects:   rivals.All(),
		StartRedis: func() string { return redistest.Start(t).Addr },
		Folder:     t.TempDir(),
		Say:        func(line string) { fmt.Println(line) },
	}
	switch {
	case *render:
		results := readResults(t)
		results.describe(rivals.All())
		writeResults(t, results)
	case *write:
		writeResults(t, measure(t, config))
	default:
		try(t, config)
	}
}

func measure(t *testing.T, config Config) *Results {
	config.Command = command()
	config.Arenas, config.Rounds, config.RoundTime, config.Logouts = Arenas(*full), *rounds, *roundTime, 1024
	config.WebRounds, config.WebTime = 5, time.Second
	config.Requests = 200_000
	config.Benchmarks = Benchmarks
	results, err := Run(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range results.Verdicts() {
		if v.Missing != "" {
			t.Errorf("%s: nothing has reported %s", v.What, v.Missing)
		}
	}
	return results
}

// command is what to type for the same again.
func command() string {
	var flags []string
	flag.Visit(func(f *flag.Flag) {
		if strings.HasPrefix(f.Name, "compare.") && f.Name != "compare.write" {
			flags = append(flags, fmt.Sprintf("-%s=%v", f.Name, f.Value))
		}
	})
	if len(flags) == 0 {
		return "make compare"
	}
	return fmt.Sprintf("make compare COMPARE='%s'", strings.Join(flags, " "))
}

func readResults(t *testing.T) *Results {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(docs, "compare.json"))
	if err != nil {
		t.Fatal(err)
	}
	var results Results
	if err := json.Unmarshal(data, &results); err != nil {
		t.Fatal(err)
	}
	return &results
}

func writeResults(t *testing.T, results *Results) {
	t.Helper()
	data, err := json.MarshalIndent(results, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, "compare.json", append(data, '\n'))
	writeDocuments(t, results)
}

func writeDocuments(t *testing.T, results *Results) {
	t.Helper()
	documents, err := results.Documents()
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range documents {
		writeFile(t, name, content)
	}
}

func writeFile(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(docs, name), content, 0o644); err != nil {
		t.Fatal(err)
	}
}
