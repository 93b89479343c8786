package coatcheck

import (
	"context"
	"time"
)

// Watcher is a [Store] that reports what changes in it, which is what lets a
// manager keep values in memory for longer than MaxStaleness.
type Watcher interface {
	// Watch reports to the sink until ctx ends, and then returns the context's
	// error. It repairs what breaks on its own, for ever, and returns otherwise
	// only where it can never succeed: an error that wraps [errors.ErrUnsupported]
	// or [ErrClosed]; a store that is closed has called Lost by then. Any number of calls may be under way at once. Every interval,
	// which is positive, it tells the sink how far it has reported; a store that
	// cannot miss any change ignores the interval.
	//
	// What it reports: each Update and Delete, made by anyone, of a record that
	// was loaded, updated or touched through this Store since the last Lost and
	// the last report of that record with Rev 0. (It may report more: other
	// records, creations, extensions, expiry. Reports may overtake each other. A
	// record that was merely created need not be watched: many are never read
	// where they were made, and it would cost each creation a second command.) A change that was made through this Store, or that may have been,
	// is reported before the method that made it returns; if its context ended
	// while it was under way, once more when it is made, unless every later Load
	// is bound to see it. No call reaches the sink when Watch has returned.
	Watch(ctx context.Context, interval time.Duration, sink WatchSink) error
}

// WatchSink hears of the changes in a [Store]. Its methods are safe for
// concurrent use and return at once; they do not call the store.
type WatchSink interface {
	// Changed says that records are not what they were. The slice is the
	// store's, which uses it again.
	Changed(changes ...RecordChange)

	// Lost says that changes may have gone unreported: all that is known of any
	// record by now is worth nothing. A watch begins with it.
	Lost()

	// CaughtUp says that every change that finished before asOf, a time of this
	// process's clock that is not ahead of it, has been reported. A store that
	// cannot miss any, since all changes are made through this very Store, says
	// so once, with a time that is about a century ahead. The time has a monotonic
	// reading, as that of time.Now and Add has.
	CaughtUp(asOf time.Time)
}

// RecordChange is what a [Watcher] reports of one record.
type RecordChange struct {
	// ID names the record.
	ID string

	// Rev is the revision that the record has reached; 0 if the record is gone,
	// or it is not known which. Who holds this revision or a later one need not
	// drop it.
	Rev uint64

	// Expired says that the record was removed because its deadline had passed,
	// where that is known. Rev is 0 then.
	Expired bool

	// Own says that the change was made through this very Store.
	Own bool

	// Node names the process that made the change, where that is known.
	Node string
}
