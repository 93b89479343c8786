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

	// Retired are the secrets that the session had before, the latest first,
	// [MaxRetired] at most.
	Retired []Retired

	// Subject is who the session belongs to, such as a user's id; may be empty.
	Subject string

	// Client is who used the session last, if that is recorded.
	Client Client

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

// renewedAt returns when the token was issued.
func (r *Record) renewedAt() time.Time {
	if len(r.Retired) > 0 {
		return r.Retired[0].At
	}
	return r.CreatedAt
}

// signedInAt returns when the token was issued last for another reason than its age,
// or, if that is forgotten, when the session was created.
func (r *Record) signedInAt() time.Time {
	for _, old := range r.Retired {
		if !old.Until.After(old.At) {
			return old.At
		}
	}
	return r.CreatedAt
}

func (r *Record) info() Info {
	i := Info{
		ID: r.ID, Rev: r.Rev, Subject: r.Subject, Client: r.Client,
		CreatedAt: r.CreatedAt, RenewedAt: r.renewedAt(), ExpiresAt: r.ExpiresAt,
	}
	i.LastSeen = i.RenewedAt
	if used := r.ExpiresAt.Add(-r.IdleTimeout); r.IdleTimeout != 0 && !r.ExpiresAt.IsZero() && used.After(i.LastSeen) {
		i.LastSeen = used
	}
	return i
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
	Rev       uint64    // revision of the session: 1 at creation, +1 at every change
	Subject   string    // who it belongs to; may be empty
	Client    Client    // who used it last, if that is recorded
	CreatedAt time.Time // in UTC, whole milliseconds, as are the other times
	RenewedAt time.Time // when its token was issued
	ExpiresAt time.Time // when it ends unless it is used; the zero time means never

	// LastSeen is the last use that is known: exact to a TouchInterval, as long
	// as the use of a session extends its life. That of a session without an idle
	// timeout does not, nor does it when less than that is left until the absolute
	// deadline.
	LastSeen time.Time
}

// now is the wall clock as records see it: UTC, whole milliseconds.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
