package compare

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck/benchmarks/rivals"
)

// try runs all parts of the comparison with a few subjects, as shortly as they
// can, and looks at what is counted. What they measure says nothing.
func try(t *testing.T, config Config) {
	config.Subjects = slices.DeleteFunc(config.Subjects, func(s rivals.Subject) bool {
		return !slices.Contains([]string{bareSite, "bare-redis", yardstick, askingYardstick, "scs-memory", "gorilla-cookie"}, s.Name)
	})
	config.Arenas = []Arena{{baseValue, baseClients, everyOne}, {16 << 10, 2, mainOnes}}
	config.Rounds, config.RoundTime, config.Logouts = 2, time.Millisecond, 128
	config.WebRounds, config.WebTime = 1, time.Second
	config.Requests = 1000
	config.Benchmarks = []Benchmark{{Pattern: Benchmarks[0].Pattern, Time: "1x", expects: time.Second}}
	results, err := Run(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	tryCells(t, results)

	var sites []string
	for _, s := range results.Web {
		sites = append(sites, s.Subject)
		if s.PerSecond.Q1 <= 0 {
			t.Errorf("%s has answered %v requests a second", s.Subject, s.PerSecond)
		}
	}
	if want := []string{bareSite, yardstick, askingYardstick, "gorilla-cookie", "scs-memory"}; !slices.Equal(slices.Sorted(slices.Values(sites)), want) {
		t.Errorf("over HTTP %v took part, want %v", sites, want)
	}
	if len(results.Floors) != 4 {
		t.Errorf("the floors are %v, want GET and SET, each with two pipelines", results.Floors)
	}
	if results.About.Processor == "" {
		t.Error("the processor has no name")
	}
	met := map[string]bool{}
	for _, v := range results.Verdicts() {
		met[v.What] = v.Met
	}
	if !met["messages a change"] {
		t.Errorf("the target for the messages, which are counted, is not met: %v", results.Metrics)
	}
	documents, err := results.Documents()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range config.Subjects {
		for name, content := range documents {
			if !strings.Contains(string(content), s.Name) {
				t.Errorf("%s does not tell of %s", name, s.Name)
			}
		}
	}
}

// tryCells holds against each other who took part in what, and what they asked of
// Redis.
func tryCells(t *testing.T, results *Results) {
	t.Helper()
	if len(results.Cells) != 6+4 {
		t.Errorf("%d cells, want 10: each read counts twice", len(results.Cells))
	}
	for _, c := range results.Cells {
		for _, s := range c.Standings {
			asks := map[string]bool{"bare-redis": true, askingYardstick: true, yardstick: c.Work != Read}
			if c.Work != Mixed && asks[s.Subject] != (s.Commands >= 1) {
				t.Errorf("%s: %s sends Redis %v commands for one operation", c.Work, s.Subject, s.Commands)
			}
			if s.Subject == c.Yardstick && s.Times != (Quartiles{1, 1, 1}) {
				t.Errorf("%s: %s takes %v times as long as itself", c.Work, s.Subject, s.Times)
			}
		}
		for subject, takesPart := range map[string]bool{
			"gorilla-cookie": c.Value == baseValue && c.Work != ReadAsking, // a cookie has no room for more
			"scs-memory":     c.Work != ReadAsking,
			yardstick:        c.Work != ReadAsking,
			"bare-redis":     true,
		} {
			if took := c.standing(subject) != nil; took != takesPart {
				t.Errorf("%s of %d bytes: that %s takes part is %v, want %v", c.Work, c.Value, subject, took, takesPart)
			}
		}
	}
}
