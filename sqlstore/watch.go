package sqlstore

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/coatcheck/coatcheck"
)

var _ coatcheck.Watcher = (*Store)(nil)

// Bounds of the pause between two rounds of a watch: the one keeps a careless
// "every" from a busy loop, the other a watch that fails from being forgotten.
const (
	minPause       = time.Millisecond
	maxPauseFailed = time.Second
)

// Watch implements [coatcheck.Watcher]. Changes that are made through this
// Store are reported one by one. That somebody else has changed the file,
// SQLite tells by a version number, but not what: then all is Lost.
func (s *Store) Watch(ctx context.Context, every time.Duration, sink coatcheck.WatchSink) error {
	every = max(every, minPause)
	var begun *watch
	var known int64
	for pause := every; ; {
		asOf := time.Now() // before the question: what is committed later may be missing from the answer
		version, err := s.version(ctx)
		switch ended := s.enter(ctx); {
		case ended != nil:
			s.writer.watches.end(begun)
			return ended
		case err != nil:
			pause = min(2*pause, max(every, maxPauseFailed))
		case begun == nil:
			begun = s.writer.watches.begin(sink) // after the question: Lost stands for what came in between
		case version != known:
			sink.Lost()
		}
		if err == nil {
			known, pause = version, every
			sink.CaughtUp(asOf)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		case <-s.writer.stop:
		}
	}
}

// version returns a number that differs from the one before if another
// connection has committed in between. A file that is not the one that others
// find under the path tells nothing about their changes.
func (s *Store) version(ctx context.Context) (int64, error) {
	if err := s.checkFile(); err != nil {
		return 0, err
	}
	return s.writer.version(ctx)
}

// watches are the calls of Watch under way that have begun to report. Their
// sinks are called under mu, so that none is called when its watch has ended.
type watches struct {
	mu  sync.Mutex
	all []*watch
}

// watch has an identity, which a sink that watches twice has not.
type watch struct{ sink coatcheck.WatchSink }

func (w *watches) begin(sink coatcheck.WatchSink) *watch {
	w.mu.Lock()
	defer w.mu.Unlock()
	begun := &watch{sink}
	w.all = append(w.all, begun)
	sink.Lost()
	return begun
}

func (w *watches) end(ended *watch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = slices.DeleteFunc(w.all, func(other *watch) bool { return other == ended })
}

func (w *watches) lost() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, watch := range w.all {
		watch.sink.Lost()
	}
}

func (w *watches) report(changes ...coatcheck.RecordChange) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, watch := range w.all {
		watch.sink.Changed(changes...)
	}
}
