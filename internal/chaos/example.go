package chaos

import (
	"fmt"
	"strings"
	"time"
)

const (
	maxExamples = 5
	around      = 20 * time.Millisecond // is shown before and after a violation
	maxShown    = 60                    // operations on either side of it
)

// violation counts one, and keeps the first few with all that happened around
// them: one a session, since what goes wrong once is often read many times.
func (c *sessionCheck) violation(p Promise, what string, culprit, because *Record) {
	r := c.report
	r.Violations[p]++
	if len(r.Examples[p]) == maxExamples || len(r.Examples[p]) > 0 && r.lastExample[p] == culprit.Session {
		return
	}
	r.lastExample[p] = culprit.Session

	var b strings.Builder
	fmt.Fprintf(&b, "%v: session %d: this operation (>>) %s", p, culprit.Session, what)
	if because != nil {
		b.WriteString(" (compare ->)")
	}
	b.WriteByte('\n')
	from, to := culprit.Start, culprit.End
	if because != nil {
		from, to = min(from, because.Start), max(to, because.End)
	}
	from, to = from-int64(around), to+int64(around)

	var shown []*Record
	at := 0 // the culprit's index in shown
	for i := range c.records {
		o := &c.records[i]
		// A Get that is neither of the two and on another node explains nothing.
		if o.End < from || o.Start > to || o.Kind == Get && o.Node != culprit.Node && o != because {
			continue
		}
		if o == culprit {
			at = len(shown)
		}
		shown = append(shown, o)
	}
	for i, o := range shown {
		mark := "  "
		switch {
		case o == culprit:
			mark = ">>"
		case o == because:
			mark = "->"
		case i < at-maxShown || i > at+maxShown:
			continue
		}
		fmt.Fprintf(&b, "%s %s\n", mark, o.describe(culprit.Start))
	}
	r.Examples[p] = append(r.Examples[p], b.String())
}

// describe shows an operation with times in milliseconds from a given one.
func (r *Record) describe(from int64) string {
	ms := func(t int64) float64 { return float64(t-from) / 1e6 }
	text := fmt.Sprintf("%12.6f to %12.6f ms  node %3d  %-7v %v", ms(r.Start), ms(r.End), r.Node, r.Kind, r.Outcome)
	if r.Outcome == OK && !r.ends() {
		text += fmt.Sprintf(", revision %d", r.Rev)
	}
	if r.Op != 0 || r.Kind == Get && r.Outcome == OK {
		text += fmt.Sprintf(", N=%d by %s", r.N, opText(r.Op))
	}
	if r.Kind != Create && r.Secret != NoSecret {
		text += ", token " + opText(r.Secret)
	}
	if r.Grace {
		text += ", with grace"
	}
	return text
}

// opText shows the node that made a write, and its number there.
func opText(op uint64) string { return fmt.Sprintf("%d/%d", op>>48, op&(1<<48-1)) }
