package memstore

import (
	"context"
	"slices"
	"time"

	"github.com/coatcheck/coatcheck"
)

var _ coatcheck.Watcher = (*Store)(nil)

// century is how far ahead a watch has caught up from the start: no change can
// go unreported, since all are made here.
const century = 100 * 365 * 24 * time.Hour

// watch is a call of Watch under way. It has an identity, which a sink that
// watches twice has not.
type watch struct{ sink coatcheck.WatchSink }

// Watch implements [coatcheck.Watcher].
func (s *Store) Watch(ctx context.Context, _ time.Duration, sink coatcheck.WatchSink) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	w := &watch{sink}
	s.watches = append(s.watches, w)
	sink.Lost()
	sink.CaughtUp(time.Now().Add(century))
	s.mu.Unlock()

	var err error
	select {
	case <-ctx.Done():
		err = ctx.Err()
	case <-s.stop:
		err = errClosed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watches = slices.DeleteFunc(s.watches, func(other *watch) bool { return other == w })
	return err
}

// report tells every watch of a change. The caller holds s.mu, so that reports
// come in the order of the changes, and before the changing method returns.
func (s *Store) report(change coatcheck.RecordChange) {
	if len(s.watches) == 0 {
		return
	}
	s.reported[0] = change
	for _, w := range s.watches {
		w.sink.Changed(s.reported[:]...)
	}
}
