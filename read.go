package coatcheck

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/coatcheck/coatcheck/internal/nearcache"
)

// Get returns the value behind the token: from memory, if the near cache holds
// it, at most MaxStaleness out of date (see [NearCache]), whatever the state of
// ctx and of the store. It extends the idle deadline, at most once a
// TouchInterval; should that fail, the value is returned all the same and the
// failure is logged and counted. It returns [ErrDecode] if the stored value does
// not fit T.
//
// The value is shared with other callers: do not change what it points to. To
// change it, use [Manager.Change]. NearCache.CheckSnapshots finds out that
// somebody did, and then has Get return [ErrSnapshotChanged].
func (m *Manager[T]) Get(ctx context.Context, token Token) (T, error) {
	e, wall := m.cached(token)
	if e != nil && m.servedAsIs(e, wall) {
		return e.Value.value, nil
	}
	value, _, err := m.read(ctx, token, e, wall, unproven)
	if err != nil {
		var zero T
		return zero, err
	}
	return *value, nil
}

// Lookup is [Manager.Get] together with what is known about the session.
func (m *Manager[T]) Lookup(ctx context.Context, token Token) (T, Info, error) {
	e, wall := m.cached(token)
	value, e, err := m.read(ctx, token, e, wall, unproven)
	if err != nil {
		var zero T
		return zero, Info{}, err
	}
	return *value, info(token, e), nil
}

// servedAsIs reports whether a read of the entry has nothing else to do.
func (m *Manager[T]) servedAsIs(e *entry[T], wall int64) bool {
	return e.Value.encoded == nil && !m.config.NearCache.CheckSnapshots && !m.touchDue(e, wall)
}

// right is what is known of a token before the store is asked: when it was shown, on
// the manager's clock. Who has shown it before it was retired, or soon after, and has
// taken his time since, is no thief.
type right time.Duration

const (
	unproven right = math.MaxInt64 // it is shown now
	proven   right = math.MinInt64 // it has opened the session in this unit of work
)

// shownNow is for a token that may be used later. That the clock may be late only makes
// fewer thieves.
func (m *Manager[T]) shownNow() right { return right(m.clock.now()) }

// shownAt returns when the token was shown, of which it is told at the given time.
func (m *Manager[T]) shownAt(r right, at time.Time) time.Time {
	if now := right(at.Sub(m.clock.base)); r < now {
		return at.Add(-time.Duration(now - r))
	}
	return at
}

// read returns the value, which is shared, and the entry, of which the near cache has
// e, if not nil.
func (m *Manager[T]) read(ctx context.Context, token Token, e *entry[T], wall int64, by right) (*T, *entry[T], error) {
	if e == nil {
		var err error
		if e, err = m.loadToRead(ctx, token, by); err != nil {
			return nil, nil, m.failed("get", token.ID(), err)
		}
		wall = time.Now().UnixMilli()
	}
	id := string(token[:idLen])
	if m.touchDue(e, wall) {
		var err error
		if e, err = m.touchOnce(ctx, token, e, wall); err != nil {
			return nil, nil, m.failed("get", id, err)
		}
	}
	value, err := m.valueOf(e)
	if err != nil {
		return nil, nil, m.failed("get", id, err)
	}
	return value, e, nil
}

// cached returns the entry if the near cache may serve it, or nil, and the wall
// clock in milliseconds since the Unix epoch.
func (m *Manager[T]) cached(token Token) (*entry[T], int64) {
	if m.near == nil || len(token) != tokenLen {
		return nil, 0
	}
	return m.near.Get(string(token[:idLen]), string(token[idLen:]))
}

// outcome is what came of asking the store for a record.
type outcome[T any] = nearcache.Outcome[snapshot[T]]

