package coatcheck

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Delete ends the session. It is idempotent: nil if there is nothing behind
// the token, in which case nothing happens. When it returns, the value is gone
// from the store, and no change that was under way brings it back; other
// processes serve it from memory for at most MaxStaleness more (and
// ServeStaleFor on top, if that is set and they cannot reach the store), and as
// a rule for a round trip (see [Everywhere]).
func (m *Manager[T]) Delete(ctx context.Context, token Token, opts ...DeleteOption) error {
	if err := m.endSession(ctx, token, nil, unproven, opts); err != nil && !errors.Is(err, ErrNotFound) {
		return m.failed("delete", token.ID(), err)
	}
	return nil
}

// endSession is Delete, with ErrNotFound for a session that is gone. If base is
// not nil, the token was once that session's: it will do though it was renewed. So
// it will if the token is proven to have been, and is remembered.
func (m *Manager[T]) endSession(ctx context.Context, token Token, base *entry[T], by right, opts []DeleteOption) error {
	var o deleteOptions
	for _, opt := range opts {
		opt.applyDelete(&o)
	}
	err := m.delete(ctx, token, base, by, o.everywhere)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	// Also if it was gone: it may still be in the memory of others.
	if waiting := m.outlastIf(ctx, o.everywhere && token.ID() != ""); waiting != nil {
		return waiting
	}
	return err
}

func (m *Manager[T]) outlastIf(ctx context.Context, everywhere bool) error {
	if !everywhere {
		return nil
	}
	if err := m.outlast(ctx); err != nil {
		return fmt.Errorf("wait for the end of it: %w", err)
	}
	return nil
}

func (m *Manager[T]) delete(ctx context.Context, token Token, base *entry[T], by right, everywhere bool) error {
	// An ID is public: only its secret may end a session. What is in memory will
	// not do, for the ID may belong to another session by now; nor is what is
	// loaded cached, for it is about to end.
	if err := m.usable(token); err != nil {
		return err
	}
	id := string(token[:idLen])
	o, there := m.askWhich(ctx, token, by)
	if m.near != nil && o.Known {
		m.near.Changed(id, o.Rev)
	}
	gone := o.Known && o.Rev == 0
	// Who held the session a moment ago may end it: a renewal under way must not
	// make a logout one of nothing.
	renewed := o.Err == errWrongSecret && (there.former || base != nil && base.Value.incarnation == there.incarnation)
	if o.Err != nil && !renewed && !(gone && everywhere) { // if it is to be gone everywhere, the store is to say so once more
		return o.Err
	}
	if gone {
		return m.remove(ctx, id, nothing)
	}
	event := Event{Kind: SessionDeleted}
	if o.Entry != nil {
		event.Subject = o.Entry.Value.subject
	}
	return m.remove(ctx, id, event)
}

// nothing is the event of what is no news.
var nothing Event

// remove has the store delete a record, and tells of it by the event.
func (m *Manager[T]) remove(ctx context.Context, id string, event Event) error {
	if m.near != nil {
		defer m.near.Changed(id, 0) // also after an error: it may be gone
	}
	if err := m.store.Delete(ctx, id); err != nil {
		return err
	}
	if event != nothing {
		event.SessionID = id
		m.emitFor(ctx, event)
	}
	return nil
}

// outlast returns when no near cache serves what was before.
func (m *Manager[T]) outlast(ctx context.Context) error {
	if m.near != nil && m.near.Covered() {
		return nil // all caches are in this process, and know
	}
	timer := time.NewTimer(m.config.NearCache.MaxStaleness + m.config.NearCache.ServeStaleFor)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
