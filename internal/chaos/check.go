package chaos

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// never is later than every time, and gone later than every revision: that of
// a session which was deleted.
const (
	never = int64(math.MaxInt64)
	gone  = int64(math.MaxInt64)
)

// Check holds a history against the promises. An operation that failed makes
// no promise and may have had its effect at any time from its start on, also
// after its end.
func Check(h *History, maxStaleness time.Duration) *Report {
	report := newReport(maxStaleness)
	for n := range h.ends {
		if records := h.session(n); len(records) > 0 {
			report.Sessions++
			newSessionCheck(records, maxStaleness, report).run()
		}
	}
	return report
}

// sessionCheck checks one session.
type sessionCheck struct {
	report       *Report
	maxStaleness int64
	records      []Record // by start
	byEnd        []int32  // indexes of records

	// What all other rules rest on. Records are nil where there is none.
	acknowledged []acknowledged // by revision
	deleteBegan  int64          // the earliest start of a deletion, acknowledged or not
	deleted      *Record        // the acknowledged deletion that ended first
	seenGone     *Record        // the operation that ended first of those that prove the session gone
}

// acknowledged is a write of which its caller knows that it was made.
type acknowledged struct {
	write *Record

	// firstSince is the one that ended first of this and all later revisions.
	firstSince *Record
}

func newSessionCheck(records []Record, maxStaleness time.Duration, report *Report) *sessionCheck {
	c := &sessionCheck{report: report, maxStaleness: int64(maxStaleness), records: records, deleteBegan: never}
	slices.SortFunc(records, func(a, b Record) int { return cmp.Compare(a.Start, b.Start) })
	c.byEnd = make([]int32, len(records))
	for i := range c.byEnd {
		c.byEnd[i] = int32(i)
	}
	slices.SortFunc(c.byEnd, func(a, b int32) int { return cmp.Compare(records[a].End, records[b].End) })
	return c
}

func (c *sessionCheck) run() {
	c.gather()
	c.checkStaleness()
	c.checkOrder()
	c.checkValues()
	c.checkDeletion()
}

// gather finds what was acknowledged and what is known of the session's end.
func (c *sessionCheck) gather() {
	first := func(a *Record, b *Record) *Record {
		if a == nil || b.End < a.End {
			return b
		}
		return a
	}
	for i := range c.records {
		r := &c.records[i]
		c.report.count(r)
		if r.writes() && r.Outcome == OK {
			c.acknowledged = append(c.acknowledged, acknowledged{write: r})
		}
		if r.Kind == Delete && (r.Outcome == OK || r.Outcome == Failed) {
			c.deleteBegan = min(c.deleteBegan, r.Start)
		}
		if r.Kind == Delete && r.Outcome == OK {
			c.deleted = first(c.deleted, r)
		}
		if r.Kind == Delete && r.Outcome == OK || r.Outcome == NotFound {
			c.seenGone = first(c.seenGone, r)
		}
	}
	slices.SortStableFunc(c.acknowledged, func(a, b acknowledged) int { return cmp.Compare(a.write.Rev, b.write.Rev) })
	var since *Record
	for i := len(c.acknowledged) - 1; i >= 0; i-- {
		since = first(since, c.acknowledged[i].write)
		c.acknowledged[i].firstSince = since
	}
}

// writes reports whether the operation makes a revision.
func (r *Record) writes() bool { return r.Kind == Create || r.Kind == Change || r.Kind == Update }

// missed returns the first acknowledged change that a reader of the revision
// does not know, or nil.
func (c *sessionCheck) missed(rev uint32) *Record {
	i, _ := slices.BinarySearchFunc(c.acknowledged, rev, func(a acknowledged, rev uint32) int {
		if a.write.Rev <= rev {
			return -1
		}
		return 1
	})
	missed := c.deleted
	if i < len(c.acknowledged) {
		if since := c.acknowledged[i].firstSince; missed == nil || since.End < missed.End {
			missed = since
		}
	}
	return missed
}
