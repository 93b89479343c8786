package coatcheck

import (
	"context"
	"iter"
)

// Store is where records live. Package storetest holds the rules below as
// test cases that any implementation can run.
//
// Concurrency: all methods may be called by many goroutines at once. Many
// processes may share one backend, and each rule holds across them.
//
// Expiry: a record whose ExpiresAt has come is absent for every method, at
// once, whether or not it was swept. (The manager checks deadlines once more,
// so a clock of the store's backend that is behind lets nobody in.)
//
// Errors: a miss is [ErrNotFound]. Whatever keeps a store from its work, be it
// an unreachable server or a full disk, is an error that wraps
// [ErrUnavailable] and the cause, never ErrNotFound. A context that ends makes
// the method return promptly with the context's error; the change is then made
// in full or not at all. A closed store returns an error that wraps
// [ErrClosed]. No error text may contain a value, a hash or a password.
//
// Memory: a store neither keeps nor changes a slice that it was given, and
// never hands out one twice.
//
// Not promised: that a change that returned an error other than ErrConflict,
// ErrExists or ErrNotFound was not made; that records outlive the process
// (a store says so itself); any order in List.
//
// A store may implement more than these four methods: see [Toucher], [Lister],
// [SubjectIndex], [Pinger] and [Watcher]. One that wraps another store may have
// these methods whatever the other can do: where the other cannot, they return an
// error that wraps [errors.ErrUnsupported], at once and always, and count as
// absent. So call them by [Touch], [List], [ListSubject] and [Ping].
type Store interface {
	// Load returns the living record, or ErrNotFound.
	Load(ctx context.Context, id string) (Record, error)

	// Create files a new record. It never overwrites: if a living record has
	// the ID, the result is ErrExists and that record stays as it is. Of many
	// concurrent calls for one ID exactly one succeeds.
	Create(ctx context.Context, r Record) error

	// Update replaces the record if the stored one has the same Incarnation
	// and the revision r.Rev-1. Otherwise nothing changes: ErrConflict if it
	// has another revision; ErrNotFound if it is gone, also when another
	// incarnation lives under the ID. Update never creates a record.
	Update(ctx context.Context, r Record) error

	// Delete removes whatever is filed under id; nil if nothing is. No Update
	// that was under way brings the record back.
	Delete(ctx context.Context, id string) error
}

// Toucher is a [Store] that can extend the life of a record without a new
// revision, which costs less than an Update and conflicts with none.
type Toucher interface {
	// Touch raises the deadline of the living record with r.ID and
	// r.Incarnation to r.ExpiresAt. It never shortens it, never extends it past
	// the record's AbsoluteDeadline, changes nothing else and never revives:
	// ErrNotFound if there is no such record.
	Touch(ctx context.Context, r Record) error
}

// Lister is a [Store] that can enumerate its records.
type Lister interface {
	// List yields all living records in no particular order. A record that
	// lives throughout is yielded once, or more often if records are created or
	// deleted meanwhile; one that is created, changed or deleted itself may be
	// missed, or yielded as it was before or after. The store reads ahead by a
	// page at most. After an error nothing more is yielded.
	List(ctx context.Context) iter.Seq2[Record, error]
}

// SubjectIndex is a [Store] that can find the records of a subject without
// looking at all others.
type SubjectIndex interface {
	// ListSubject yields the living records of a subject, which is not empty, in
	// no particular order, each once, without their values: Value is nil. It misses
	// none whose Create, or the Update that gave it the subject, returned before the
	// call, also if the process that made it died right after, or if others were
	// listed, created and deleted all the while; one that is created, changed or
	// deleted during the call may be missed, or yielded as it was before or after.
	//
	// One that cannot be decoded is yielded with its ID and the subject, and an
	// error that wraps ErrDecode, and the listing goes on: whoever damages a record
	// must not keep the others from being found. After any other error nothing more
	// is yielded.
	ListSubject(ctx context.Context, subject string) iter.Seq2[Record, error]
}

// Pinger is a [Store] that can tell whether it would be able to do its work.
type Pinger interface {
	// Ping returns nil, or an error that wraps ErrUnavailable and the cause.
	Ping(ctx context.Context) error
}
