package chaos

import "time"

// clockError is how far the wall clock, by which a grace ends, may be from what
// the records say: it is read in whole milliseconds, and may be adjusted.
const clockError = int64(5 * time.Millisecond)

// token is what is known of one of the session's tokens.
type token struct {
	issued *Record // the creation or the renewal that issued it; nil: nobody did

	// What starts later than closed is refused, because of an acknowledged
	// renewal. A node that made such a renewal at once has nothing else in memory.
	closed   int64
	closedBy *Record
	closedOn map[uint8]*Record

	// What ends earlier than mayEnd was not refused because of a renewal. A
	// deletion that ends earlier than mayBeIgnored has ended the session: a former
	// token does that for a while yet.
	mayEnd       int64
	mayBeIgnored int64

	replaced *Record // the acknowledged renewal with grace that ended first of those that came after it
	refused  *Record // the operation that ended first of those that were refused
}

// gatherTokens finds what is known of the tokens.
func (c *sessionCheck) gatherTokens() {
	c.tokens = map[uint64]*token{}
	shown := map[uint64]int64{} // by secret: the last start of an acknowledged write
	var renewals []*Record
	for i := range c.records {
		r := &c.records[i]
		if r.Outcome == OK && (r.Kind == Create || r.Kind == Renew) {
			c.tokenIssued(r)
		}
		if r.Outcome == OK && r.writes() && r.Kind != Create {
			shown[r.Secret] = r.Start
		}
		if r.Kind == Renew && r.tried() {
			renewals = append(renewals, r)
		}
		if r.Outcome == NotFound {
			t := c.tokenOf(r)
			t.refused = first(t.refused, r)
		}
	}
	for secret, t := range c.tokens {
		if t.issued == nil {
			continue
		}
		for _, r := range renewals {
			if c.mayRetire(r, t, shown[secret]) {
				c.retires(r, t)
			}
		}
	}
}

// tokenOf returns what is known of the token that was shown.
func (c *sessionCheck) tokenOf(r *Record) *token {
	t := c.tokens[r.Secret]
	if t == nil {
		t = &token{closed: never, mayEnd: never, mayBeIgnored: never}
		c.tokens[r.Secret] = t
	}
	return t
}

func (c *sessionCheck) tokenIssued(by *Record) { c.tokenOf(&Record{Secret: by.Op}).issued = by }

// mayRetire reports whether the renewal may have retired the token, which was
// shown last by an acknowledged write that started then.
//
// A renewal that failed may be made long after its end; but no more once another
// write is made that began after that, which had every revision before its own.
// If that was let in by the token, the renewal had not retired it before either.
func (c *sessionCheck) mayRetire(r *Record, t *token, shown int64) bool {
	switch {
	case r == t.issued:
		return false
	case r.Outcome == OK:
		return r.Rev > t.issued.Rev
	default:
		return r.End >= t.issued.Start && c.latestEnd(r) >= shown
	}
}

// earliestEnd returns from when on tokens may be refused because of the renewal.
func (c *sessionCheck) earliestEnd(r *Record) int64 {
	if r.Grace {
		return r.Start + c.grace - clockError
	}
	return r.Start
}

// latestEnd returns until when tokens may be accepted that the renewal has
// retired by its end.
func (c *sessionCheck) latestEnd(r *Record) int64 {
	if r.Grace {
		return r.End + c.grace + clockError
	}
	return r.End
}

// retires has the token end by the renewal, or perhaps end.
func (c *sessionCheck) retires(r *Record, t *token) {
	t.mayEnd = min(t.mayEnd, c.earliestEnd(r))
	t.mayBeIgnored = min(t.mayBeIgnored, r.Start+c.grace-clockError)
	if r.Outcome != OK {
		return
	}
	if closed := c.latestEnd(r); closed < t.closed {
		t.closed, t.closedBy = closed, r
	}
	if r.Grace {
		t.replaced = first(t.replaced, r)
	} else {
		if t.closedOn == nil {
			t.closedOn = map[uint8]*Record{}
		}
		t.closedOn[r.Node] = first(t.closedOn[r.Node], r)
	}
}

// checkTokens is about OldTokens, and about tokens that are refused though
// nothing has ended them: somebody was logged out.
func (c *sessionCheck) checkTokens() {
	for i := range c.records {
		r := &c.records[i]
		t := c.tokens[r.Secret]
		switch {
		case r.Kind == Create || r.Secret == NoSecret:
			continue
		case t == nil || t.issued == nil:
			c.violation(NoLostUpdate, "shows a token that nobody was given: the history is damaged", r, nil)
			continue
		}
		switch {
		case r.Outcome == NotFound && r.Start > t.closed:
			c.report.RefusedOld++
		case r.Outcome == OK && t.replaced != nil && r.Start > t.replaced.End && r.Start <= t.closed:
			c.report.WithinGrace++
		}
		switch {
		case r.Outcome == NotFound && r.End < min(t.mayEnd, c.endBegan):
			c.violation(NoLostUpdate, "finds nothing although nothing had begun to end the token or the session", r, nil)
		case r.Outcome == OK && !r.ends():
			c.checkAdmission(r, t)
		}
	}
}

// checkAdmission is about an operation that the token has let in.
func (c *sessionCheck) checkAdmission(r *Record, t *token) {
	here := t.closedOn[r.Node]
	switch late := r.Start - t.closed; {
	case r.writes() && late > 0:
		c.violation(OldTokens, "is let in by a token that was retired", r, t.closedBy)
	case r.writes() && t.refused != nil && r.Start > t.refused.End && !(c.seenGone != nil && r.Start > c.seenGone.End):
		c.violation(OldTokens, "is let in by a token that had been refused", r, t.refused)
	case r.Grace && t.replaced != nil && r.Start > t.replaced.End: // the holder is about to get the other new token
		c.violation(OldTokens, "renews with grace what another renewal had given a new token", r, t.replaced)
	case r.writes():
	case late > c.maxStaleness:
		c.violation(OldTokens, "is let in so long after its token was retired: "+time.Duration(late).String(), r, t.closedBy)
	case here != nil && r.Start > here.End:
		c.violation(OldTokens, "is let in by a token that its own node had retired", r, here)
	}
}
