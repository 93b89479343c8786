package storetest_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/coatcheck/coatcheck"
)

// faultyWatches is what a faulty store needs to watch. It is sound in the way
// of a store with a server, which tells a process of a change by another, but
// only once, and only if the process has touched the record since.
type faultyWatches struct {
	held    map[string]bool // the server would tell of a change
	watches []*faultyWatch
	stop    chan struct{} // closed by Close
}

type faultyWatch struct {
	sink    coatcheck.WatchSink
	pending []coatcheck.RecordChange // told by the server, and not read yet
}

// elsewhere marks the context of a call by another process.
type elsewhere struct{}

func isElsewhere(ctx context.Context) bool { return ctx.Value(elsewhere{}) != nil }

// other is the store as another process has it.
type other struct{ *faulty }

func (o other) Close() error { return nil }
func (o other) Load(ctx context.Context, id string) (coatcheck.Record, error) {
	return o.faulty.Load(context.WithValue(ctx, elsewhere{}, true), id)
}
func (o other) Create(ctx context.Context, r coatcheck.Record) error {
	return o.faulty.Create(context.WithValue(ctx, elsewhere{}, true), r)
}
func (o other) Update(ctx context.Context, r coatcheck.Record) error {
	return o.faulty.Update(context.WithValue(ctx, elsewhere{}, true), r)
}
func (o other) Delete(ctx context.Context, id string) error {
	return o.faulty.Delete(context.WithValue(ctx, elsewhere{}, true), id)
}

func (s *faulty) hold(ctx context.Context, id, how string) {
	if !isElsewhere(ctx) {
		s.held[id] = s.fault != "forgets what was "+how
	}
}

// report is called under s.mu, which it may give up for a moment.
func (s *faulty) report(ctx context.Context, change coatcheck.RecordChange) {
	if isElsewhere(ctx) {
		if s.held[change.ID] && (change.Rev != 0 || s.fault != "deaf to deletions elsewhere") {
			for _, w := range s.watches {
				w.pending = append(w.pending, coatcheck.RecordChange{ID: change.ID})
			}
		}
		delete(s.held, change.ID)
		return
	}
	if s.fault == "reports nothing cancelled" {
		s.pauseUnlocked()
	}
	switch {
	case s.fault == "reports no update" && change.Rev != 0,
		s.fault == "reports no deletion" && change.Rev == 0,
		s.fault == "reports nothing cancelled" && ctx.Err() != nil:
		return
	case s.fault == "reports the old revision" && change.Rev != 0:
		change.Rev--
	case s.fault == "reports updates as expiry" && change.Rev != 0:
		change.Rev, change.Expired = 0, true
	case s.fault == "reports deletions as expiry" && change.Rev == 0:
		change.Expired = true
	case s.fault == "reports the new record as gone" && change.Rev == 0:
		change.Rev = 1
	case s.fault == "reports too late":
		for _, w := range s.watches {
			w.pending = append(w.pending, change)
		}
		return
	}
	for i, w := range s.watches {
		if i == 0 || s.fault != "one watch hears" {
			w.sink.Changed(change)
		}
	}
}

func (s *faulty) Watch(ctx context.Context, every time.Duration, sink coatcheck.WatchSink) error {
	if s.fault == "watch ignores the context" {
		ctx = context.WithoutCancel(ctx)
	}
	w := &faultyWatch{sink: sink}
	if err := s.enter(ctx); err != nil {
		return err
	}
	if s.fault == "watch begins without Lost" {
		sink.CaughtUp(time.Now())
	} else {
		sink.Lost()
	}
	if s.fault == "watches alone" {
		s.watches = nil
	}
	s.watches = append(s.watches, w)
	s.mu.Unlock()
	for lost := false; ; {
		select {
		case <-ctx.Done():
			if s.fault != "reports after the end" {
				s.forget(w)
			}
			if s.fault == "watch ends without an error" {
				return nil
			}
			return ctx.Err()
		case <-s.stop:
			if s.fault == "watch ends with a cause of its own" {
				return errors.New("the store was closed")
			}
			if s.fault != "watch survives Close" {
				return coatcheck.ErrClosed
			}
			<-ctx.Done()
			return ctx.Err()
		case <-time.After(every):
		}
		if s.round(w, every, &lost); lost && s.fault == "watch ends in an outage" {
			return coatcheck.ErrUnavailable
		}
	}
}

func (s *faulty) forget(w *faultyWatch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watches = slices.DeleteFunc(s.watches, func(other *faultyWatch) bool { return other == w })
	if s.fault == "watch ends others" {
		s.watches = nil
	}
}

// round reads what the server has told and says so.
func (s *faulty) round(w *faultyWatch, every time.Duration, lost *bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	asOf := time.Now()
	switch {
	case s.fault == "never catches up":
		return
	case s.down:
		*lost, w.pending = true, nil
		if s.fault == "catches up in an outage" {
			w.sink.CaughtUp(asOf)
		}
		if s.fault == "deaf after an outage" {
			s.watches = nil
		}
		return
	case s.fault == "catches up with the future":
		asOf = asOf.Add(every)
	case s.fault == "claims to be alone":
		asOf = asOf.Add(100 * 365 * 24 * time.Hour)
	case s.fault == "catches up too early":
		defer w.sink.CaughtUp(asOf)
		defer s.tell(w)
		w.sink.CaughtUp(asOf)
		return
	}
	if *lost && s.fault != "loses nothing in an outage" {
		w.sink.Lost()
	}
	*lost = false
	s.tell(w)
	w.sink.CaughtUp(asOf)
}

func (s *faulty) tell(w *faultyWatch) {
	if len(w.pending) > 0 && s.fault != "deaf to others" {
		w.sink.Changed(w.pending...)
	}
	w.pending = nil
}
