package coatcheck

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"time"
)

// Never, as a timeout, means that there is no such limit.
const Never time.Duration = math.MaxInt64

// Defaults of [Config]. The timeouts follow the OWASP Session Management Cheat
// Sheet (idle 15-30 min for low risk) and NIST SP 800-63B AAL2 (at most 24 h).
const (
	DefaultIdleTimeout     = 30 * time.Minute
	DefaultAbsoluteTimeout = 24 * time.Hour
	DefaultMaxValueBytes   = 64 << 10
	DefaultRenewGrace      = 30 * time.Second

	maxRenewGrace = 24 * time.Hour // a token that works for longer beside its successor was not renewed

	// touchShare is the default TouchInterval as a share of the idle timeout.
	touchShare = 10
)

// Config configures a [Manager]. Only Store is required.
type Config[T any] struct {
	// Store is where records live. Required: there is no silent default. The
	// manager does not close it.
	Store Store

	// Codec turns values into bytes and back. Default: [JSON].
	Codec Codec[T]

	// IdleTimeout ends a session that is not used for so long. Default 30
	// minutes, or AbsoluteTimeout if that is less; [Never] for no limit. At
	// least one millisecond.
	IdleTimeout time.Duration

	// AbsoluteTimeout ends a session so long after its creation, however much
	// it is used. Default 24 hours; [Never] for no limit. At least one
	// millisecond, and no less than IdleTimeout.
	AbsoluteTimeout time.Duration

	// TouchInterval is how often a read may extend the idle deadline: more
	// often costs writes, less often ends a session up to so much before
	// IdleTimeout has passed since its last read. Default IdleTimeout/10; must
	// be less than IdleTimeout.
	TouchInterval time.Duration

	// AnonymousTimeout ends a session that belongs to no subject so long after its
	// creation. With a login ([Session.SetSubject], [Manager.Renew]) AbsoluteTimeout
	// begins to count. Default AbsoluteTimeout, which it cannot exceed.
	AnonymousTimeout time.Duration

	// Level refuses timeouts that are too long for an authenticator assurance
	// level of NIST SP 800-63B-4, and sets the defaults to its limits. Default 0:
	// none.
	Level Level

	// RenewEvery is how old a token becomes before [Session.RenewIfDue], which
	// package httpsession calls, has it replaced. At least twice RenewGrace.
	// Default 0: no token is renewed for its age.
	RenewEvery time.Duration

	// RenewGrace is for how long the token before a periodic renewal is accepted
	// besides the new one, for the parallel requests of a page; and for how long
	// from then on, or from any other renewal on, its use is taken for a late request
	// rather than for theft. All processes that share a store should agree on it.
	// Default 30 s; from one millisecond to 24 hours.
	RenewGrace time.Duration

	// OnReuse says what to do when a retired token is used later than that. Default
	// [RevokeSession].
	OnReuse ReusePolicy

	// MaxSessions is how many sessions a subject may have. The Store must be a
	// [SubjectIndex], or a [Lister] at least. Default 0: any number.
	MaxSessions int

	// WhenFull says what happens to one more than MaxSessions. Default [EndOldest].
	WhenFull FullPolicy

	// MaxValueBytes limits the encoded value; more is [ErrTooLarge]. Default
	// 64 KiB.
	MaxValueBytes int

	// StrictDecode has the methods of [Session] fail with [ErrDecode] if the stored
	// value does not fit T, for example after a new version of the program has
	// changed the type. By default they take the session for a new one: what is
	// stored stays as it is until it expires, or is destroyed, an event of kind
	// [DecodeFailed] tells, and what is changed begins another session.
	StrictDecode bool

	// NearCache holds decoded values in this process's memory, in front of the
	// store. The zero value is on, with safe defaults.
	NearCache NearCache

	// OnEvent hears of what happens in the manager: see [EventKind]. It is called
	// by a goroutine of the manager's own, one event at a time, so it holds up
	// nobody; while it is too slow, events are dropped, and counted. Those that wait
	// when Close is called are dropped, too. Default: nil. See [LogEvents].
	OnEvent func(Event)

	// Logger hears of trouble that no caller is told of, such as a deadline
	// that could not be extended. Default: [slog.Default].
	Logger *slog.Logger
}

