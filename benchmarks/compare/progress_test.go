package compare

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestProgress has a machine that takes twice as long as expected.
func TestProgress(t *testing.T) {
	var at time.Time
	var lines []string
	p := progress{say: func(line string) { lines = append(lines, line) }, now: func() time.Time { return at }}
	takes := func(d time.Duration) func() error { return func() error { at = at.Add(d); return nil } }
	err := p.through([]step{
		{"read", 10 * time.Second, takes(20 * time.Second)},
		{"create", 30 * time.Second, takes(time.Minute)},
		{"change", 20 * time.Second, takes(40 * time.Second)},
	})
	want := []string{
		"[1/3] 0s so far, about 1m0s left: read",
		"[2/3] 20s so far, about 1m40s left: create",
		"[3/3] 1m20s so far, about 40s left: change",
		"done in 2m0s",
	}
	if err != nil || !slices.Equal(lines, want) {
		t.Errorf("error %v, and\n%s\nwant\n%s", err, strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}

	broken := errors.New("broken")
	if err := p.through([]step{{"read", time.Second, func() error { return broken }}}); !errors.Is(err, broken) || !strings.Contains(err.Error(), "read") {
		t.Errorf("error %v, want that of the step", err)
	}
}
