package coatcheck

import (
	"context"
	"errors"
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
	r, err := m.load(ctx, token)
	if err != nil {
		return m.failed("refresh", token.ID(), err)
	}
	if err := m.touch(ctx, &r, now()); err != nil {
		return m.failed("refresh", r.ID, err)
	}
	report(o.info, &r)
	return nil
}

// touchIfDue extends the idle deadline of a record that was just read, unless
// that was done less than a TouchInterval ago. It fails only if the record
// turns out to be gone.
func (m *Manager[T]) touchIfDue(ctx context.Context, r *Record) error {
	interval := m.config.TouchInterval
	if r.IdleTimeout != finite(m.config.IdleTimeout) { // the session has its own
		interval = min(interval, r.IdleTimeout/touchShare)
	}
	at := now()
	if r.ExpiresAt.IsZero() || at.Add(r.IdleTimeout).Sub(r.ExpiresAt) < interval {
		return nil
	}
	err := m.touch(ctx, r, at)
	if err == nil || errors.Is(err, ErrNotFound) {
		return err
	}
	// The value was read, and is good until ExpiresAt: the next read will try
	// again.
	m.failedTouches.Add(1)
	m.config.Logger.WarnContext(ctx, "coatcheck: idle deadline not extended",
		"session", r.ID, "expires_at", r.ExpiresAt.Format(time.RFC3339), "error", err)
	return nil
}

// touch extends the life of a record that is used at the given time.
func (m *Manager[T]) touch(ctx context.Context, r *Record, at time.Time) error {
	touched := *r
	touched.ExpiresAt = r.idleDeadline(at)
	if Earlier(touched.ExpiresAt, r.ExpiresAt).Equal(touched.ExpiresAt) {
		return nil // nothing to gain
	}
	touched, err := Touch(ctx, m.store, touched)
	if err == nil {
		*r = touched
	}
	return err
}
