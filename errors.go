package coatcheck

import (
	"errors"
	"fmt"
)

// The errors of this package and of every [Store]. They are wrapped with
// context on their way up, so compare with [errors.Is].
var (
	// ErrNotFound says that there is nothing behind the token: it is unknown,
	// malformed, expired or revoked, or its secret is wrong. These cases are
	// alike on purpose, so that guessing teaches nothing.
	ErrNotFound = errors.New("not found")

	// ErrConflict says that the record is no longer at the revision that the
	// caller expected.
	ErrConflict = errors.New("conflict: the record was changed by somebody else")

	// ErrExists says that the ID is taken by a living record.
	ErrExists = errors.New("a record with this ID exists")

	// ErrTooLarge says that the encoded value is longer than MaxValueBytes.
	ErrTooLarge = errors.New("value too large")

	// ErrDecode says that what the store holds does not fit the Go type (or is
	// damaged). The record is left as it was.
	ErrDecode = errors.New("stored value cannot be decoded")

	// ErrSnapshotChanged says that a caller of Get has changed the value that it
	// was given, which others share: see [NearCache].CheckSnapshots.
	ErrSnapshotChanged = errors.New("a value returned by Get was changed by its receiver: copy it first, or use Change")

	// ErrTokenFixed says that a session was to be given a token after
	// [Session.FixToken]. In a response that has begun it is too late for that:
	// change the session before you write.
	ErrTokenFixed = errors.New("the client can no longer be given a new token")

	// ErrRenewed says that the session was renewed by another request just now,
	// which has the new token. The old one still works for RenewGrace.
	ErrRenewed = errors.New("renewed by another request just now")

	// ErrTooManySessions says that a subject has as many sessions as
	// Config.MaxSessions allows.
	ErrTooManySessions = errors.New("too many sessions of one subject")

	// ErrUnavailable says that the store could not be reached or could not do
	// its work. A change that failed with it may or may not have been made.
	ErrUnavailable = errors.New("store unavailable")

	// ErrClosed says that the manager or the store was closed.
	ErrClosed = errors.New("manager or store closed")

	// ErrInvalid says that an argument can never be accepted as it is, such as
	// an ID of the wrong length; the text says what is wrong and what would do.
	ErrInvalid = errors.New("invalid argument")
)

// ConflictError is the [ErrConflict] of a call whose [IfRev] does not hold.
type ConflictError struct {
	Rev uint64 // at which the value is
}

// Error says at which revision the value is.
func (e *ConflictError) Error() string { return fmt.Sprintf("%v: at revision %d", ErrConflict, e.Rev) }

// Unwrap returns ErrConflict.
func (e *ConflictError) Unwrap() error { return ErrConflict }
