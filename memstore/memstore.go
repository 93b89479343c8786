// Package memstore keeps coatcheck's records in the memory of this process:
// the reference implementation of the store contract, and a store for tests
// and for services that may forget their sessions when they stop.
package memstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/coatcheck/coatcheck"
)

// Defaults of [Config].
const (
	DefaultMaxBytes      = 1 << 30
	DefaultSweepInterval = time.Minute
)

// ErrFull says that the store is at its MaxBytes with living records. The
// error also wraps [coatcheck.ErrUnavailable]. A full store refuses what is
// new; it never drops what it has acknowledged.
var ErrFull = errors.New("memory store is full")

var errClosed = fmt.Errorf("memstore: %w", coatcheck.ErrClosed)

// Config configures a [Store]. The zero value is valid.
type Config struct {
	// MaxBytes bounds the memory that records take: their values, subjects,
	// clients and retired secrets, and 512 bytes for each record. Default 1 GiB.
	MaxBytes int64

	// SweepInterval is how often expired records are removed from memory. They
	// are absent to callers at once. Default one minute.
	SweepInterval time.Duration
}

// Store is a [coatcheck.Store] in memory. It also implements
// [coatcheck.Toucher], [coatcheck.Lister], [coatcheck.SubjectIndex],
// [coatcheck.Pinger] and [coatcheck.Watcher]. It claims no durability: the records
// end with the process.
type Store struct {
	maxBytes int64
	stop     chan struct{} // closed by Close
	swept    chan struct{} // closed when the sweeper has ended

	mu       sync.Mutex
	records  map[string]*item // nil after Close
	subjects subjects         // of records
	expiry   expiryHeap       // those of records that expire
	bytes    int64
	watches  []*watch

	reported [1]coatcheck.RecordChange // here, since it would escape from the stack
}

var (
	_ coatcheck.Store        = (*Store)(nil)
	_ coatcheck.Toucher      = (*Store)(nil)
	_ coatcheck.Lister       = (*Store)(nil)
	_ coatcheck.SubjectIndex = (*Store)(nil)
	_ coatcheck.Pinger       = (*Store)(nil)
)

// New returns an empty store whose sweeper runs until Close, or an error that
// wraps [coatcheck.ErrInvalid] and names all that is wrong with the
// configuration.
func New(config Config) (*Store, error) {
	var faults []error
	if config.MaxBytes < 0 {
		faults = append(faults, fmt.Errorf("MaxBytes is %d: must be positive, or 0 for %d", config.MaxBytes, DefaultMaxBytes))
	}
	if config.SweepInterval < 0 {
		faults = append(faults, fmt.Errorf("SweepInterval is %v: must be positive, or 0 for %v", config.SweepInterval, DefaultSweepInterval))
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("memstore: configuration: %w:\n%w", coatcheck.ErrInvalid, errors.Join(faults...))
	}
	if config.MaxBytes == 0 {
		config.MaxBytes = DefaultMaxBytes
	}
	if config.SweepInterval == 0 {
		config.SweepInterval = DefaultSweepInterval
	}
	s := &Store{
		maxBytes: config.MaxBytes,
		stop:     make(chan struct{}),
		swept:    make(chan struct{}),
		records:  make(map[string]*item),
		subjects: make(subjects),
	}
	go s.sweepUntilClosed(config.SweepInterval)
	return s, nil
}

// Close ends the sweeper, waits for it, and forgets all records. Later calls
// return an error that wraps [coatcheck.ErrClosed]. Closing twice is fine.
func (s *Store) Close() error {
	s.mu.Lock()
	open := s.records != nil
	s.records, s.subjects, s.expiry, s.bytes = nil, nil, nil, 0
	for _, w := range s.watches {
		w.sink.Lost() // nobody serves from memory what is behind a closed store
	}
	s.watches = nil
	s.mu.Unlock()
	if open {
		close(s.stop)
	}
	<-s.swept
	return nil
}

// Bytes returns how much of MaxBytes is in use.
func (s *Store) Bytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

// Load implements [coatcheck.Store].
func (s *Store) Load(ctx context.Context, id string) (coatcheck.Record, error) {
	if err := s.enter(ctx); err != nil {
		return coatcheck.Record{}, err
	}
	defer s.mu.Unlock()
	it := s.living(id, time.Now())
	if it == nil {
		return coatcheck.Record{}, coatcheck.ErrNotFound
	}
	return clone(it.Record), nil
}

// Create implements [coatcheck.Store]. It returns [ErrFull] when the record
// does not fit.
func (s *Store) Create(ctx context.Context, r coatcheck.Record) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	now := time.Now()
	if s.living(r.ID, now) != nil {
		return coatcheck.ErrExists
	}
	if err := s.makeRoom(size(&r), now); err != nil {
		return err
	}
	s.insert(clone(r))
	return nil
}

// Update implements [coatcheck.Store]. It returns [ErrFull] when the record
// has grown and does not fit.
func (s *Store) Update(ctx context.Context, r coatcheck.Record) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	now := time.Now()
	it := s.living(r.ID, now)
	if it == nil || it.Incarnation != r.Incarnation {
		return coatcheck.ErrNotFound
	}
	if it.Rev != r.Rev-1 {
		return coatcheck.ErrConflict
	}
	if err := s.makeRoom(size(&r)-size(&it.Record), now); err != nil {
		return err
	}
	s.bytes += size(&r) - size(&it.Record)
	s.subjects.remove(it)
	it.Record = clone(r)
	s.subjects.add(it)
	s.reschedule(it)
	s.report(coatcheck.RecordChange{ID: it.ID, Rev: it.Rev, Own: true})
	return nil
}

// Delete implements [coatcheck.Store].
func (s *Store) Delete(ctx context.Context, id string) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if it := s.records[id]; it != nil {
		s.remove(it)
		s.report(coatcheck.RecordChange{ID: it.ID, Own: true})
	}
	return nil
}

// Touch implements [coatcheck.Toucher].
func (s *Store) Touch(ctx context.Context, r coatcheck.Record) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	it := s.living(r.ID, time.Now())
	if it == nil || it.Incarnation != r.Incarnation {
		return coatcheck.ErrNotFound
	}
	if it.ExpiresAt.IsZero() {
		return nil
	}
	deadline := coatcheck.Earlier(r.ExpiresAt, it.AbsoluteDeadline)
	if deadline.IsZero() || deadline.After(it.ExpiresAt) {
		it.ExpiresAt = deadline
		s.reschedule(it)
	}
	return nil
}

// List implements [coatcheck.Lister]: it copies the IDs first, 22 bytes each,
// and then record after record, so that no caller waits for a long listing.
func (s *Store) List(ctx context.Context) iter.Seq2[coatcheck.Record, error] {
	return func(yield func(coatcheck.Record, error) bool) {
		if err := s.enter(ctx); err != nil {
			yield(coatcheck.Record{}, err)
			return
		}
		ids := make([]string, 0, len(s.records))
		for id := range s.records {
			ids = append(ids, id)
		}
		s.mu.Unlock()
		for _, id := range ids {
			r, err := s.Load(ctx, id)
			if errors.Is(err, coatcheck.ErrNotFound) {
				continue
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// Ping implements [coatcheck.Pinger].
func (s *Store) Ping(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	s.mu.Unlock()
	return nil
}

// enter locks s.mu, unless the context has ended or the store is closed.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	if s.records == nil {
		s.mu.Unlock()
		return errClosed
	}
	return nil
}

// living returns the item unless it has expired.
func (s *Store) living(id string, now time.Time) *item {
	it := s.records[id]
	if it == nil || it.Expired(now) {
		return nil
	}
	return it
}
