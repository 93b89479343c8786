package storetest_test

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/coatcheck/coatcheck"
)

// faulty is the simplest sound store, but for one fault.
type faulty struct {
	fault string

	mu        sync.Mutex
	records   map[string]coatcheck.Record
	untouched map[string]time.Time // deadlines before Touch
	deleted   map[string]coatcheck.Record
	down      bool
	closed    bool
	faultyWatches
	faultySubjects
}

// Close is sound but for two faults.
func (s *faulty) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed && s.fault == "closes once" {
		return fmt.Errorf("%w twice", coatcheck.ErrClosed)
	}
	if !s.closed {
		close(s.stop)
	}
	s.closed = true
	return nil
}

func newFaulty(fault string) *faulty {
	return &faulty{
		fault: fault, records: map[string]coatcheck.Record{}, untouched: map[string]time.Time{}, deleted: map[string]coatcheck.Record{},
		faultyWatches:  faultyWatches{held: map[string]bool{}, stop: make(chan struct{})},
		faultySubjects: faultySubjects{former: map[string]map[string]bool{}, names: map[string]map[string]bool{}},
	}
}

func (s *faulty) set(flag *bool, to bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*flag = to
}

// enter locks s.mu unless the result is an error.
func (s *faulty) enter(ctx context.Context) error {
	if s.fault != "ignores the context" && s.fault != "acts though cancelled" && ctx.Err() != nil {
		return ctx.Err()
	}
	s.mu.Lock()
	switch {
	case s.closed && s.fault != "serves when closed":
		s.mu.Unlock()
		return coatcheck.ErrClosed
	case !s.down:
		return nil
	}
	s.mu.Unlock()
	switch s.fault {
	case "miss on outage":
		return coatcheck.ErrNotFound
	case "error without a name":
		return fmt.Errorf("connection refused")
	}
	return fmt.Errorf("%w: connection refused", coatcheck.ErrUnavailable)
}

func (s *faulty) leave(ctx context.Context) error {
	s.mu.Unlock()
	if s.fault == "acts though cancelled" {
		return ctx.Err()
	}
	return nil
}

func (s *faulty) living(id string) (coatcheck.Record, bool) {
	r, ok := s.records[id]
	if s.fault == "expires the eternal" && r.ExpiresAt.IsZero() {
		return r, false
	}
	return r, ok && !r.Expired(time.Now())
}

// pauseUnlocked lets others in between a check and the act that rests on it.
func (s *faulty) pauseUnlocked() {
	s.mu.Unlock()
	time.Sleep(100 * time.Microsecond) // widens the race that is the fault
	s.mu.Lock()
}

func (s *faulty) Load(ctx context.Context, id string) (coatcheck.Record, error) {
	if err := s.enter(ctx); err != nil {
		return coatcheck.Record{}, err
	}
	r, ok := s.living(id)
	if s.fault == "serves expired" && !ok {
		r, ok = s.records[id]
	}
	s.hold(ctx, id, "loaded")
	if err := s.leave(ctx); err != nil {
		return coatcheck.Record{}, err
	}
	if !ok {
		switch s.fault {
		case "miss without a name":
			return coatcheck.Record{}, fmt.Errorf("no rows")
		case "panics":
			panic("nil dereference")
		}
		return coatcheck.Record{}, coatcheck.ErrNotFound
	}
	if s.fault != "hands out its slice" {
		r.Value = slices.Clone(r.Value)
	}
	if s.fault != "hands out its retired" {
		r.Retired = slices.Clone(r.Retired)
	}
	return r, nil
}

func (s *faulty) Create(ctx context.Context, r coatcheck.Record) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	_, taken := s.living(r.ID)
	if s.fault == "expired blocks create" {
		_, taken = s.records[r.ID]
	}
	if s.fault == "racy create" {
		s.pauseUnlocked()
	}
	if taken && s.fault != "overwriting create" {
		_ = s.leave(ctx)
		return coatcheck.ErrExists
	}
	s.put(r)
	return s.leave(ctx)
}

func (s *faulty) put(r coatcheck.Record) {
	switch s.fault {
	case "truncates values":
		r.Value = r.Value[:min(len(r.Value), 1000)]
	case "seconds only":
		r.ExpiresAt = r.ExpiresAt.Truncate(time.Second)
	case "signed incarnations":
		r.Incarnation &= 1<<63 - 1
	case "forgets when created":
		r.CreatedAt = time.Time{}
	case "forgets the hash":
		r.SecretHash = [32]byte{}
	case "forgets the idle timeout":
		r.IdleTimeout = 0
	case "cuts clients off":
		r.Client.Address = r.Client.Address[:min(len(r.Client.Address), 254)]
	case "cuts user agents off":
		r.Client.UserAgent = r.Client.UserAgent[:min(len(r.Client.UserAgent), 254)]
	}
	if s.fault != "keeps the slice" {
		r.Value = slices.Clone(r.Value)
	}
	if s.fault != "keeps the retired" {
		r.Retired = slices.Clone(r.Retired)
	}
	switch last := len(r.Retired) - 1; {
	case last < 0:
	case s.fault == "forgets the retired":
		r.Retired = nil
	case s.fault == "forgets the fourth retired":
		r.Retired = r.Retired[:min(len(r.Retired), 3)]
	case s.fault == "turns the retired round":
		slices.Reverse(r.Retired)
	case s.fault == "ends the retired at once":
		r.Retired[last].Until = r.Retired[last].At
	case s.fault == "takes the end of the retired for their time":
		r.Retired[0].At = r.Retired[0].Until
	}
	s.note(s.records[r.ID], r)
	s.records[r.ID] = r
}

