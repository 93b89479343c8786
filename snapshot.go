package coatcheck

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/coatcheck/coatcheck/internal/nearcache"
)

// entry is a session in memory: the near cache's if there is one, or just this
// call's.
type entry[T any] = nearcache.Entry[snapshot[T]]

// snapshot is what an entry says of a session besides its revision and its
// deadline. It is shared and never changes, but for extending.
type snapshot[T any] struct {
	value   T
	encoded *encoded[T] // the value as long as nobody has asked for it, then nil

	// sum is over what the value was decoded from, so that encoding it again shows
	// whether it still is what the store has.
	sum uint64

	incarnation      uint64
	subject          string
	createdAt        int64 // in milliseconds since the Unix epoch
	absoluteDeadline int64 // likewise; nearcache.Never for none
	idleTimeout      int64 // in milliseconds; 0 for none
	extra            *extra

	extending uint32 // 1 while somebody extends the idle deadline

	// unlike says that sum is over another text than the store has: the codec
	// would encode the value differently. Only with CheckSnapshots.
	unlike bool
}

// extra is what most sessions have not, and never changes. Nil if there is
// nothing.
type extra struct {
	retired []Retired
	client  Client

	// successor is the hash of the secret that has replaced the token's, of which
	// the session is for a while yet. Nil if the token is its own.
	successor *[sha256.Size]byte
}

// copy leaves out extending, which others may be setting.
func (s *snapshot[T]) copy() snapshot[T] {
	return snapshot[T]{
		value: s.value, encoded: s.encoded, sum: s.sum, unlike: s.unlike,
		incarnation: s.incarnation, subject: s.subject,
		createdAt: s.createdAt, absoluteDeadline: s.absoluteDeadline, idleTimeout: s.idleTimeout,
		extra: s.extra,
	}
}

// former reports whether the token is not the session's own any more.
func (s *snapshot[T]) former() bool { return s.extra != nil && s.extra.successor != nil }

// client returns who used the session last.
func (s *snapshot[T]) client() (c Client) {
	if s.extra != nil {
		c = s.extra.client
	}
	return c
}

// renewedAt returns when the token was issued, in milliseconds since the Unix epoch.
func (s *snapshot[T]) renewedAt() int64 {
	if s.extra != nil && len(s.extra.retired) > 0 {
		return s.extra.retired[0].At.UnixMilli()
	}
	return s.createdAt
}

// encoded is a value that is decoded when it is first asked for.
type encoded[T any] struct {
	data  []byte
	once  sync.Once
	sum   uint64 // of data
	value *T
	err   error
}

var sumSeed = maphash.MakeSeed()

func sumOf(data []byte) uint64 { return maphash.Bytes(sumSeed, data) }

// newEntry returns what the record says, but for its value. The holder of the
// token has proven the right to it, be it by a former secret.
func newEntry[T any](token Token, r *Record, former bool) *entry[T] {
	var more *extra
	if len(r.Retired) > 0 || r.Client != (Client{}) {
		more = &extra{retired: r.Retired, client: r.Client}
	}
	if former {
		successor := r.SecretHash
		more.successor = &successor
	}
	return nearcache.NewEntry(snapshot[T]{
		incarnation:      r.Incarnation,
		subject:          r.Subject,
		createdAt:        r.CreatedAt.UnixMilli(),
		absoluteDeadline: millis(r.AbsoluteDeadline),
		idleTimeout:      r.IdleTimeout.Milliseconds(),
		extra:            more,
	}, r.Rev, millis(r.ExpiresAt), string(token[idLen:]))
}

// record is the reverse of newEntry.
func record[T any](token Token, e *entry[T]) Record {
	r := withoutHash(token, e)
	if e.Value.former() {
		r.SecretHash = *e.Value.extra.successor
	} else {
		r.SecretHash = token.hash()
	}
	return r
}

func withoutHash[T any](token Token, e *entry[T]) Record {
	s := &e.Value
	r := Record{
		ID:               string(token[:idLen]),
		Incarnation:      s.incarnation,
		Rev:              e.Rev,
		Subject:          s.subject,
		CreatedAt:        fromMillis(s.createdAt),
		ExpiresAt:        fromMillis(e.ExpiresAt),
		AbsoluteDeadline: fromMillis(s.absoluteDeadline),
		IdleTimeout:      time.Duration(s.idleTimeout) * time.Millisecond,
	}
	if s.extra != nil {
		r.Retired, r.Client = s.extra.retired, s.extra.client
	}
	return r
}

func info[T any](token Token, e *entry[T]) Info {
	r := withoutHash(token, e)
	return r.info()
}

// valueOf returns the entry's value, which is shared, and has the near cache keep it
// decoded.
func (m *Manager[T]) valueOf(e *entry[T]) (*T, error) {
	waiting := e.Value.encoded
	if waiting == nil {
		return &e.Value.value, m.check(e)
	}
	waiting.once.Do(func() {
		waiting.err = errPanicked // which the next reader gets, should the codec panic
		waiting.sum = sumOf(waiting.data)
		value := new(T)
		waiting.value, waiting.err = value, m.decodeTo(waiting.data, value)
	})
	if waiting.err != nil || m.near == nil {
		return waiting.value, waiting.err
	}
	derived := e.With(e.Value.copy(), e.ExpiresAt)
	derived.Value.value, derived.Value.encoded = *waiting.value, nil
	m.hasValue(derived, waiting.sum)
	m.near.Replace(e, derived)
	return &derived.Value.value, nil
}

// hasValue is called when the entry has got its value, decoded from what has this sum.
// That was taken before, for a type's own method may scribble on what it decodes.
func (m *Manager[T]) hasValue(e *entry[T], sum uint64) {
	s := &e.Value
	s.sum = sum
	if !m.config.NearCache.CheckSnapshots {
		return
	}
	if data, err := m.codec.Encode(s.value); err == nil {
		s.sum = sumOf(data)
		s.unlike = s.sum != sum
	}
}

// check finds out, if it is asked to, whether a caller of Get has changed the
// value that others share.
func (m *Manager[T]) check(e *entry[T]) error {
	if m.near == nil || !m.config.NearCache.CheckSnapshots {
		return nil
	}
	if data, err := m.codec.Encode(e.Value.value); err != nil || sumOf(data) == e.Value.sum {
		return nil // also if it cannot be told
	}
	m.near.Drop(e)
	return ErrSnapshotChanged
}

// privateCopy returns the entry's value in memory of its own.
func (m *Manager[T]) privateCopy(e *entry[T]) (T, error) {
	data, err := m.encodedValue(e)
	if err != nil {
		var zero T
		return zero, err
	}
	return m.decode(data)
}

// encodedValue returns exactly what the store has at the entry's revision.
func (m *Manager[T]) encodedValue(e *entry[T]) ([]byte, error) {
	if e.Value.encoded != nil {
		return e.Value.encoded.data, nil
	}
	// To encode the value again gives something else if it was written elsewhere
	// in another way, or if a caller of Get has changed it.
	data, err := m.codec.Encode(e.Value.value)
	if err != nil || e.Value.unlike || sumOf(data) != e.Value.sum {
		return nil, errNoCopy
	}
	return data, nil
}

var errPanicked = fmt.Errorf("%w: the codec panicked", ErrDecode)

// errNoCopy asks for the value to be read anew. Nobody else sees it.
var errNoCopy = errors.New("the value in memory cannot be copied")

// millis is a deadline in milliseconds since the Unix epoch.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return nearcache.Never
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == nearcache.Never {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
