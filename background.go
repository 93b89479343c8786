package coatcheck

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// marksPerBound is how often the store is asked, within MaxStaleness, how far
// it has reported. One answer in time is enough, so that three may be late.
const marksPerBound = 4

// background is what a manager does besides its calls.
type background struct {
	cancel     context.CancelFunc
	goroutines sync.WaitGroup
	events     chan Event
}

func (b *background) stop() {
	b.cancel()
	b.goroutines.Wait()
}

// startBackground starts the goroutines that the configuration asks for. Close
// ends them.
func (m *Manager[T]) startBackground() {
	ctx, cancel := context.WithCancel(context.Background())
	b := &m.background
	b.cancel = cancel
	if m.config.OnEvent != nil {
		b.events = make(chan Event, eventBacklog)
		b.goroutines.Go(func() { m.deliver(ctx) })
	}
	if m.near == nil {
		return
	}
	if watcher, ok := m.store.(Watcher); ok {
		b.goroutines.Go(func() { m.watch(ctx, watcher) })
	}
	if schedule := m.config.NearCache.schedule; schedule != nil {
		b.goroutines.Go(func() { m.clearOn(ctx, schedule) })
	}
}

// deliver calls OnEvent, one event after the other.
func (m *Manager[T]) deliver(ctx context.Context) {
	for {
		select {
		case e := <-m.background.events:
			m.config.OnEvent(e)
		case <-ctx.Done():
			return
		}
	}
}

// watch has the store report what changes in it.
func (m *Manager[T]) watch(ctx context.Context, watcher Watcher) {
	err := watcher.Watch(ctx, m.config.NearCache.MaxStaleness/marksPerBound, watchSink[T]{m})
	m.near.Lost()
	if ctx.Err() != nil || errors.Is(err, ErrClosed) {
		return
	}
	level := slog.LevelWarn
	if errors.Is(err, errors.ErrUnsupported) { // it may have been asked for
		level = slog.LevelInfo
	}
	m.config.Logger.Log(ctx, level, "coatcheck: the store does not report changes: sessions in memory are read anew after a while",
		"max_staleness", m.config.NearCache.MaxStaleness, "why", err)
}

// watchSink takes a store's reports to the near cache.
type watchSink[T any] struct{ m *Manager[T] }

// Changed implements [WatchSink].
func (s watchSink[T]) Changed(changes ...RecordChange) {
	for _, c := range changes {
		s.m.near.Changed(c.ID, c.Rev)
		switch {
		case c.Expired:
			s.m.emit(Event{Kind: SessionExpired, SessionID: c.ID, Node: c.Node})
		case !c.Own:
			s.m.emit(Event{Kind: ChangeReceived, SessionID: c.ID, Rev: c.Rev, Node: c.Node})
		}
	}
}

// Lost implements [WatchSink].
func (s watchSink[T]) Lost() {
	if size := s.m.near.Lost(); size > 0 {
		s.m.emit(Event{Kind: CacheCleared, Size: size})
	}
}

// CaughtUp implements [WatchSink].
func (s watchSink[T]) CaughtUp(asOf time.Time) { s.m.near.CaughtUp(asOf) }

// schedule says when something is due next, or the zero time for never.
type schedule interface{ Next(time.Time) time.Time }

// clearOn empties the near cache on a schedule.
func (m *Manager[T]) clearOn(ctx context.Context, due schedule) {
	for {
		now := time.Now()
		next := due.Next(now)
		if next.IsZero() {
			return
		}
		timer := time.NewTimer(next.Sub(now))
		select {
		case <-timer.C:
			m.emit(Event{Kind: CacheCleared, Size: m.near.Clear()})
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}
