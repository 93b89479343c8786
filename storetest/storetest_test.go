package storetest_test

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/storetest"
)

// TestRejectsBrokenStores runs the suite against stores with one fault each:
// it must report the rule that the fault breaks, and no rule of a sound store.
func TestRejectsBrokenStores(t *testing.T) {
	for fault, rules := range map[string][]string{
		"":                           nil, // none: the sound store passes
		"lost update":                {"UpdateIsCompareAndSwap", "OneWriterWinsEachRev"},
		"racy update":                {"OneWriterWinsEachRev"},
		"resurrecting update":        {"UpdateNeverRecreates", "DeleteBeatsEveryUpdate", "ExpiredIsAbsent"},
		"update of a stale load":     {"DeleteBeatsEveryUpdate"},
		"blind to incarnations":      {"UpdateSparesAnotherIncarnation"},
		"overwriting create":         {"CreateNeverOverwrites", "OneOfManyCreatesWins"},
		"racy create":                {"OneOfManyCreatesWins"},
		"expired blocks create":      {"ExpiredIsAbsent"},
		"serves expired":             {"ExpiredIsAbsent", "NeverExpires"},
		"lists expired":              {"ExpiredIsAbsent"},
		"updates expired":            {"ExpiredIsAbsent"},
		"expires the eternal":        {"NeverExpires", "RecordsComeBackByteForByte"},
		"miss on outage":             {"OutageIsUnavailable"},
		"forgets in an outage":       {"OutageIsUnavailable"},
		"error without a name":       {"OutageIsUnavailable"},
		"miss without a name":        {"MissIsNotFound"},
		"delete of nothing fails":    {"DeleteIsIdempotent"},
		"delete that does nothing":   {"DeleteIsIdempotent", "MissIsNotFound"},
		"touch with a revision":      {"TouchExtends"},
		"touch shortens":             {"TouchNeverShortens"},
		"touch beyond the absolute":  {"TouchStopsAtAbsoluteDeadline"},
		"touch revives":              {"TouchNeverRevives"},
		"touch blind to incarnation": {"TouchNeverRevives"},
		"truncates values":           {"RecordsComeBackByteForByte"},
		"seconds only":               {"RecordsComeBackByteForByte"},
		"signed incarnations":        {"RecordsComeBackByteForByte"},
		"keeps the slice":            {"MemoryIsNotShared"},
		"hands out its slice":        {"MemoryIsNotShared"},
		"lists one page":             {"ListYieldsEachLivingRecordOnce"},
		"lists twice":                {"ListYieldsEachLivingRecordOnce"},
		"ping fails":                 {"PingIsNilWhenWell"},
		"ignores the context":        {"EndedContextReturns"},
		"acts though cancelled":      {"EndedContextReturns"},
		"half-written":               {"CancelledChangeIsWholeOrNot"},
		"forgets in a restart":       {"RestartKeepsWhatWasAcknowledged"},
		"forgets touches":            {"RestartKeepsWhatWasAcknowledged"},
		"panics":                     {"MissIsNotFound"},
		"update keeps the deadline":  {"UpdateSetsTheDeadline"},
		"update loses the deadline":  {"UpdateSetsTheDeadline"},
		"racy touch":                 {"TouchUndoesNothing"},
		"touch ends the eternal":     {"TouchNeverShortens"},
		"forgets when created":       {"RecordsComeBackByteForByte"},
		"forgets the hash":           {"RecordsComeBackByteForByte"},
		"forgets the idle timeout":   {"RecordsComeBackByteForByte"},
		"lists its slice":            {"MemoryIsNotShared"},
		"lists the deleted":          {"ListYieldsEachLivingRecordOnce"},
		"errors with the value":      {"ErrorsHoldNoData"},
		"serves when closed":         {"ClosedStoreSaysSo"},
		"closes once":                {"ClosedStoreSaysSo"},
		"revives in a restart":       {"RestartKeepsWhatWasAcknowledged"},
	} {
		t.Run("fault="+fault, func(t *testing.T) {
			t.Parallel()
			broken := make(map[string]bool)
			var report strings.Builder
			for _, v := range storetest.Check(func() (storetest.Target, error) { return target(fault), nil }) {
				broken[v.Rule] = true
				fmt.Fprintln(&report, v)
			}
			for _, rule := range rules {
				if !broken[rule] {
					t.Errorf("rule %s is not reported; the report:\n%s", rule, report.String())
				}
			}
			if rules == nil && len(broken) > 0 {
				t.Errorf("a sound store is rejected:\n%s", report.String())
			}
			if rules != nil && !strings.Contains(report.String(), "rule "+rules[0]+": ") {
				t.Errorf("the report does not print the rule:\n%s", report.String())
			}
		})
	}
}

// TestCapabilitiesAreOptional shows that a store of four methods passes.
func TestCapabilitiesAreOptional(t *testing.T) {
	storetest.Run(t, func() (storetest.Target, error) {
		return storetest.Target{Store: struct{ coatcheck.Store }{newFaulty("")}}, nil
	})
}

func target(fault string) storetest.Target {
	s := newFaulty(fault)
	return storetest.Target{
		Store: s,
		Outage: func() (func() error, error) {
			s.set(&s.down, true)
			return func() error {
				s.set(&s.down, false)
				if fault == "forgets in an outage" {
					s.records = map[string]coatcheck.Record{}
				}
				return nil
			}, nil
		},
		Restart: func() (coatcheck.Store, error) {
			switch fault {
			case "forgets in a restart":
				s.records = map[string]coatcheck.Record{}
			case "revives in a restart":
				maps.Copy(s.records, s.deleted)
			case "forgets touches":
				for id, deadline := range s.untouched {
					r := s.records[id]
					r.ExpiresAt = deadline
					s.records[id] = r
				}
			}
			return s, nil
		},
	}
}

// faulty is the simplest sound store, but for one fault.
type faulty struct {
	fault string

	mu        sync.Mutex
	records   map[string]coatcheck.Record
	untouched map[string]time.Time // deadlines before Touch
	deleted   map[string]coatcheck.Record
	down      bool
	closed    bool
}

// Close is sound but for two faults.
func (s *faulty) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed && s.fault == "closes once" {
		return fmt.Errorf("%w twice", coatcheck.ErrClosed)
	}
	s.closed = true
	return nil
}

func newFaulty(fault string) *faulty {
	return &faulty{fault: fault, records: map[string]coatcheck.Record{}, untouched: map[string]time.Time{}, deleted: map[string]coatcheck.Record{}}
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
	}
	if s.fault != "keeps the slice" {
		r.Value = slices.Clone(r.Value)
	}
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
	case s.fault == "update keeps the deadline":
		r.ExpiresAt = old.ExpiresAt
	case s.fault == "update loses the deadline":
		r.ExpiresAt = time.Time{}
	}
	if err == nil {
		s.put(r)
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
					r.Value = slices.Clone(r.Value)
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
