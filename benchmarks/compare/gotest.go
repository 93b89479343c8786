package compare

import (
	"context"
	"fmt"
	"maps"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Metrics are what the Go benchmarks report, such as
// "CachedGet/held-1/goroutines-1 ns/op".
type Metrics map[string]float64

// Benchmark is a Go benchmark of the package above this one.
type Benchmark struct {
	Pattern string // of go test
	Time    string // as for -benchtime
	expects time.Duration
}

// Benchmarks are those that the targets rest on.
var Benchmarks = []Benchmark{
	{"^BenchmarkCachedGet$/^held-1$/^goroutines-1$", "1s", 15 * time.Second},
	{"^Benchmark(Generate|Change|Get)$/^redis$/^64$", "5s", 50 * time.Second},
	{"^Benchmark(Bytes|Limit)$", "5s", 85 * time.Second},
	{"^BenchmarkGenerate$/^sqlite$/^64$", "2s", 8 * time.Second},
	{"^BenchmarkNearCacheMemory$/^TinyLFU$", "1x", 8 * time.Second},
	{"^BenchmarkMemory$/^redis", "1x", 8 * time.Second},
	{"^BenchmarkInvalidation$/^tracking$", "1x", 5 * time.Second},
}

// run adds what the benchmarks report to the metrics, and returns the name of the
// processor.
func (b Benchmark) run(ctx context.Context, metrics Metrics) (processor string, err error) {
	out, err := goTest(ctx, "..", "-run", "^$", "-bench", b.Pattern, "-benchtime", b.Time, "-timeout", "10m", ".")
	if err != nil {
		return "", err
	}
	found, processor, err := parseBenchmarks(out)
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", fmt.Errorf("no benchmark is called %s:\n%s", b.Pattern, out)
	}
	maps.Copy(metrics, found)
	return processor, nil
}

// parseBenchmarks reads lines such as "BenchmarkGet/redis/64-2 100 5012 ns/op".
func parseBenchmarks(out string) (metrics Metrics, processor string, err error) {
	metrics = Metrics{}
	for line := range strings.Lines(out) {
		if name, ok := strings.CutPrefix(line, "cpu:"); ok {
			processor = strings.TrimSpace(name)
		}
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(fields[0], "Benchmark")
		if at := strings.LastIndex(name, "-"); at >= 0 && runtime.GOMAXPROCS(0) > 1 {
			name = name[:at]
		}
		for i := 2; i+1 < len(fields); i += 2 {
			figure, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return nil, "", fmt.Errorf("in the line %q of a benchmark: %w", strings.TrimSpace(line), err)
			}
			metrics[name+" "+fields[i+1]] = figure
		}
	}
	return metrics, processor, nil
}

// countMessages runs the test of redisstore that counts the messages of a change.
func countMessages(ctx context.Context, metrics Metrics) error {
	out, err := goTest(ctx, "../..", "-v", "-count=1", "-run", "^TestMessagesAChange$", "./redisstore")
	if err != nil {
		return err
	}
	counted, err := parseMessages(out)
	if err != nil {
		return err
	}
	maps.Copy(metrics, counted)
	return nil
}

// parseMessages reads lines such as "tracking 16 15 15.00 645.0": how many nodes,
// how many of them hold the session besides the one that changes it, and how many
// messages that takes.
func parseMessages(out string) (Metrics, error) {
	metrics := Metrics{}
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) != 5 || fields[0] != "tracking" {
			continue
		}
		messages, err := strconv.ParseFloat(fields[3], 64)
		if err != nil {
			return nil, fmt.Errorf("in the line %q of the messages: %w", strings.TrimSpace(line), err)
		}
		metrics["messages/nodes-"+fields[1]+"/holders-"+fields[2]] = messages
	}
	if len(metrics) == 0 {
		return nil, fmt.Errorf("no messages in\n%s", out)
	}
	return metrics, nil
}

func goTest(ctx context.Context, dir string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "go", append([]string{"test"}, args...)...)
	command.Dir = dir
	out, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%v: %w\n%s", command.Args, err, out)
	}
	return string(out), nil
}