// withDefaults returns the configuration with defaults filled in, or an error
// that names all faults at once.
func (c Config[T]) withDefaults() (Config[T], error) {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	if c.Store == nil {
		fault("Store is required: pass one of memstore.New, sqlstore.OpenSQLite or redisstore.Open")
	}
	if c.Codec == nil {
		c.Codec = JSON[T]{}
		if t := reflect.TypeFor[T](); hidesAll(t) {
			fault("%v has no exported fields, of which alone its JSON would consist: export them, or set Codec", t)
		}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.MaxValueBytes < 0 {
		fault("MaxValueBytes is %d: must be positive, or 0 for %d", c.MaxValueBytes, DefaultMaxValueBytes)
	} else if c.MaxValueBytes == 0 {
		c.MaxValueBytes = DefaultMaxValueBytes
	}

	absoluteGiven := c.AbsoluteTimeout != 0
	if limits, err := c.Level.limits(); err != nil {
		faults = append(faults, err)
	} else if c.Level != 0 {
		faults = append(faults, limits.fillIn(&c.IdleTimeout, &c.AbsoluteTimeout)...)
	}
	if c.AbsoluteTimeout == 0 {
		c.AbsoluteTimeout = DefaultAbsoluteTimeout
	}
	absoluteErr := checkTimeout("AbsoluteTimeout", c.AbsoluteTimeout)
	if absoluteErr != nil {
		fault("%w", absoluteErr)
	}

	switch {
	case c.IdleTimeout == 0:
		c.IdleTimeout = min(DefaultIdleTimeout, c.AbsoluteTimeout)
	case checkTimeout("IdleTimeout", c.IdleTimeout) != nil:
		fault("%w", checkTimeout("IdleTimeout", c.IdleTimeout))
	case c.IdleTimeout != Never && absoluteErr == nil && c.IdleTimeout > c.AbsoluteTimeout:
		which := "AbsoluteTimeout"
		if !absoluteGiven {
			which = "the default AbsoluteTimeout"
		}
		fault("IdleTimeout %v is longer than %s %v and would never apply: raise AbsoluteTimeout, or set IdleTimeout to Never",
			c.IdleTimeout, which, c.AbsoluteTimeout)
	}

	switch {
	case c.TouchInterval < 0:
		fault("TouchInterval is %v: must be positive, or 0 for a tenth of IdleTimeout", c.TouchInterval)
	case c.TouchInterval == 0:
		c.TouchInterval = c.IdleTimeout / touchShare
	case c.IdleTimeout > 0 && c.TouchInterval >= c.IdleTimeout:
		fault("TouchInterval %v is not less than IdleTimeout %v: sessions would end while they are used",
			c.TouchInterval, c.IdleTimeout)
	}

	switch {
	case c.AnonymousTimeout == 0:
		c.AnonymousTimeout = c.AbsoluteTimeout
	case checkTimeout("AnonymousTimeout", c.AnonymousTimeout) != nil:
		fault("%w", checkTimeout("AnonymousTimeout", c.AnonymousTimeout))
	case absoluteErr == nil && c.AnonymousTimeout > c.AbsoluteTimeout:
		fault("AnonymousTimeout %v is longer than AbsoluteTimeout %v and would never apply: leave it out",
			c.AnonymousTimeout, c.AbsoluteTimeout)
	}

	if c.RenewGrace == 0 {
		c.RenewGrace = DefaultRenewGrace
	}
	if c.RenewGrace < time.Millisecond || c.RenewGrace > maxRenewGrace {
		fault("RenewGrace is %v: must be from one millisecond to %v, or 0 for %v", c.RenewGrace, maxRenewGrace, DefaultRenewGrace)
	} else {
		c.RenewGrace = c.RenewGrace.Truncate(time.Millisecond) // as records count
	}
	switch {
	case c.RenewEvery < 0:
		fault("RenewEvery is %v: must be positive, or 0 for no periodic renewal", c.RenewEvery)
	case c.RenewEvery > 0 && c.RenewEvery/2 < c.RenewGrace: // of which twice may be too much to count
		fault("RenewEvery %v is less than twice RenewGrace %v: tokens would overlap", c.RenewEvery, c.RenewGrace)
	}
	if c.OnReuse < RevokeSession || c.OnReuse > ReportReuse {
		fault("OnReuse is %d: want RevokeSession or ReportReuse", c.OnReuse)
	}
	if c.MaxSessions < 0 {
		fault("MaxSessions is %d: must be positive, or 0 for any number", c.MaxSessions)
	}
	if c.WhenFull < EndOldest || c.WhenFull > RefuseNewest {
		fault("WhenFull is %d: want EndOldest or RefuseNewest", c.WhenFull)
	}
	if c.MaxSessions > 0 && c.Store != nil && !canListSubjects(c.Store) {
		fault("MaxSessions needs a Store that is a SubjectIndex or a Lister; %T is none", c.Store)
	}

	faults = append(faults, c.NearCache.fillIn()...)

	if len(faults) > 0 {
		return c, fmt.Errorf("coatcheck: configuration: %w:\n%w", ErrInvalid, errors.Join(faults...))
	}
	return c, nil
}

// hidesAll reports whether a type has fields, and package encoding/json would write
// none of them.
func hidesAll(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t.NumField() == 0 {
		return false
	}
	for _, own := range []reflect.Type{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler]()} {
		if t.Implements(own) || reflect.PointerTo(t).Implements(own) {
			return false
		}
	}
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() || f.Anonymous {
			return false
		}
	}
	return true
}

// checkTimeout refuses what the stores, which count milliseconds, cannot keep.
func checkTimeout(name string, d time.Duration) error {
	if d < time.Millisecond {
		return fmt.Errorf("%s is %v: must be at least one millisecond, or Never", name, d)
	}
	return nil
}
