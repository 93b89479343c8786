package coatcheck

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/coatcheck/coatcheck/internal/nearcache"
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
	store          Store
	codec          Codec[T]
	config         Config[T]
	near           *nearcache.Cache[snapshot[T]] // nil without a near cache
	idle           int64                         // of the configuration, in milliseconds
	touchInterval  int64                         // likewise
	plain          generateOptions               // of Generate without any; never changed
	clock          roughClock
	closed         atomic.Bool
	background     background
	changes        turnstile
	wrongSecrets   atomic.Uint64
	reuses         atomic.Uint64
	conflicts      atomic.Uint64
	decodeFailures atomic.Uint64
	failedTouches  atomic.Uint64
	touchWarned    throttle
	decodeWarned   throttle
	reuseWarned    throttle
	droppedEvents  atomic.Uint64
}

// New returns a manager, or an error that wraps [ErrInvalid] and names all
// that is wrong with the configuration at once. It does not wait for the store:
// a near cache begins to watch it, if it is a [Watcher], in the background. Call
// Close when done, and before closing the store.
func New[T any](config Config[T]) (*Manager[T], error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	m := &Manager[T]{store: config.Store, codec: config.Codec, config: config, clock: roughClock{base: time.Now()}}
	m.plain.idle = config.IdleTimeout
	m.idle = finite(config.IdleTimeout).Milliseconds()
	m.touchInterval = config.TouchInterval.Milliseconds()
	if config.NearCache.MaxEntries > 0 {
		m.near = nearcache.New[snapshot[T]](config.NearCache.engine())
	}
	m.startBackground()
	return m, nil
}

// Close ends the manager and its goroutines: later calls return [ErrClosed]. It
// does not close the store, nor wait for calls under way. Closing twice is fine.
// Do not call it from OnEvent.
func (m *Manager[T]) Close() error {
	m.closed.Store(true)
	m.background.stop()
	if m.near != nil {
		m.near.Close()
	}
	return nil
}

// Generate files a value and returns the token for it. Besides the general
// errors it returns [ErrTooLarge] for a value over MaxValueBytes, [ErrInvalid]
// for a bad option or a value that the codec cannot encode, [ErrExists]
// if the ID given with [WithID] is taken, and [ErrTooManySessions] as MaxSessions
// demands.
func (m *Manager[T]) Generate(ctx context.Context, value T, opts ...GenerateOption) (Token, error) {
	if m.closed.Load() {
		return "", m.failed("generate", "", ErrClosed)
	}
	o := &m.plain
	if len(opts) > 0 {
		var err error
		if o, err = m.generateOptions(opts); err != nil {
			return "", fmt.Errorf("coatcheck: generate: %w", err)
		}
	}
	data, err := m.encode(value)
	if err != nil {
		return "", m.failed("generate", "", err)
	}
	token, _, err := m.create(ctx, data, o)
	return token, err
}

func (m *Manager[T]) generateOptions(opts []GenerateOption) (*generateOptions, error) {
	o := m.plain
	for _, opt := range opts {
		opt.applyGenerate(&o)
	}
	limits, _ := m.config.Level.limits()
	o.faults = append(o.faults, limits.check(o.idle, o.absolute)...)
	return &o, errors.Join(o.faults...)
}

// create files a new session with the encoded value.
func (m *Manager[T]) create(ctx context.Context, data []byte, o *generateOptions) (Token, *entry[T], error) {
	token, id, incarnation := newToken(o.id)
	at := now()
	absolute := o.absolute
	if absolute == 0 {
		absolute = m.config.AbsoluteTimeout
		if o.subject == "" {
			absolute = min(absolute, m.config.AnonymousTimeout)
		}
	}
	r := Record{
		ID:               id,
		Incarnation:      incarnation,
		Rev:              1,
		SecretHash:       token.hash(),
		Subject:          o.subject,
		Value:            data,
		Client:           clientOf(ctx),
		CreatedAt:        at,
		AbsoluteDeadline: deadline(at, absolute),
		IdleTimeout:      finite(o.idle),
	}
	r.ExpiresAt = r.idleDeadline(at)
	if err := m.admit(ctx, r.Subject, r.ID); err != nil {
		return "", nil, m.failed("generate", r.ID, err)
	}
	how := created
	if o.id != "" {
		how = createdUnder
	}
	e, err := m.write(token, &r, how, func() error { return m.store.Create(ctx, r) })
	if err == nil {
		err = m.limit(ctx, r.Subject, r.ID)
	}
	if err != nil {
		return "", nil, m.failed("generate", r.ID, err)
	}
	m.emitChange(ctx, SessionCreated, &r, r.Client)
	report(o.info, &r)
	return token, e, nil
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

func (m *Manager[T]) decode(data []byte) (value T, err error) {
	err = m.decodeTo(data, &value)
	return value, err
}

// decodeTo is decode for a value, which is zero, where it is to stay. With an error it is
// zero still.
func (m *Manager[T]) decodeTo(data []byte, value *T) (err error) {
	if codec, own := m.codec.(JSON[T]); own {
		err = codec.decodeTo(data, value) // which spares an allocation
	} else {
		*value, err = m.codec.Decode(data)
	}
	if err != nil {
		var zero T
		*value = zero
		return fmt.Errorf("%w into %T: %w", ErrDecode, zero, err)
	}
	return nil
}

// failed adds to an error what was being done to which session. A miss is an
// everyday answer: it stays as it is, and costs nothing.
func (m *Manager[T]) failed(doing, id string, err error) error {
	if errors.Is(err, ErrDecode) {
		m.decodeFailures.Add(1)
		if m.decodeWarned.due() {
			m.config.Logger.Warn("coatcheck: a stored value does not fit its type", "session", id, "error", err)
		}
		m.emit(Event{Kind: DecodeFailed, SessionID: id})
	}
	switch {
	case err == ErrNotFound, err == errWrongSecret: // only the bare ones
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
