package coatcheck

import (
	"context"
	"time"
)

// ReusePolicy says what to do when a retired token is used after its grace.
type ReusePolicy int

const (
	// RevokeSession ends the session: whoever holds the new token must sign in
	// again, too, for nobody knows which of the two is the thief. (So RFC 9700,
	// section 4.14.2, has it for refresh tokens.)
	RevokeSession ReusePolicy = iota

	// ReportReuse only tells: by the event [TokenReused], the log and
	// Stats().TokensReused. The token opens nothing in any case.
	ReportReuse
)

// revokeTimeout bounds a revocation that does not end with the call that has caused
// it: that of a session whose retired token was used, since who is caught could give
// the call up, and that of one more than MaxSessions.
const revokeTimeout = 5 * time.Second

// reused is called when a secret is shown that was retired long enough ago for
// its owner to know, and returns what comes of it for who has shown it.
func (m *Manager[T]) reused(ctx context.Context, r *Record) outcome[T] {
	m.reuses.Add(1)
	m.emitFor(ctx, Event{Kind: TokenReused, SessionID: r.ID, Subject: r.Subject, Rev: r.Rev})
	if m.config.OnReuse == ReportReuse {
		m.warnOfReuse(r, "reported")
		return outcome[T]{Known: true, Rev: r.Rev, Err: errWrongSecret}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)
	defer cancel()
	if err := m.remove(ctx, r.ID, Event{Kind: SessionRevoked, Subject: r.Subject}); err != nil {
		// It lives, and will be revoked at the next use. What is in memory under the
		// old secret must not be served in the meantime, not by ServeStaleFor either.
		return outcome[T]{Known: true, Rev: r.Rev, Err: err}
	}
	m.warnOfReuse(r, "the session was revoked")
	return outcome[T]{Known: true, Err: ErrNotFound}
}

func (m *Manager[T]) warnOfReuse(r *Record, result string) {
	if m.reuseWarned.due() {
		m.config.Logger.Warn("coatcheck: a retired token was used: it may have been stolen", "session", r.ID, "result", result)
	}
}
