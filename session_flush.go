package coatcheck

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// Flush saves what was changed, all at once, and extends the idle deadline. It
// does nothing if nothing was. An existing session is compared and swapped: if
// somebody else has changed it since it was read, the changes are made again on
// the newer value. A new session is stored under a new token, but only if the
// value differs from the zero T or has a subject.
//
// Besides the general errors of [Manager] it returns
//
//   - [ErrNotFound] if the session was ended since it was read, or if the token is
//     not its own any more: what was to be saved is dropped;
//   - what a function given to Change returns when run again;
//   - [ErrTooLarge], [ErrInvalid], [ErrDecode] and [ErrConflict] as
//     [Manager.Change] does, [ErrTooManySessions] as [Manager.Renew] and
//     [Manager.Generate] do, and [ErrTokenFixed].
//
// After all of these but the first everything is left as it was, so that Flush
// can be called again; after [ErrUnavailable], or when ctx has ended, the changes may
// have been saved already, and a renewed token be lost. After ErrTooManySessions the
// session may have ended, if others signed in at the same moment.
func (s *Session[T]) Flush(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.Pending() {
		return nil
	}
	err := s.flush(ctx)
	if p := s.work.Load(); p != nil {
		p.failed = err
		if errors.Is(err, ErrTokenFixed) { // nothing was tried
			p.failed = nil
		}
	}
	return err
}

// flush is Flush of what there is. The session is locked.
func (s *Session[T]) flush(ctx context.Context) error {
	if err := s.load(ctx); err != nil {
		return err
	}
	switch {
	case s.base == nil:
		return s.create(ctx)
	case s.changesHands():
		return s.replace(ctx)
	default:
		return s.save(ctx)
	}
}

// changesHands reports whether the session is to belong to another subject.
func (s *Session[T]) changesHands() bool {
	to := s.pending().subject
	return to != nil && changesHands(s.base, *to)
}

// replace ends the session, and begins another one for somebody else, who is not
// to see what was in it.
func (s *Session[T]) replace(ctx context.Context) error {
	if s.fixed {
		return s.manager.failed("flush", s.token.ID(), fmt.Errorf("change the subject: %w", ErrTokenFixed))
	}
	if err := s.delete(ctx); err != nil {
		return err
	}
	s.setToken("")
	s.end()
	return s.create(ctx)
}

// create stores a session that there was none of.
func (s *Session[T]) create(ctx context.Context) error {
	m := s.manager
	if len(s.pending().changes) == 0 && s.pending().subject == nil {
		s.work.Store(nil) // a renewal of nothing
		return nil
	}
	if err := s.makeCurrent(ctx); err != nil {
		return err
	}
	data, err := m.encode(*s.value)
	if err != nil {
		return m.failed("flush", "", err)
	}
	o := m.plain
	if s.pending().subject != nil {
		o.subject = *s.pending().subject
	}
	if o.subject == "" && m.isZero(data) {
		s.work.Store(nil)
		return nil
	}
	if s.renewed && s.pending().subject == nil {
		s.work.Store(nil)
		s.outdate()
		return m.failed("flush", s.token.ID(), errRenewedMeanwhile)
	}
	if s.fixed {
		return m.failed("flush", "", fmt.Errorf("begin a session: %w", ErrTokenFixed))
	}
	if m.closed.Load() {
		return m.failed("flush", "", ErrClosed)
	}
	token, e, err := m.create(ctx, data, &o)
	if err != nil {
		return err
	}
	s.saved(token, e)
	return nil
}

var errRenewedMeanwhile = fmt.Errorf("it was renewed meanwhile: %w", ErrNotFound)

// isZero reports whether data is the zero T, encoded.
func (m *Manager[T]) isZero(data []byte) bool {
	var zero T
	encoded, err := m.codec.Encode(zero)
	return err == nil && bytes.Equal(data, encoded)
}

// save changes a session that there is.
func (s *Session[T]) save(ctx context.Context) error {
	m, id := s.manager, s.token.ID()
	with := rewrite[T]{value: s.next, subject: s.pending().subject, grace: s.pending().grace, known: s.base}
	token := s.token
	if s.pending().renew {
		if s.fixed {
			return m.failed("flush", id, fmt.Errorf("renew the session: %w", ErrTokenFixed))
		}
		with.token, _, _ = newToken(id)
		token = with.token
	}
	e, err := m.swap(ctx, s.token, with)
	switch {
	case err == nil:
		s.saved(token, e)
		return nil
	case errors.Is(err, ErrRenewed):
		return s.saveOnly(ctx)
	case errors.Is(err, ErrNotFound):
		s.end()
		s.renewed = err == errWrongSecret
		if s.renewed && s.pending().subject != nil { // such as when a login is sent twice
			return s.create(ctx)
		}
		s.work.Store(nil)
		if s.renewed {
			err = errRenewedMeanwhile
		} else {
			err = fmt.Errorf("it was ended meanwhile: %w", err)
		}
	}
	return m.failedUnlessByFn("flush", id, err)
}

// saveOnly is save without the renewal, which another request has made.
func (s *Session[T]) saveOnly(ctx context.Context) error {
	p := s.add()
	p.renew, p.grace = false, 0
	if len(p.changes) > 0 {
		return s.save(ctx)
	}
	s.work.Store(nil) // what was read stays as it was
	return nil
}

// next returns the value that follows upon the entry, encoded.
func (s *Session[T]) next(e *entry[T]) ([]byte, error) {
	m := s.manager
	if len(s.pending().changes) == 0 {
		return m.encodedValue(e)
	}
	if s.value != nil && e.Rev == s.base.Rev && e.Value.incarnation == s.base.Value.incarnation {
		return m.encode(*s.value)
	}
	value, err := m.privateCopy(e)
	if err != nil {
		return nil, err
	}
	if err := s.replayOn(&value); err != nil {
		return nil, &fnError{err}
	}
	return m.encode(value)
}

// setToken has the client be given the token, if it has another.
func (s *Session[T]) setToken(token Token) {
	if token == s.token {
		return
	}
	s.reissued, s.another = true, s.another || token.ID() != s.token.ID()
	s.token = token
}

// saved has the session be as it was stored.
func (s *Session[T]) saved(token Token, e *entry[T]) {
	s.setToken(token)
	s.base, s.loaded, s.opened, s.renewed = e, true, proven, false
	s.work.Store(nil)
	s.outdate() // and decoded anew if anybody asks: as others will see it
}

// Destroy ends the session at once, without waiting for a Flush, and drops what
// was not flushed: see [Manager.Delete] for what that promises and for its
// errors, after which nothing has changed here. What is changed afterwards
// begins a new session.
//
// A session that this unit of work has read is ended even if it was renewed
// meanwhile, and so is one whose token was replaced a moment ago (RenewGrace). By an
// older token it cannot be ended, and [ErrNotFound] says so, unless the use of that
// ends it: see Config.OnReuse.
func (s *Session[T]) Destroy(ctx context.Context, opts ...DeleteOption) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	if s.token != "" {
		if err := s.delete(ctx, opts...); err != nil {
			return err
		}
	}
	s.setToken("")
	s.work.Store(nil)
	s.end()
	return nil
}

// delete ends what is behind the token. The session is locked.
func (s *Session[T]) delete(ctx context.Context, opts ...DeleteOption) error {
	m, id := s.manager, s.token.ID()
	err := m.endSession(ctx, s.token, s.base, s.opened, opts)
	if err == errWrongSecret {
		err = errRenewedMeanwhile
	}
	if err == nil || err == ErrNotFound {
		return nil
	}
	return m.failed("destroy", id, err)
}
