package main

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck/internal/loadgen"
)

// aReport has something of everything.
func aReport() *benchReport {
	return &benchReport{
		Store: "redis://127.0.0.1:6379", Interrupted: true, Elapsed: 10003 * time.Millisecond, NotBegun: 7,
		Load: benchLoad{Sessions: 1, ValueBytes: 100, NearCacheEntries: 10},
		Operations: []benchRow{
			{Kind: "read", Count: 800, PerSecond: 79.97, P50: 615, P90: 1023, P99: 12345, P999: 1234567, Max: 9999999},
			{Kind: "change", Count: 200, PerSecond: 19.99, Errors: 3, P50: 100 * time.Microsecond, P90: 12345678, P99: 123456789, P999: 1234567891, Max: 3 * time.Second},
		},
		All:         benchRow{Kind: "all", Count: 1000, PerSecond: 99.97, Errors: 3, P50: 700, P90: 1, P99: 2, P999: 3, Max: 3 * time.Second},
		Errors:      []benchFailure{{Class: "unavailable", Count: 2, First: "no route"}, {Class: "conflict", Count: 1, First: "overtaken"}},
		NearCache:   benchNearCache{Hits: 750, Misses: 200, Stale: 50, HitRatio: 0.75},
		RoundTrip:   45678,
		Elsewhere:   &benchElsewhere{Changes: 1000, P50: 91234, P90: 100000, P99: 244000, Max: 1 * time.Millisecond},
		description: "read=80,change=20, 100 operations/s, 64 goroutines on 2 nodes",
	}
}

func TestBenchTable(t *testing.T) {
	const want = `redis://127.0.0.1:6379
read=80,change=20, 100 operations/s, 64 goroutines on 2 nodes
1 session of 100 bytes, 10s, interrupted

  operation  count  per second  errors    p50     p90     p99   p99.9   max
       read    800          80       0  615ns  1.02µs  12.3µs  1.23ms  10ms
     change    200          20       3  100µs  12.3ms   123ms   1.23s    3s
        all   1000         100       3  700ns     1ns     2ns     3ns    3s

7 operations were due and not begun: all goroutines were busy
near cache: 750 hits, 200 misses, 50 stale: 75.0 % hits
round trip to the store: 45.7µs
a change is served by another node after: 91.2µs (p50), 100µs (p90), 244µs (p99), 1ms (max) of 1000, without load
2 errors, unavailable, the first: no route
1 error, conflict, the first: overtaken
`
	var out bytes.Buffer
	if err := aReport().write(&out, "table"); err != nil || out.String() != want {
		t.Errorf("error %v\n%swant\n%s", err, out.String(), want)
	}
}

// TestBenchJSONHoldsTheSame as the table does.
func TestBenchJSONHoldsTheSame(t *testing.T) {
	var out bytes.Buffer
	if err := aReport().write(&out, "json"); err != nil {
		t.Fatal(err)
	}
	parsed, want := parseReport(t, out.String()), aReport()
	if *parsed.Elsewhere != *want.Elsewhere || !slices.Equal(parsed.Operations, want.Operations) || parsed.All != want.All ||
		!slices.Equal(parsed.Errors, want.Errors) || parsed.NearCache != want.NearCache || parsed.Load != want.Load {
		t.Errorf("%+v", parsed)
	}
}

// TestUnwrittenReportIsAnError: a full disk must not pass for success.
func TestUnwrittenReportIsAnError(t *testing.T) {
	for _, format := range []string{"table", "json"} {
		if err := aReport().write(fullDisk{}, format); !errors.Is(err, errFull) {
			t.Errorf("%s: error %v", format, err)
		}
	}
}

var errFull = errors.New("disk full")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

// TestProgress on a terminal is a bar in one line, which gives way to messages; else it
// is lines.
func TestProgress(t *testing.T) {
	p := progress{doing: "measuring", share: 0.5, elapsed: 2 * time.Second, done: 3000, failed: 1}
	const line = "50 %  2s  1500/s  1 error"
	for terminal, want := range map[bool]string{
		false: "measuring: " + line + "\nmessage\n",
		true:  clearLine + "measuring  [" + strings.Repeat("=", 7) + strings.Repeat(" ", 8) + "]  " + line + clearLine + "message\n",
	} {
		var out bytes.Buffer
		s := &screen{terminal: terminal, w: &out}
		s.show(p)
		s.printf("message\n")
		if out.String() != want {
			t.Errorf("terminal %v: %q, want %q", terminal, out.String(), want)
		}
	}
}

// TestProgressFitsATerminal of 80 columns, the last of which some leave for the cursor.
func TestProgressFitsATerminal(t *testing.T) {
	var out bytes.Buffer
	s := &screen{terminal: true, w: &out}
	elapsed := maxBenchTime - 100*time.Millisecond
	s.show(progress{doing: "warming up", share: 1, elapsed: elapsed, done: uint64(99_999_999 * elapsed.Seconds()), failed: 9_999_999_999})
	if line := strings.TrimPrefix(out.String(), clearLine); len(line) > 79 {
		t.Errorf("%d columns: %s", len(line), line)
	}
}

// TestProgressGoesOn while something is done, and ends with it.
func TestProgressGoesOn(t *testing.T) {
	var out lockedBuffer
	s := &screen{terminal: true, interval: time.Millisecond, w: &out}
	s.during("filling", loadgen.New(loadgen.Config{Sessions: 1, ValueBytes: 100}), ofCount(1), func() {
		eventually(t, "it is shown twice", func() bool { return strings.Count(out.String(), "filling") >= 2 })
	})
	if !strings.HasSuffix(out.String(), clearLine) || strings.Contains(out.String(), "\n") {
		t.Errorf("%q", out.String())
	}
}
