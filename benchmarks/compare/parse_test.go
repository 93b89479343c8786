package compare

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestParseBenchmarks(t *testing.T) {
	suffix := ""
	if n := runtime.GOMAXPROCS(0); n > 1 {
		suffix = fmt.Sprintf("-%d", n)
	}
	got, processor, err := parseBenchmarks(`goos: linux
cpu: Some Processor @ 2.50GHz
BenchmarkGet/redis/64` + suffix + `         	  200000	      5012 ns/op	         0.9500 x-raw	       0 B/op
BenchmarkMemory/redis-tracked` + suffix + ` 	       1	1234567890 ns/op	       151.5 B/session-above-value
PASS
ok  	example.org/x	3.2s
`)
	want := Metrics{
		"Get/redis/64 ns/op": 5012, "Get/redis/64 x-raw": 0.95, "Get/redis/64 B/op": 0,
		"Memory/redis-tracked ns/op": 1234567890, "Memory/redis-tracked B/session-above-value": 151.5,
	}
	if err != nil || processor != "Some Processor @ 2.50GHz" || !maps.Equal(got, want) {
		t.Errorf("%q, %v, error %v; want %v", processor, got, err, want)
	}
	if got, _, err := parseBenchmarks("BenchmarkGet-2 100 many ns/op"); err == nil {
		t.Errorf("a figure that is none is %v", got)
	}
}

func TestParseMessages(t *testing.T) {
	got, err := parseMessages(`    messages_test.go:52: 
        invalidation  nodes  other holders  messages/change  output bytes/change
            tracking      4              1             1.00                 59.0
            tracking     16             15            15.02                829.0
              pubsub     16             15            16.00               2036.0
`)
	want := Metrics{"messages/nodes-4/holders-1": 1, "messages/nodes-16/holders-15": 15.02}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, error %v; want %v", got, err, want)
	}
	for _, out := range []string{"PASS", "tracking 4 1 one 59.0"} {
		if got, err := parseMessages(out); err == nil {
			t.Errorf("of %q: %v, want an error", out, got)
		}
	}
}

func TestParseFloors(t *testing.T) {
	got, err := parseFloors([]byte("\"test\",\"rps\",\"avg_latency_ms\"\n\"SET\",\"24390.24\",\"1.316\"\n\"GET\",\"50000.00\",\"2.156\"\n"), 64)
	if err != nil || !slices.Equal(got, []Floor{{"SET", 64, 24390}, {"GET", 64, 50000}}) {
		t.Errorf("%v, error %v", got, err)
	}
	if ns := got[1].Nanoseconds(); ns != 20_000 {
		t.Errorf("50,000 a second are %v ns each, want 20,000", ns)
	}
	for _, out := range []string{"", "\"test\",\"rps\"\n", "\"test\",\"rps\"\n\"SET\",\"fast\"\n", "error\nof one column\n"} {
		if got, err := parseFloors([]byte(out), 1); err == nil {
			t.Errorf("of %q: %v, want an error", out, got)
		}
	}
}

func TestParseLoad(t *testing.T) {
	got, err := parseLoad("Running 1s test @ http://127.0.0.1:1\n  1 threads and 64 connections\ntotal 5000 250000 0\n")
	if err != nil || got != 20_000 {
		t.Errorf("%v requests a second, error %v; want 20,000", got, err)
	}
	for _, out := range []string{"", "total 0 250000 0", "total 5000 250000 1"} {
		if got, err := parseLoad(out); err == nil {
			t.Errorf("of %q: %v, want an error", out, got)
		}
	}
}

func TestWithoutWrk(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := findWrk(t.TempDir()); err == nil || !strings.Contains(err.Error(), "scripts/install-wrk.sh") {
		t.Errorf("error %v, want one that says how to install it", err)
	}
}

func TestOverhead(t *testing.T) {
	got, err := webStandings([]string{"site", bareSite}, [][]float64{{10_000, 5_000}, {20_000, 10_000}})
	if err != nil || got[0].Overhead != (Quartiles{62.5, 75, 87.5}) || got[1].Overhead != (Quartiles{}) {
		t.Errorf("%+v, error %v; want 50 and 100 µs more than the bare one", got, err)
	}
	if _, err := webStandings([]string{"site"}, [][]float64{{1}}); err == nil {
		t.Error("without the bare handler there is an overhead")
	}
}
