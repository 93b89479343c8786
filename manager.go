package coatcheck

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Manager issues tokens and keeps values of type T behind them. It is safe for
// concurrent use, and any number of managers, in any number of processes, may
// share a store.
//
// Every method that takes a token returns [ErrNotFound] if there is nothing
// behind it, [ErrUnavailable] if the store could not be asked, the context's
// error if that ended first, and [ErrClosed] after Close. Errors name the
// session by its ID, never the token.
type Manager[T any] struct {
	store         Store
	codec         Codec[T]
	config        Config[T]
	closed        atomic.Bool
	changes       turnstile
	wrongSecrets  atomic.Uint64
	conflicts     atomic.Uint64
	failedTouches atomic.Uint64
}

// New returns a manager, or an error that wraps [ErrInvalid] and names all
// that is wrong with the configuration at once. It does not contact the store.
func New[T any](config Config[T]) (*Manager[T], error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Manager[T]{store: config.Store, codec: config.Codec, config: config}, nil
}

// Close ends the manager: later calls return [ErrClosed]. It does not close
// the store, nor wait for calls under way. Closing twice is fine.
func (m *Manager[T]) Close() error {
	m.closed.Store(true)
	return nil
}

// Stats are counters since the manager was made.
type Stats struct {
	// WrongSecrets counts tokens that named a living session but did not prove
	// it: a stale token, or somebody who guesses.
	WrongSecrets uint64

	// Conflicts counts changes that had to be tried again because somebody
	// else had changed the record meanwhile.
	Conflicts uint64

	// FailedTouches counts reads that could not extend the idle deadline.
	FailedTouches uint64
}

// Stats returns the counters. Each is exact; together they are not one moment.
func (m *Manager[T]) Stats() Stats {
	return Stats{
		WrongSecrets:  m.wrongSecrets.Load(),
		Conflicts:     m.conflicts.Load(),
		FailedTouches: m.failedTouches.Load(),
	}
}

// Generate files a value and returns the token for it. Besides the general
// errors it returns [ErrTooLarge] for a value over MaxValueBytes, [ErrInvalid]
// for a bad option or a value that the codec cannot encode, and [ErrExists]
// if the ID given with [WithID] is taken.
func (m *Manager[T]) Generate(ctx context.Context, value T, opts ...GenerateOption) (Token, error) {
	if m.closed.Load() {
		return "", m.failed("generate", "", ErrClosed)
	}
	o := generateOptions{idle: m.config.IdleTimeout, absolute: m.config.AbsoluteTimeout}
	for _, opt := range opts {
		opt.applyGenerate(&o)
	}
	if len(o.faults) > 0 {
		return "", fmt.Errorf("coatcheck: generate: %w", errors.Join(o.faults...))
	}
	data, err := m.encode(value)
	if err != nil {
		return "", m.failed("generate", "", err)
	}

	token, id, incarnation := newToken(o.id)
	created := now()
	r := Record{
		ID:               id,
		Incarnation:      incarnation,
		Rev:              1,
		SecretHash:       token.hash(),
		Subject:          o.subject,
		Value:            data,
		CreatedAt:        created,
		AbsoluteDeadline: deadline(created, o.absolute),
		IdleTimeout:      finite(o.idle),
	}
	r.ExpiresAt = r.idleDeadline(created)
	if err := m.store.Create(ctx, r); err != nil {
		return "", m.failed("generate", r.ID, err)
	}
	report(o.info, &r)
	return token, nil
}

// Get returns the value behind the token. It extends the idle deadline, at
// most once a TouchInterval; should that fail, the value is returned all the
// same and the failure is logged and counted. It returns [ErrDecode] if the
// stored value does not fit T.
//
// The value may be shared with other callers: do not change what it points to.
// To change it, use [Manager.Change].
func (m *Manager[T]) Get(ctx context.Context, token Token) (T, error) {
	value, _, err := m.Lookup(ctx, token)
	return value, err
}

// Lookup is [Manager.Get] together with what is known about the session.
func (m *Manager[T]) Lookup(ctx context.Context, token Token) (T, Info, error) {
	var zero T
	r, err := m.load(ctx, token)
	if err != nil {
		return zero, Info{}, m.failed("get", token.ID(), err)
	}
	if err := m.touchIfDue(ctx, &r); err != nil {
		return zero, Info{}, m.failed("get", r.ID, err)
	}
	value, err := m.decode(r.Value)
	if err != nil {
		return zero, Info{}, m.failed("get", r.ID, err)
	}
	return value, r.info(), nil
}

// Delete ends the session. It is idempotent: nil if there is nothing behind
// the token, in which case nothing happens. When it returns, the value is gone
// from the store, and no change that was under way brings it back.
func (m *Manager[T]) Delete(ctx context.Context, token Token) error {
	r, err := m.load(ctx, token) // an ID is public: only its secret may end a session
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil {
		err = m.store.Delete(ctx, r.ID)
	}
	if err != nil {
		return m.failed("delete", token.ID(), err)
	}
	return nil
}

// load returns the living record that the token proves its holder may have.
func (m *Manager[T]) load(ctx context.Context, token Token) (Record, error) {
	if m.closed.Load() {
		return Record{}, ErrClosed
	}
	id := token.ID()
	if id == "" { // malformed
		return Record{}, ErrNotFound
	}
	r, err := m.store.Load(ctx, id)
	if err != nil {
		return Record{}, err
	}
	hash := token.hash()
	if subtle.ConstantTimeCompare(hash[:], r.SecretHash[:]) != 1 {
		m.wrongSecrets.Add(1)
		return Record{}, ErrNotFound
	}
	if r.Expired(time.Now()) {
		return Record{}, ErrNotFound
	}
	return r, nil
}

func (m *Manager[T]) encode(value T) ([]byte, error) {
	data, err := m.codec.Encode(value)
	if err != nil {
		return nil, fmt.Errorf("%w: encode value: %w", ErrInvalid, err)
	}
	if len(data) > m.config.MaxValueBytes {
		return nil, fmt.Errorf("%w: %d bytes encoded, MaxValueBytes is %d", ErrTooLarge, len(data), m.config.MaxValueBytes)
	}
	return data, nil
}

func (m *Manager[T]) decode(data []byte) (T, error) {
	value, err := m.codec.Decode(data)
	if err != nil {
		var zero T
		return zero, fmt.Errorf("%w into %T: %w", ErrDecode, zero, err)
	}
	return value, nil
}

// failed adds to an error what was being done to which session. A miss is an
// everyday answer: it stays as it is, and costs nothing.
func (m *Manager[T]) failed(doing, id string, err error) error {
	switch {
	case err == ErrNotFound: // only the bare one
		return err
	case id == "":
		return fmt.Errorf("coatcheck: %s: %w", doing, err)
	default:
		return fmt.Errorf("coatcheck: %s session %s: %w", doing, id, err)
	}
}

// finite translates a timeout of the configuration into that of a [Record],
// where zero means never, in whole milliseconds.
func finite(timeout time.Duration) time.Duration {
	if timeout == Never {
		return 0
	}
	return timeout.Truncate(time.Millisecond)
}

// deadline returns from+timeout, or the zero time if that is never.
func deadline(from time.Time, timeout time.Duration) time.Time {
	if timeout == Never {
		return time.Time{}
	}
	return from.Add(finite(timeout))
}
