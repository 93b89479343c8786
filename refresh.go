package coatcheck

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// Refresh extends the idle deadline of the session, as its use does, but at
// once and without reading the value. It does not change the revision, unless
// the store is no [Toucher].
func (m *Manager[T]) Refresh(ctx context.Context, token Token, opts ...RefreshOption) error {
	var o refreshOptions
	for _, opt := range opts {
		opt.applyRefresh(&o)
	}
	e, err := m.refresh(ctx, token)
	if err != nil {
		return m.failed("refresh", token.ID(), err)
	}
	if o.info != nil {
		*o.info = info(token, e)
	}
	return nil
}

func (m *Manager[T]) refresh(ctx context.Context, token Token) (*entry[T], error) {
	e, wall := m.cached(token)
	if e == nil || e.Value.idleDeadline(wall) <= e.ExpiresAt { // with nothing to extend, only the store knows whether the session lives
		var err error
		if e, err = m.load(ctx, token, unproven); err != nil {
			return nil, err
		}
		wall = time.Now().UnixMilli()
	}
	return m.touch(ctx, token, e, wall)
}

// idleDeadline returns when a session ends that is used now.
func (s *snapshot[T]) idleDeadline(wall int64) int64 {
	if s.idleTimeout == 0 {
		return s.absoluteDeadline
	}
	return min(wall+s.idleTimeout, s.absoluteDeadline)
}

// touchDue reports whether a read should extend the idle deadline: unless that
// was done less than a TouchInterval ago.
func (m *Manager[T]) touchDue(e *entry[T], wall int64) bool {
	s := &e.Value
	if s.idleTimeout == 0 || e.ExpiresAt >= s.absoluteDeadline {
		return false
	}
	interval := m.touchInterval
	if s.idleTimeout != m.idle { // the session has its own
		interval = min(interval, s.idleTimeout/touchShare)
	}
	return wall+s.idleTimeout-e.ExpiresAt >= interval
}

// touchOnce extends the idle deadline of a session that was just read, unless
// somebody else is at it. It fails only if the session turns out to be gone.
func (m *Manager[T]) touchOnce(ctx context.Context, token Token, e *entry[T], wall int64) (*entry[T], error) {
	if !atomic.CompareAndSwapUint32(&e.Value.extending, 0, 1) {
		return e, nil
	}
	defer atomic.StoreUint32(&e.Value.extending, 0)
	id := string(token[:idLen])
	touched, err := m.touchFor(ctx, token, e, wall)
	if err == nil || errors.Is(err, ErrNotFound) {
		return touched, err
	}
	// The value was read, and is good until its deadline: the next read will try
	// again.
	m.failedTouches.Add(1)
	if !m.touchWarned.due() {
		return e, nil
	}
	m.config.Logger.WarnContext(ctx, "coatcheck: idle deadline not extended",
		"session", id, "expires_at", fromMillis(e.ExpiresAt).Format(time.RFC3339), "error", err)
	return e, nil
}

// touchFor is touch, and has the record name the client that the call is made
// for, if that is another one than before.
func (m *Manager[T]) touchFor(ctx context.Context, token Token, e *entry[T], wall int64) (*entry[T], error) {
	if c := clientOf(ctx); c == (Client{}) || c == e.Value.client() {
		return m.touch(ctx, token, e, wall)
	}
	return m.swap(ctx, token, rewrite[T]{value: m.encodedValue, known: e})
}

// touch extends the life of a session that is used at the given time, and
// returns the entry as it then is.
func (m *Manager[T]) touch(ctx context.Context, token Token, e *entry[T], wall int64) (*entry[T], error) {
	id := string(token[:idLen])
	deadline := e.Value.idleDeadline(wall)
	if deadline <= e.ExpiresAt {
		return e, nil // nothing to gain
	}
	touched, err := Touch(ctx, m.store, Record{
		ID: id, Incarnation: e.Value.incarnation, Rev: e.Rev,
		ExpiresAt: fromMillis(deadline), AbsoluteDeadline: fromMillis(e.Value.absoluteDeadline),
	})
	switch {
	case errors.Is(err, ErrNotFound) && m.near != nil:
		m.near.Changed(id, 0)
		return nil, err
	case err != nil:
		return nil, err
	}
	if touched.Rev != e.Rev { // a store that cannot touch: the record was read anew
		if m.near != nil {
			m.near.Changed(id, touched.Rev)
		}
		return asTouched(token, e, &touched), nil
	}
	// As old as before: a touch tells nothing about the value.
	derived := e.With(e.Value.copy(), millis(touched.ExpiresAt))
	if m.near != nil {
		m.near.Replace(e, derived)
	}
	return derived, nil
}

// asTouched returns the entry as the record is by now: all of it, for a change may
// rest on it, and must not undo what others have done. If the record has another
// secret by then, this token's right to it is not known: it stays as it was read.
func asTouched[T any](token Token, e *entry[T], touched *Record) *entry[T] {
	if record(token, e).SecretHash != touched.SecretHash {
		return e
	}
	newer := newEntry[T](token, touched, e.Value.former())
	newer.Value.encoded = &encoded[T]{data: touched.Value}
	return newer
}
