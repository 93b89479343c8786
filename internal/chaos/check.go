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

// Limits are the times on which the promises depend, as the nodes have them.
type Limits struct {
	MaxStaleness time.Duration
	RenewGrace   time.Duration
}

// Check holds a history against the promises. An operation that failed makes
// no promise and may have had its effect at any time from its start on, also
// after its end.
func Check(h *History, limits Limits) *Report {
	report := newReport(limits.MaxStaleness)
	for n := range h.ends {
		if records := h.session(n); len(records) > 0 {
			report.Sessions++
			newSessionCheck(records, limits, report).run()
		}
	}
	return report
}

// sessionCheck checks one session.
type sessionCheck struct {
	report       *Report
	maxStaleness int64
	grace        int64
	records      []Record // by start
	byEnd        []int32  // indexes of records

	// What all other rules rest on. Records are nil where there is none.
	acknowledged []acknowledged    // by revision
	tokens       map[uint64]*token // by secret
	proofs       []bool            // by index of records: whether it proves the session gone
	endBegan     int64             // the earliest start of what may have ended the session, acknowledged or not
	nextBegan    int64             // that of the next
	ended        *Record           // the acknowledged deletion that ended first
	seenGone     *Record           // the operation that ended first of those that prove the session gone
}

// acknowledged is a write of which its caller knows that it was made.
type acknowledged struct {
	write *Record

	// firstSince is the one that ended first of this and all later revisions.
	firstSince *Record
}

func newSessionCheck(records []Record, limits Limits, report *Report) *sessionCheck {
	c := &sessionCheck{
		report: report, records: records, endBegan: never, nextBegan: never,
		maxStaleness: int64(limits.MaxStaleness), grace: int64(limits.RenewGrace),
	}
	slices.SortFunc(records, func(a, b Record) int { return cmp.Compare(a.Start, b.Start) })
	c.byEnd = make([]int32, len(records))
	for i := range c.byEnd {
		c.byEnd[i] = int32(i)
	}
	slices.SortFunc(c.byEnd, func(a, b int32) int { return cmp.Compare(records[a].End, records[b].End) })
	return c
}

func (c *sessionCheck) run() {
	c.gatherWrites()
	c.gatherTokens()
	c.gatherEnds()
	c.checkStaleness()
	c.checkOrder()
	c.checkValues()
	c.checkTokens()
	c.checkDeletion()
}

// first returns the operation that ended first of two, one of which may be nil.
func first(a, b *Record) *Record {
	if a == nil || b.End < a.End {
		return b
	}
	return a
}

// gatherWrites finds what was acknowledged.
func (c *sessionCheck) gatherWrites() {
	for i := range c.records {
		r := &c.records[i]
		c.report.count(r)
		if r.writes() && r.Outcome == OK {
			c.acknowledged = append(c.acknowledged, acknowledged{write: r})
		}
	}
	slices.SortStableFunc(c.acknowledged, func(a, b acknowledged) int { return cmp.Compare(a.write.Rev, b.write.Rev) })
	var since *Record
	for i := len(c.acknowledged) - 1; i >= 0; i-- {
		since = first(since, c.acknowledged[i].write)
		c.acknowledged[i].firstSince = since
	}
}

// gatherEnds finds what is known of the session's end, apart from that of its
// tokens.
func (c *sessionCheck) gatherEnds() {
	c.proofs = make([]bool, len(c.records))
	for i := range c.records {
		r := &c.records[i]
		switch {
		case r.Outcome == NotFound:
			c.proofs[i] = c.tokenOf(r).mayEnd > r.End
		case r.ends() && r.tried():
			c.endBegan, c.nextBegan = min(c.endBegan, r.Start), min(c.nextBegan, max(c.endBegan, r.Start))
			// One by a token of long ago is answered like one of what is gone already.
			c.proofs[i] = r.Outcome == OK && c.tokenOf(r).mayBeIgnored > r.End
			if c.proofs[i] {
				c.ended = first(c.ended, r)
			}
		}
		if c.proofs[i] {
			c.seenGone = first(c.seenGone, r)
		}
	}
}

// byItself reports whether it was this operation that ended the session, if it is
// one that proves it gone: a revocation, unlike a deletion, does not learn of a
// session that others have ended, and which may still be in its node's memory.
func (c *sessionCheck) byItself(r *Record) bool {
	others := c.endBegan
	if r.Start == others {
		others = c.nextBegan
	}
	return r.Kind != Revoke || others > r.End
}

// missed returns the first acknowledged change that a reader of the revision
// does not know, or nil.
func (c *sessionCheck) missed(rev uint32) *Record {
	i, _ := slices.BinarySearchFunc(c.acknowledged, rev, func(a acknowledged, rev uint32) int {
		if a.write.Rev <= rev {
			return -1
		}
		return 1
	})
	missed := c.ended
	if i < len(c.acknowledged) {
		if since := c.acknowledged[i].firstSince; missed == nil || since.End < missed.End {
			missed = since
		}
	}
	return missed
}
