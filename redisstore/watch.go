package redisstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/coatcheck/coatcheck"
)

// longestPause is between two attempts at repairing a watch, so that a server
// that comes back is not met by a crowd.
const longestPause = time.Second

// Watch implements [coatcheck.Watcher], by the store's [Invalidation]. With
// NoInvalidation it returns an error that wraps errors.ErrUnsupported.
func (s *Store) Watch(ctx context.Context, every time.Duration, sink coatcheck.WatchSink) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	var w stream
	switch s.invalidation {
	case Tracking:
		w = &trackingStream{store: s, sink: sink}
	case PubSub:
		w = &pubsubStream{store: s, sink: sink}
	default:
		return fmt.Errorf("redisstore: watch: %w: opened with NoInvalidation", errors.ErrUnsupported)
	}
	defer w.close()
	defer s.sinks.add(sink)()
	sink.Lost()

	pause := every
	for failures := 0; ; {
		// An answer that takes longer proves nothing that is still of use.
		round, cancel := context.WithTimeout(ctx, 4*every)
		err := w.round(round)
		cancel()
		switch {
		case err == nil && failures > 0:
			s.logger.InfoContext(ctx, "redisstore: changes are reported again")
			failures, pause = 0, every
		case err != nil && ctx.Err() == nil && !s.closed.Load():
			if failures++; failures == 1 {
				s.logger.WarnContext(ctx, "redisstore: no report of changes, trying again", "error", classify(ctx, err))
			}
			pause = min(2*pause, max(every, longestPause))
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-s.done:
			timer.Stop()
			return fmt.Errorf("redisstore: watch: %w", coatcheck.ErrClosed)
		}
	}
}

// stream is one way to hear of changes.
type stream interface {
	// round has every server say how far it has reported, and tells the sink,
	// which has heard all that came before.
	round(ctx context.Context) error
	close()
}

// sinks are those who watch.
type sinks struct {
	mu  sync.RWMutex // held for reading while they are told
	all []*sink
}

// sink has an identity, which one that watches twice has not.
type sink struct{ coatcheck.WatchSink }

func (s *sinks) add(w coatcheck.WatchSink) (remove func()) {
	added := &sink{w}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, added)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all = slices.DeleteFunc(s.all, func(other *sink) bool { return other == added })
	}
}

func (s *sinks) changed(changes ...coatcheck.RecordChange) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, sink := range s.all {
		sink.Changed(changes...)
	}
}

func (s *sinks) lost() {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, sink := range s.all {
		sink.Lost()
	}
}

// reportOwn says that this store has changed a record, or, with revision 0,
// that it is gone or may have been changed. The server tells the others.
func (s *Store) reportOwn(id string, rev uint64) {
	s.sinks.changed(coatcheck.RecordChange{ID: id, Rev: rev, Own: true})
}

// roles asks all nodes for their role, which takes the place of a PING: the
// answer comes after all that was reported on its connection before. It returns
// the addresses of the primaries. All nodes must answer: one that does not might
// have become a primary.
func roles(ctx context.Context, nodes map[string]roleAsker) ([]string, error) {
	type answer struct {
		addr    string
		primary bool
		err     error
	}
	answers := make(chan answer, len(nodes))
	for addr, node := range nodes {
		ask := func() {
			primary, err := isPrimary(ctx, node)
			answers <- answer{addr, primary, err}
		}
		if len(nodes) == 1 {
			ask()
		} else {
			go ask()
		}
	}
	var primaries []string
	var errs []error
	for range nodes {
		a := <-answers
		switch {
		case a.err != nil:
			errs = append(errs, a.err)
		case a.primary:
			primaries = append(primaries, a.addr)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if len(primaries) == 0 {
		return nil, errNoPrimary
	}
	slices.Sort(primaries)
	return primaries, nil
}

var errNoPrimary = errors.New("connected to a replica, and to no primary")

// roleAsker is what clients and dedicated clients have in common.
type roleAsker interface {
	B() rueidis.Builder
	Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult
}

func (s *Store) nodes() map[string]roleAsker {
	nodes := make(map[string]roleAsker)
	for addr, node := range maps.All(s.client.Nodes()) {
		nodes[addr] = node
	}
	return nodes
}
