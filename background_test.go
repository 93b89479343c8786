package coatcheck_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
)

// recorder keeps the events that a manager tells.
type recorder struct{ events chan coatcheck.Event }

func newRecorder() recorder { return recorder{make(chan coatcheck.Event, 100)} }

// ofTheNearCache keeps the events that are not about what callers do.
func (r recorder) ofTheNearCache(e coatcheck.Event) {
	if e.Kind <= coatcheck.DecodeFailed {
		r.events <- e
	}
}

func (r recorder) next(t testing.TB) coatcheck.Event {
	t.Helper()
	select {
	case e := <-r.events:
		if e.Time.IsZero() {
			t.Errorf("event without a time: %+v", e)
		}
		e.Time = time.Time{}
		return e
	case <-time.After(10 * time.Second):
		t.Fatal("no event")
		return coatcheck.Event{}
	}
}

func wantEvent(t testing.TB, r recorder, want coatcheck.Event) {
	t.Helper()
	if got := r.next(t); got != want {
		t.Errorf("event %+v, want %+v", got, want)
	}
}

func TestEntryWrittenIsTold(t *testing.T) {
	told := newRecorder()
	store := hook(t)
	m := newManager(t, config{Store: store, OnEvent: told.ofTheNearCache})
	token := generate(t, m, profile{})
	wantEvent(t, told, coatcheck.Event{Kind: coatcheck.EntryWritten, SessionID: token.ID(), Rev: 1})
	wantErr(t, "Change", m.Change(t.Context(), token, addVisit), nil)
	wantEvent(t, told, coatcheck.Event{Kind: coatcheck.EntryWritten, SessionID: token.ID(), Rev: 2})
	r := load(t, store, token)
	r.Rev++
	wantErr(t, "Update", store.Update(t.Context(), r), nil)
	wantErr(t, "Get", get.call(t.Context(), m, token), nil)
	wantEvent(t, told, coatcheck.Event{Kind: coatcheck.EntryWritten, SessionID: token.ID(), Rev: 3})
}

// watched is a store whose reports a test makes up.
type watched struct {
	*hooked
	sinks chan coatcheck.WatchSink
	end   error
}

func (w *watched) Watch(ctx context.Context, _ time.Duration, sink coatcheck.WatchSink) error {
	if w.end != nil {
		return w.end
	}
	sink.Lost()
	sink.CaughtUp(time.Now())
	w.sinks <- sink
	<-ctx.Done()
	return ctx.Err()
}

func TestReportsAreTold(t *testing.T) {
	told := newRecorder()
	store := &watched{hooked: hook(t), sinks: make(chan coatcheck.WatchSink, 1)}
	m := newManager(t, config{Store: store, OnEvent: told.ofTheNearCache})
	sink := <-store.sinks
	token := generate(t, m, profile{})
	_ = told.next(t)
	sink.Changed(
		coatcheck.RecordChange{ID: token.ID(), Rev: 1, Own: true}, // of this process: nothing to tell
		coatcheck.RecordChange{ID: token.ID(), Rev: 5, Node: "shop-2"},
	)
	wantEvent(t, told, coatcheck.Event{Kind: coatcheck.ChangeReceived, SessionID: token.ID(), Rev: 5, Node: "shop-2"})
	if n := m.Stats().NearCache.Invalidations; n != 1 {
		t.Errorf("Invalidations is %d, want 1", n)
	}

	wantErr(t, "Get", get.call(t.Context(), m, token), nil)
	_ = told.next(t)
	sink.Lost()
	wantEvent(t, told, coatcheck.Event{Kind: coatcheck.CacheCleared, Size: 1})
	if s := m.Stats().NearCache; s.Losses != 1 || s.Entries != 0 || s.MarkAge != -1 {
		t.Errorf("after the loss: %+v", s)
	}
}

func TestSlowOnEventHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := make(chan struct{})
		m := newManager(t, config{Store: openStore(t), OnEvent: func(coatcheck.Event) { <-slow }})
		token := generate(t, m, profile{})
		const many = 10_000
		for range many {
			wantErr(t, "Change", m.Change(t.Context(), token, addVisit), nil)
		}
		if lost := m.Stats().DroppedEvents; lost == 0 || lost >= 2*many { // two for each change
			t.Errorf("%d events lost", lost)
		}
		close(slow)
	})
}

func TestClearSchedule(t *testing.T) {
	for schedule, period := range map[string]time.Duration{
		"*/10 * * * * *":        10 * time.Second,
		"*/10 * * * *":          10 * minute,
		"CRON_TZ=UTC 0 4 * * *": 4 * hour,
	} {
		inTime(t, schedule, func(t *testing.T) {
			told := newRecorder()
			m := newManager(t, config{
				Store: openStore(t), IdleTimeout: coatcheck.Never, AbsoluteTimeout: coatcheck.Never,
				NearCache: coatcheck.NearCache{ClearSchedule: schedule},
				OnEvent:   told.ofTheNearCache,
			})
			generate(t, m, profile{})
			generate(t, m, profile{})
			_, _ = told.next(t), told.next(t)
			start := time.Now()
			synctest.Wait()
			time.Sleep(period - time.Nanosecond)
			if n := m.Stats().NearCache.Entries; n != 2 {
				t.Errorf("%d entries before the time, want 2", n)
			}
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			wantEvent(t, told, coatcheck.Event{Kind: coatcheck.CacheCleared, Size: 2})
			if waited := time.Since(start); waited != period {
				t.Errorf("cleared after %v, want %v", waited, period)
			}
			if n := m.Stats().NearCache.Entries; n != 0 {
				t.Errorf("%d entries after it, want 0", n)
			}
		})
	}
}

func TestBadNearCacheIsRefused(t *testing.T) {
	for field, near := range map[string]coatcheck.NearCache{
		"MaxStaleness":  {MaxStaleness: time.Millisecond},
		"ServeStaleFor": {ServeStaleFor: -1},
		"Eviction":      {Eviction: 7},
		"ClearSchedule": {ClearSchedule: "every day"},
	} {
		_, err := coatcheck.New(config{Store: openStore(t), NearCache: near})
		wantErr(t, field, err, coatcheck.ErrInvalid)
		if !strings.Contains(fmt.Sprint(err), "NearCache."+field) {
			t.Errorf("the error does not name %s: %v", field, err)
		}
	}
	for _, text := range []string{"* * * *", "* * * * * * *", "61 * * * *", "0 0 31 2 *", "TZ=UTC", "CRON_TZ=", "TZ=Nowhere/Land 0 4 * * *", "@daily", " ", ", * * * * *"} {
		_, err := coatcheck.New(config{Store: openStore(t), NearCache: coatcheck.NearCache{ClearSchedule: text}})
		wantErr(t, text, err, coatcheck.ErrInvalid)
	}
}

// A store that says it can watch, and cannot, is like one that does not say so.
func TestWatchThatFailsIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		store := &watched{hooked: hook(t), end: fmt.Errorf("no: %w", errors.ErrUnsupported)}
		m, err := coatcheck.New(config{Store: store, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		wantErr(t, "New", err, nil)
		defer m.Close()
		synctest.Wait()
		if !strings.Contains(log.String(), "does not report changes") || !strings.Contains(log.String(), "no: unsupported") {
			t.Errorf("log: %s", log.String())
		}
		token := generate(t, m, profile{})
		wantValue(t, m, token, profile{})
		time.Sleep(2 * coatcheck.DefaultMaxStaleness)
		wantValue(t, m, token, profile{})
		if s := m.Stats().NearCache; s.Stale != 1 {
			t.Errorf("%+v", s)
		}
	})
}