// loadToRead asks the store on behalf of all who read the session now. Where it
// cannot be reached, ServeStaleFor may help.
func (m *Manager[T]) loadToRead(ctx context.Context, token Token, by right) (*entry[T], error) {
	if err := m.usable(token); err != nil {
		return nil, err
	}
	ask := func(ctx context.Context) outcome[T] {
		o, there := m.askWhich(ctx, token, by)
		if o.Err != nil {
			return o
		}
		sum := sumOf(there.value)
		if m.decodeTo(there.value, &o.Entry.Value.value) == nil {
			m.hasValue(o.Entry, sum)
		} else { // as whoever asks for the value will be told
			o.Entry.Value.encoded = &encoded[T]{data: there.value}
		}
		return o
	}
	if m.near == nil {
		o := ask(ctx)
		return o.Entry, o.Err
	}
	id, secret := string(token[:idLen]), string(token[idLen:])
	e, cached, err := m.near.Load(ctx, id, secret, ask)
	if cached {
		m.emit(Event{Kind: EntryWritten, SessionID: id, Rev: e.Rev})
	}
	if errors.Is(err, ErrUnavailable) {
		if stale := m.near.GetStale(id, secret); stale != nil {
			return stale, nil
		}
	}
	return e, err
}

// load asks the store for the session as it is now.
func (m *Manager[T]) load(ctx context.Context, token Token, by right) (*entry[T], error) {
	if err := m.usable(token); err != nil {
		return nil, err
	}
	if m.near == nil {
		o := m.ask(ctx, token, by)
		return o.Entry, o.Err
	}
	var o outcome[T]
	ticket := m.near.Begin(string(token[:idLen]))
	defer func() { m.end(ticket, o) }()
	o = m.ask(ctx, token, by)
	return o.Entry, o.Err
}

// usable returns the error with which every call on the token ends, if any.
func (m *Manager[T]) usable(token Token) error {
	if m.closed.Load() {
		return ErrClosed
	}
	if token.ID() == "" { // malformed
		return ErrNotFound
	}
	return nil
}

// errWrongSecret is the ErrNotFound of a session that lives, under another secret:
// it was renewed, or somebody guesses. To callers the two look alike.
var errWrongSecret = fmt.Errorf("%w", ErrNotFound)

// ask loads the living record that the token proves its holder may have.
//
// That there is none is not remembered: whoever guesses tokens would fill the
// memory with it, and an ID that is not in the store cannot be watched there.
func (m *Manager[T]) ask(ctx context.Context, token Token, by right) outcome[T] {
	o, there := m.askWhich(ctx, token, by)
	if o.Err == nil {
		o.Entry.Value.encoded = &encoded[T]{data: there.value}
	}
	return o
}

// found is what the store has under a token's ID, whether or not the token proves
// a right to it.
type found struct {
	incarnation uint64
	former      bool   // the token was the session's until a moment ago
	value       []byte // encoded; only without an error
}

// askWhich is ask, and tells what there is. The entry lacks the value.
func (m *Manager[T]) askWhich(ctx context.Context, token Token, by right) (outcome[T], found) {
	r, err := m.store.Load(ctx, string(token[:idLen]))
	if err != nil {
		return outcome[T]{Known: errors.Is(err, ErrNotFound), Err: err}, found{}
	}
	there := found{incarnation: r.Incarnation}
	at := time.Now()
	if r.Expired(at) {
		return outcome[T]{Err: ErrNotFound}, there
	}
	hash := token.hash()
	if subtle.ConstantTimeCompare(hash[:], r.SecretHash[:]) != 1 {
		old := r.retiredBy(hash)
		there.former = old != nil
		switch {
		case old == nil:
			m.wrongSecrets.Add(1)
			return outcome[T]{Known: true, Rev: r.Rev, Err: errWrongSecret}, there
		case r.accepts(old, at):
		case by == proven || m.shownAt(by, at).Before(old.Until.Add(m.config.RenewGrace)): // it was under way
			return outcome[T]{Known: true, Rev: r.Rev, Err: errWrongSecret}, there
		default:
			there.former = false
			return m.reused(ctx, &r), there
		}
	}
	e := newEntry[T](token, &r, there.former)
	there.value = r.Value
	return outcome[T]{Known: true, Rev: r.Rev, Entry: e, Uncached: there.former}, there
}