func (s *faulty) Update(ctx context.Context, r coatcheck.Record) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	old, ok := s.living(r.ID)
	if s.fault == "updates expired" {
		old, ok = s.records[r.ID]
	}
	var err error
	switch {
	case s.fault == "resurrecting update" && !ok:
	case !ok, old.Incarnation != r.Incarnation && s.fault != "blind to incarnations":
		err = coatcheck.ErrNotFound
	case old.Rev != r.Rev-1 && s.fault != "lost update":
		err = coatcheck.ErrConflict
	}
	if s.fault == "racy update" || s.fault == "update of a stale load" {
		s.pauseUnlocked()
		if current, ok := s.living(r.ID); s.fault == "racy update" && !ok || s.fault == "update of a stale load" && ok && current.Rev != old.Rev {
			err = coatcheck.ErrConflict
		}
	}
	if s.fault == "half-written" && err == nil {
		half := r
		half.Value = slices.Concat(r.Value[:len(r.Value)/2], old.Value[min(len(old.Value), len(r.Value)/2):])
		s.put(half)
		s.pauseUnlocked()
		if ctx.Err() != nil {
			_ = s.leave(ctx)
			return ctx.Err()
		}
	}
	switch {
	case s.fault == "errors with the value" && err == coatcheck.ErrConflict:
		err = fmt.Errorf("%w: not writing %q", err, r.Value)
	case s.fault == "conflict moves the subject" && err == coatcheck.ErrConflict:
		old.Subject = r.Subject
		s.put(old)
	case s.fault == "update keeps the retired":
		r.Retired = old.Retired
	case s.fault == "update keeps the client":
		r.Client = old.Client
	case s.fault == "update forgets the retired":
		r.Retired = nil
	case s.fault == "update keeps the deadline":
		r.ExpiresAt = old.ExpiresAt
	case s.fault == "update loses the deadline":
		r.ExpiresAt = time.Time{}
	}
	if err == nil {
		s.put(r)
		s.report(ctx, coatcheck.RecordChange{ID: r.ID, Rev: r.Rev})
		s.hold(ctx, r.ID, "updated")
	}
	if leaveErr := s.leave(ctx); leaveErr != nil {
		return leaveErr
	}
	return err
}

func (s *faulty) Delete(ctx context.Context, id string) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	r, ok := s.records[id]
	if ok {
		s.deleted[id] = r
	}
	if s.fault != "delete that does nothing" {
		delete(s.records, id)
		s.report(ctx, coatcheck.RecordChange{ID: id})
	}
	if err := s.leave(ctx); err != nil {
		return err
	}
	if !ok && s.fault == "delete of nothing fails" {
		return coatcheck.ErrNotFound
	}
	return nil
}

func (s *faulty) Touch(ctx context.Context, r coatcheck.Record) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	old, ok := s.living(r.ID)
	if s.fault == "touch revives" {
		old, ok = s.records[r.ID]
	}
	if !ok || old.Incarnation != r.Incarnation && s.fault != "touch blind to incarnation" {
		_ = s.leave(ctx)
		return coatcheck.ErrNotFound
	}
	s.untouched[r.ID] = old.ExpiresAt
	deadline := coatcheck.Earlier(r.ExpiresAt, old.AbsoluteDeadline)
	if s.fault == "touch beyond the absolute" {
		deadline = r.ExpiresAt
	}
	if later := !coatcheck.Earlier(deadline, old.ExpiresAt).Equal(deadline); later || s.fault == "touch shortens" {
		old.ExpiresAt = deadline
	}
	switch s.fault {
	case "touch with a revision":
		old.Rev++
	case "touch ends the eternal":
		if old.ExpiresAt.IsZero() {
			old.ExpiresAt = deadline
		}
	case "racy touch":
		s.pauseUnlocked()
	}
	s.records[r.ID] = old
	s.hold(ctx, r.ID, "touched")
	return s.leave(ctx)
}

func (s *faulty) List(ctx context.Context) iter.Seq2[coatcheck.Record, error] {
	return func(yield func(coatcheck.Record, error) bool) {
		if err := s.enter(ctx); err != nil {
			yield(coatcheck.Record{}, err)
			return
		}
		var all []coatcheck.Record
		if s.fault == "lists the deleted" {
			all = slices.Collect(maps.Values(s.deleted))
		}
		for id, r := range s.records {
			if _, ok := s.living(id); ok || s.fault == "lists expired" {
				if s.fault != "lists its slice" {
					r.Value, r.Retired = slices.Clone(r.Value), slices.Clone(r.Retired)
				}
				all = append(all, r)
			}
		}
		if s.fault == "lists one page" {
			all = all[:min(len(all), 1000)]
		}
		if s.fault == "lists twice" {
			all = append(all, all...)
		}
		if err := s.leave(ctx); err != nil {
			yield(coatcheck.Record{}, err)
			return
		}
		for _, r := range all {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (s *faulty) Ping(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	if err := s.leave(ctx); err != nil {
		return err
	}
	if s.fault == "ping fails" {
		return fmt.Errorf("%w: unwell", coatcheck.ErrUnavailable)
	}
	return nil
}
