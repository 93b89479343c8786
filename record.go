package coatcheck

import (
	"crypto/sha256"
	"time"
)

// Record is what a [Store] keeps of one session. It holds nothing with which
// anybody could log in.
//
// All times are in UTC, whole milliseconds. A store returns every field as it
// was given, byte for byte; an empty Value may come back as nil.
type Record struct {
	// ID names the record: 22 characters of URL-safe base64.
	ID string

	// Incarnation is drawn at random when the record is created and never
	// changes. It tells a record from a later one under the same ID, which the
	// revision alone cannot do.
	Incarnation uint64

	// Rev is the revision: 1 at creation, one more at every change.
	Rev uint64

	// SecretHash is SHA-256 over the text of the token.
	SecretHash [sha256.Size]byte

	// Subject is who the session belongs to, such as a user's id; may be empty.
	Subject string

	// Value is the application's data, encoded.
	Value []byte

	// CreatedAt is when the session was created.
	CreatedAt time.Time

	// ExpiresAt is when the record ceases to exist unless it is extended, idle
	// and absolute timeout taken together. The zero time means never.
	ExpiresAt time.Time

	// AbsoluteDeadline is the latest ExpiresAt that any extension may reach.
	// The zero time means that there is no such limit.
	AbsoluteDeadline time.Time

	// IdleTimeout is how far a use of the session extends it. Zero means that
	// idleness does not end it.
	IdleTimeout time.Duration
}

// Expired reports whether the record has ceased to exist at the given time.
func (r *Record) Expired(now time.Time) bool {
	return !r.ExpiresAt.IsZero() && !now.Before(r.ExpiresAt)
}

// idleDeadline returns the ExpiresAt of a record that is used now.
func (r *Record) idleDeadline(now time.Time) time.Time {
	if r.IdleTimeout == 0 {
		return r.AbsoluteDeadline
	}
	return Earlier(now.Add(r.IdleTimeout), r.AbsoluteDeadline)
}

func (r *Record) info() Info {
	return Info{ID: r.ID, Rev: r.Rev, Subject: r.Subject, CreatedAt: r.CreatedAt, ExpiresAt: r.ExpiresAt}
}

// Earlier returns the earlier of two deadlines of a [Record], of which the
// zero time is the latest of all: never. Stores need it for [Toucher].
func Earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Info is what is known about a session besides its value.
type Info struct {
	ID        string    // public name of the session, see [Token.ID]
	Rev       uint64    // revision of the value: 1 at creation, +1 at every change
	Subject   string    // who it belongs to; may be empty
	CreatedAt time.Time // in UTC, whole milliseconds, as is ExpiresAt
	ExpiresAt time.Time // when it ends unless it is used; the zero time means never
}

// now is the wall clock as records see it: UTC, whole milliseconds.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
