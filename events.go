package coatcheck

import (
	"context"
	"fmt"
	"time"
)

// Event is something that happened in a manager.
type Event struct {
	Kind EventKind

	// Time is when the manager learned of it.
	Time time.Time

	// SessionID names the session, if the event is about one.
	SessionID string

	// Subject is who the session belongs to, where that is known.
	Subject string

	// Client is who the call was made for that caused the event, if that is
	// recorded; Before is who used the session before, with [ClientChanged].
	Client, Before Client

	// Rev is the revision, where it is known.
	Rev uint64

	// Node names the process that made a change, where it is known.
	Node string

	// Size is how many entries a cache held that was cleared.
	Size int
}

// EventKind says what happened.
type EventKind int

const (
	// EntryWritten: a session was put into the near cache.
	EntryWritten EventKind = iota + 1

	// CacheCleared: the near cache was emptied, by its schedule or because the
	// watch of the store was broken.
	CacheCleared

	// ChangeReceived: the store reported that another process changed, extended or
	// ended a session, or may have. Redis with Tracking, the default, tells neither
	// Rev nor Node.
	ChangeReceived

	// DecodeFailed: what the store holds of a session does not fit the type of the
	// value.
	DecodeFailed

	// SessionCreated: this manager has stored a new session.
	SessionCreated

	// SessionChanged: this manager has changed a session: its value, or, with a
	// read, who used it last.
	SessionChanged

	// SessionRenewed: this manager has given a session a new token, and changed with
	// it what else was to be changed. So it is with a login: Subject is the new one.
	SessionRenewed

	// SessionDeleted: this manager has ended a session for a holder of its token,
	// as by a logout.
	SessionDeleted

	// SessionRevoked: this manager has ended a session for somebody else: by
	// [Manager.Revoke] or [Manager.RevokeAll], by MaxSessions, or because a
	// retired token was used.
	SessionRevoked

	// SessionExpired: a deadline has passed. Best effort: a store in memory or
	// SQLite tells when it removes the record, the process that does so, up to a
	// SweepInterval later, and only if it is watched, for the sake of a near
	// cache; Redis tells nobody.
	SessionExpired

	// TokenReused: somebody has shown a token that a renewal had retired, when its
	// grace was over for longer than RenewGrace: it, or the one that followed it, has been stolen, or the client
	// has missed the renewal. See Config.OnReuse.
	TokenReused

	// ClientChanged: a session is used by another [Client] than before.
	ClientChanged
)

var kindNames = [...]string{
	EntryWritten: "entry written", CacheCleared: "cache cleared", ChangeReceived: "change received",
	DecodeFailed: "decode failed", SessionCreated: "session created", SessionChanged: "session changed",
	SessionRenewed: "session renewed", SessionDeleted: "session deleted", SessionRevoked: "session revoked",
	SessionExpired: "session expired", TokenReused: "token reused", ClientChanged: "client changed",
}

// String returns a name for logs.
func (k EventKind) String() string {
	if k < EntryWritten || int(k) >= len(kindNames) {
		return fmt.Sprintf("event %d", int(k))
	}
	return kindNames[k]
}

// eventBacklog is how many events may wait for OnEvent before more are lost.
const eventBacklog = 4096

// emit hands an event to OnEvent, which must not hold up its cause.
func (m *Manager[T]) emit(e Event) {
	if m.config.OnEvent == nil {
		return
	}
	if e.Kind <= ChangeReceived && len(m.background.events) > eventBacklog/2 { // room for what matters more
		m.droppedEvents.Add(1)
		return
	}
	e.Time = time.Now()
	select {
	case m.background.events <- e:
	default:
		m.droppedEvents.Add(1)
	}
}

// emitFor is emit for what a caller has caused.
func (m *Manager[T]) emitFor(ctx context.Context, e Event) {
	if m.config.OnEvent != nil {
		e.Client = clientOf(ctx)
		m.emit(e)
	}
}

// emitChange tells of a record that was written.
func (m *Manager[T]) emitChange(ctx context.Context, kind EventKind, r *Record, before Client) {
	if m.config.OnEvent == nil {
		return
	}
	e := Event{Kind: kind, SessionID: r.ID, Subject: r.Subject, Rev: r.Rev}
	m.emitFor(ctx, e)
	if before != r.Client && before != (Client{}) {
		e.Kind, e.Before = ClientChanged, before
		m.emitFor(ctx, e)
	}
}
