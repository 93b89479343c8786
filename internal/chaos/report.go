package chaos

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Report is what Check found, and what the run adds to it.
type Report struct {
	MaxStaleness   time.Duration
	Sessions       int
	Outcomes       [kinds][outcomes]int
	StaleReads     int           // Gets that missed an acknowledged change
	WorstStaleness time.Duration // of those
	WithGrace      int           // acknowledged renewals, of all
	WithinGrace    int           // operations that a token let in after it was retired with grace
	RefusedOld     int           // operations that were refused after the end of their token
	Violations     [promises]int
	Examples       [promises][]string // of different sessions

	// What a history does not tell.
	CachedHits uint64
	Errors     map[string]int // by cause
	Faults     map[string]int // by kind
	Lasted     time.Duration

	lastExample [promises]uint32 // the session
}

func newReport(maxStaleness time.Duration) *Report {
	return &Report{MaxStaleness: maxStaleness, Errors: map[string]int{}, Faults: map[string]int{}}
}

func (r *Report) count(record *Record) {
	if record.Kind == Revoke && record.Node == Outside {
		return // nobody was answered so: see world.create
	}
	r.Outcomes[record.Kind][record.Outcome]++
	if record.Grace && record.Outcome == OK {
		r.WithGrace++
	}
}

// Reads returns how many Gets got an answer.
func (r *Report) Reads() int { return r.Outcomes[Get][OK] + r.Outcomes[Get][NotFound] }

// Writes returns how many writes were acknowledged.
func (r *Report) Writes() int {
	return r.Outcomes[Change][OK] + r.Outcomes[Update][OK] + r.Outcomes[Renew][OK] + r.Outcomes[Delete][OK] + r.Outcomes[Revoke][OK]
}

// Failures returns how many operations ended with an error.
func (r *Report) Failures() (n int) {
	for _, outcomes := range r.Outcomes {
		n += outcomes[Failed]
	}
	return n
}

// String returns the table of totals.
func (r *Report) String() string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		text := fmt.Sprintf("%-20s "+format, append([]any{name}, args...)...)
		b.WriteString(strings.TrimRight(text, " ") + "\n")
	}
	line("sessions", "%d", r.Sessions)
	perSecond := ""
	if r.Lasted > 0 {
		perSecond = fmt.Sprintf(", %.0f a second", float64(r.Reads())/r.Lasted.Seconds())
	}
	line("reads", "%d%s", r.Reads(), perSecond)
	line("  cached hits", "%d", r.CachedHits)
	line("  stale", "%d, worst by %.1f ms (allowed: %d ms)", r.StaleReads, float64(r.WorstStaleness)/1e6, r.MaxStaleness.Milliseconds())
	line("writes", "%d: %d Change, %d Update, %d Renew, %d Delete, %d Revoke", r.Writes(), r.Outcomes[Change][OK],
		r.Outcomes[Update][OK], r.Outcomes[Renew][OK], r.Outcomes[Delete][OK], r.Outcomes[Revoke][OK])
	line("  renewals", "%d at once, %d with grace", r.Outcomes[Renew][OK]-r.WithGrace, r.WithGrace)
	line("refreshes", "%d", r.Outcomes[Refresh][OK])
	line("old tokens", "%d refused, %d let in within the grace", r.RefusedOld, r.WithinGrace)
	line("errors", "%d %s", r.Failures(), listed(r.Errors))
	line("faults", "%d %s", sum(r.Faults), listed(r.Faults))
	for p, n := range r.Violations {
		line("violations, P"+fmt.Sprint(p+1), "%d of: %v", n, Promise(p))
	}
	return b.String()
}

func sum(counts map[string]int) (total int) {
	for _, n := range counts {
		total += n
	}
	return total
}

func listed(counts map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if counts[name] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", name, counts[name]))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "(" + strings.Join(parts, ", ") + ")"
}
