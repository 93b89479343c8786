package coatcheck

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// A change that meets another tries again after a random pause, so that any
// number of writers get through; whoever fails so often gives up. Of w writers
// that meet at every turn one succeeds, so that 100 attempts and pauses that
// grow to a mean of 25 ms carry hundreds of processes.
const (
	maxAttempts = 100
	firstPause  = time.Millisecond
	longestWait = 50 * time.Millisecond
)

// Update replaces the value behind the token, whatever it is by now: the last
// writer wins, on purpose. Where the new value depends on the old one, use
// [Manager.Change]. It extends the idle deadline.
//
// Besides the general errors it returns [ErrTooLarge], [ErrInvalid] for a
// value that the codec cannot encode, and a [ConflictError] if [IfRev] does not
// hold. After any other error than these the update may have been made.
func (m *Manager[T]) Update(ctx context.Context, token Token, value T, opts ...UpdateOption) error {
	if m.closed.Load() {
		return m.failed("update", token.ID(), ErrClosed)
	}
	data, err := m.encode(value)
	if err != nil {
		return m.failed("update", token.ID(), err)
	}
	with := rewrite[T]{value: func(*entry[T]) ([]byte, error) { return data, nil }}
	if _, err := m.swap(ctx, token, with, opts...); err != nil {
		return m.failed("update", token.ID(), err)
	}
	return nil
}

// Change changes the value behind the token atomically: fn is given a private
// copy of the newest value, and what it leaves there is stored unless somebody
// else was faster, in which case fn is run again on the newer value. So fn may
// run more than once and should do nothing but change the value. It must not
// change the same session through the manager. If fn returns an error, nothing
// is stored and Change returns that error; it may have run first on a value from
// memory that was behind, and then again on the store's. It extends the idle deadline.
//
// Besides the errors of [Manager.Update] it returns [ErrDecode] if the stored
// value does not fit T, and, when so many others changed the session that it
// gave up after 100 attempts, an error that says so and wraps [ErrConflict].
func (m *Manager[T]) Change(ctx context.Context, token Token, fn func(*T) error, opts ...UpdateOption) error {
	apply := func(e *entry[T]) ([]byte, error) {
		value, err := m.privateCopy(e)
		if err != nil {
			return nil, err
		}
		if err := fn(&value); err != nil {
			return nil, &fnError{err}
		}
		return m.encode(value)
	}
	_, err := m.swap(ctx, token, rewrite[T]{value: apply}, opts...)
	return m.failedUnlessByFn("change", token.ID(), err)
}

// failedUnlessByFn is failed, but for what the caller's own function returned.
func (m *Manager[T]) failedUnlessByFn(doing, id string, err error) error {
	if err == nil {
		return nil // before the variable, which is on the heap
	}
	var declined *fnError
	if errors.As(err, &declined) {
		return declined.cause
	}
	return m.failed(doing, id, err)
}

// fnError is what the caller's function returned. It hides what that wraps: an
// ErrConflict of the caller's is none of the store's.
type fnError struct{ cause error }

func (f *fnError) Error() string { return f.cause.Error() }

// rewrite says what is to become of a session.
type rewrite[T any] struct {
	value   func(*entry[T]) ([]byte, error) // what follows upon the entry, encoded
	token   Token                           // if another one
	grace   time.Duration                   // for which the one before is accepted then
	subject *string                         // likewise
	known   *entry[T]                       // what the caller has read, if it has
}

// swap is compare-and-swap on the record, repeated until it succeeds.
func (m *Manager[T]) swap(ctx context.Context, token Token, with rewrite[T], opts ...UpdateOption) (*entry[T], error) {
	var o updateOptions
	for _, opt := range opts {
		opt.applyUpdate(&o)
	}
	if err := m.usable(token); err != nil {
		return nil, err
	}
	// Correctness rests on the store's compare-and-swap alone. That changes of
	// one session queue up within this process only saves wasted attempts.
	turn, err := m.changes.enter(ctx, string(token[:idLen]))
	if err != nil {
		return nil, err
	}
	defer turn.leave()

	if with.subject == nil || *with.subject == "" {
		return m.swapInTurn(ctx, token, &with, &o)
	}
	id := string(token[:idLen])
	if err := m.admit(ctx, *with.subject, id); err != nil {
		return nil, err
	}
	e, err := m.swapInTurn(ctx, token, &with, &o)
	if err == nil {
		err = m.limit(ctx, *with.subject, id)
	}
	return e, err
}

