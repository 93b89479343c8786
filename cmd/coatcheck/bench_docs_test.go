package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/coatcheck/coatcheck/internal/redistest"
)

// TestBenchAsDocumented runs the command of docs/BENCH.md, for a shorter time and on a
// server of its own. It prints what stands there, but for the figures.
func TestBenchAsDocumented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "BENCH.md"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```sh\n(.*?)```\n\n```text\n(.*?)```").FindStringSubmatch(string(text))
	if m == nil {
		t.Fatal("docs/BENCH.md has no command with what it prints")
	}
	const server = "redis://127.0.0.1:6379"
	redis := redistest.Start(t)
	cmd := exec.Command("sh", "-c", strings.ReplaceAll(m[1], server, redis.URL()))
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "COATCHECK_BENCH_DURATION=300ms", "COATCHECK_BENCH_WARMUP=0s")
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	got, want := withoutFigures(strings.ReplaceAll(string(out), redis.URL(), server)), withoutFigures(m[2])
	if got != want {
		t.Errorf("it prints\n%s\nwithout figures\n%s\nwant\n%s", out, got, want)
	}
}

// withoutFigures replaces what differs from run to run.
func withoutFigures(text string) string {
	text = regexp.MustCompile(`\d+(\.\d+)?((ns|µs|ms|s)\b)?`).ReplaceAllString(text, "N")
	return regexp.MustCompile(` +`).ReplaceAllString(text, " ")
}
