package coatcheck

import (
	"fmt"
	"time"
	"unicode/utf8"
)

// MaxSubjectBytes limits the subject of a session.
const MaxSubjectBytes = 255

// GenerateOption adjusts one call of [Manager.Generate].
type GenerateOption interface{ applyGenerate(*generateOptions) }

// UpdateOption adjusts one call of [Manager.Update] or [Manager.Change].
type UpdateOption interface{ applyUpdate(*updateOptions) }

// RefreshOption adjusts one call of [Manager.Refresh].
type RefreshOption interface{ applyRefresh(*refreshOptions) }

// DeleteOption adjusts one call of [Manager.Delete].
type DeleteOption interface{ applyDelete(*deleteOptions) }

type generateOptions struct {
	id, subject    string
	idle, absolute time.Duration
	info           *Info
	faults         []error
}

type updateOptions struct {
	conditional bool
	revs        []uint64 // that will do, if conditional
	info        *Info
}

type refreshOptions struct{ info *Info }

type deleteOptions struct{ everywhere bool }

type generateFunc func(*generateOptions)

func (f generateFunc) applyGenerate(o *generateOptions) { f(o) }

// SubjectOption is the result of [ForSubject]; Generate and Renew take it.
type SubjectOption struct{ subject string }

// ForSubject says who the session belongs to, such as a user's id: valid
// UTF-8, 255 bytes at most. Empty means nobody.
func ForSubject(subject string) SubjectOption { return SubjectOption{subject} }

func (s SubjectOption) applyGenerate(o *generateOptions) {
	o.subject = s.subject
	if err := checkSubject(s.subject); err != nil {
		o.faults = append(o.faults, err)
	}
}

func checkSubject(subject string) error {
	if len(subject) > MaxSubjectBytes || !utf8.ValidString(subject) {
		return fmt.Errorf("%w: subject must be valid UTF-8 of at most %d bytes, got %d bytes",
			ErrInvalid, MaxSubjectBytes, len(subject))
	}
	return nil
}

// WithID files the session under an ID of the caller's instead of a random
// one: 22 characters of URL-safe base64. Generate returns [ErrExists] if it is
// taken. The secret is random all the same.
//
// IDs are public names: they may be predictable, but should not be given out
// again while somebody may still be ending the session that had the ID before.
func WithID(id string) GenerateOption {
	return generateFunc(func(o *generateOptions) {
		o.id = id
		if err := checkID(id); err != nil {
			o.faults = append(o.faults, err)
		}
	})
}

// WithIdleTimeout sets the idle timeout of this session only; [Never] for
// none. It may exceed the configured one, but not the absolute timeout, which
// ends the session in any case.
func WithIdleTimeout(d time.Duration) GenerateOption {
	return generateFunc(func(o *generateOptions) { o.setTimeout(&o.idle, "WithIdleTimeout", d) })
}

// WithAbsoluteTimeout sets the absolute timeout of this session only; [Never]
// for none.
func WithAbsoluteTimeout(d time.Duration) GenerateOption {
	return generateFunc(func(o *generateOptions) { o.setTimeout(&o.absolute, "WithAbsoluteTimeout", d) })
}

func (o *generateOptions) setTimeout(field *time.Duration, name string, d time.Duration) {
	*field = d
	if err := checkTimeout(name, d); err != nil {
		o.faults = append(o.faults, fmt.Errorf("%w: %w", ErrInvalid, err))
	}
}

type updateFunc func(*updateOptions)

func (f updateFunc) applyUpdate(o *updateOptions) { f(o) }

// IfRev makes the call fail with a [ConflictError] unless the session is at one
// of these revisions. They start at 1, so that 0 never holds; a renewal, and the
// recording of another [Client], make new ones, too.
func IfRev(revs ...uint64) UpdateOption {
	return updateFunc(func(o *updateOptions) { o.conditional, o.revs = true, revs })
}

// EverywhereOption is the result of [Everywhere]; Delete, Revoke and RevokeAll
// take it.
type EverywhereOption struct{}

func (EverywhereOption) applyDelete(o *deleteOptions) { o.everywhere = true }

// Everywhere has Delete, Revoke or RevokeAll return only when no process serves
// what was ended from its memory any more: MaxStaleness and ServeStaleFor after the
// deletion, or at once if the store is in this process's memory, as is the manager's
// near cache. All processes that share the store must have the same settings, or
// shorter ones. If ctx ends first, its error is returned; what was ended stays so.
func Everywhere() EverywhereOption { return EverywhereOption{} }

// InfoOption is the result of [WithInfo]; Generate, Update, Change, Refresh and
// Renew take it.
type InfoOption struct{ info *Info }

// WithInfo has the call, if it succeeds, store in *info what is then known of
// the session.
func WithInfo(info *Info) InfoOption { return InfoOption{info} }

func (i InfoOption) applyGenerate(o *generateOptions) { o.info = i.info }
func (i InfoOption) applyUpdate(o *updateOptions)     { o.info = i.info }
func (i InfoOption) applyRefresh(o *refreshOptions)   { o.info = i.info }

func report(to *Info, r *Record) {
	if to != nil {
		*to = r.info()
	}
}