// swapInTurn is swap, when it is this caller's turn.
func (m *Manager[T]) swapInTurn(ctx context.Context, token Token, with *rewrite[T], o *updateOptions) (*entry[T], error) {
	// What is known already may spare the first attempt its read. But it may be
	// behind: it is no reason to refuse, nor to wait before the next attempt.
	first := 0
	known, _ := m.cached(token)
	if known == nil {
		known = with.known
	}
	if known != nil {
		e, err := m.trySwap(ctx, token, known, with, o)
		switch {
		case err == nil:
			return e, nil
		case asRefusal(err) != nil:
		case errors.Is(err, ErrConflict):
			m.conflicts.Add(1)
			first = 1
		default:
			return nil, err
		}
	}
	for attempt := first; attempt < maxAttempts; attempt++ {
		if err := pause(ctx, attempt-first); err != nil {
			return nil, err
		}
		by := unproven
		if known != nil {
			by = proven
		}
		e, err := m.load(ctx, token, by)
		if err != nil {
			return nil, err
		}
		known = e
		e, err = m.trySwap(ctx, token, e, with, o)
		switch refused := asRefusal(err); {
		case err == nil:
			return e, nil
		case refused != nil:
			return nil, refused.cause
		case !errors.Is(err, ErrConflict):
			return nil, err
		}
		m.conflicts.Add(1)
	}
	return nil, fmt.Errorf("gave up after %d attempts, each overtaken by another writer: %w", maxAttempts, ErrConflict)
}

// refusal is an error for which the store was not asked.
type refusal struct{ cause error }

func (r *refusal) Error() string { return r.cause.Error() }

func asRefusal(err error) *refusal {
	if err == nil {
		return nil // before the variable, which is on the heap
	}
	var refused *refusal
	errors.As(err, &refused)
	return refused
}

// trySwap is one attempt at making of e what it is to become.
func (m *Manager[T]) trySwap(ctx context.Context, token Token, e *entry[T], with *rewrite[T], o *updateOptions) (*entry[T], error) {
	if o.conditional && !slices.Contains(o.revs, e.Rev) {
		return nil, &refusal{&ConflictError{e.Rev}}
	}
	data, err := with.value(e)
	if err != nil {
		return nil, &refusal{err}
	}
	r, how := record(token, e), updated
	at := now()
	switch {
	case with.token != "" && with.grace > 0 && e.Value.former(): // another request has renewed it
		return nil, &refusal{ErrRenewed}
	case with.token != "":
		r.retire(at, with.grace)
		token = with.token
		r.SecretHash = token.hash()
	case e.Value.former():
		how = updatedByFormer
	}
	if with.subject != nil {
		if *with.subject != "" { // a login
			r.AbsoluteDeadline = m.deadlineOfLogin(at, &r)
		}
		r.Subject = *with.subject
	}
	if c := clientOf(ctx); c != (Client{}) {
		r.Client = c
	}
	r.Value = data
	r.Rev++
	r.ExpiresAt = r.idleDeadline(at)
	before := e.Value.client()
	e, err = m.write(token, &r, how, func() error { return m.store.Update(ctx, r) })
	if err != nil {
		return nil, err
	}
	kind := SessionChanged
	if with.token != "" {
		kind = SessionRenewed
	}
	m.emitChange(ctx, kind, &r, before)
	report(o.info, &r)
	return e, nil
}

// deadlineOfLogin returns the absolute deadline of a session in which somebody signs
// in: from the login on it lasts as long as it was to last from its
// creation on, or as it would have if it had not been anonymous.
func (m *Manager[T]) deadlineOfLogin(at time.Time, r *Record) time.Time {
	if r.AbsoluteDeadline.IsZero() {
		return r.AbsoluteDeadline
	}
	lifetime := r.AbsoluteDeadline.Sub(r.CreatedAt)
	absolute := m.config.AbsoluteTimeout
	switch {
	case absolute != Never && lifetime > absolute: // it has one of its own, or this is not its first login
		if other := at.Add(absolute); r.AbsoluteDeadline.Before(other) {
			return other
		}
		return r.AbsoluteDeadline
	case lifetime == finite(m.config.AnonymousTimeout):
		return deadline(at, absolute)
	default:
		return at.Add(lifetime)
	}
}

// pause waits before all attempts but the first, numbered 0, for a random time
// that grows with their number.
func pause(ctx context.Context, attempt int) error {
	if attempt == 0 {
		return nil
	}
	limit := min(firstPause<<min(attempt-1, 10), longestWait)
	timer := time.NewTimer(rand.N(limit))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
