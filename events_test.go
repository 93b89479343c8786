package coatcheck_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
)

// chronicle keeps what a manager tells of sessions, in a bubble.
type chronicle struct {
	mu     sync.Mutex
	events []coatcheck.Event
}

func (d *chronicle) note(e coatcheck.Event) {
	if e.Kind >= coatcheck.EntryWritten && e.Kind <= coatcheck.DecodeFailed {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = append(d.events, e)
}

// take returns, and forgets, what was told by now.
func (d *chronicle) take(t testing.TB) (told []coatcheck.Event) {
	t.Helper()
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.events {
		if e.Time.IsZero() || time.Until(e.Time) > 0 {
			t.Errorf("event at %v: %+v", e.Time, e)
		}
		e.Time = time.Time{}
		told = append(told, e)
	}
	d.events = nil
	return told
}

func (d *chronicle) want(t testing.TB, want ...coatcheck.Event) {
	t.Helper()
	if told := d.take(t); !slices.Equal(told, want) {
		t.Errorf("told\n%+v, want\n%+v", told, want)
	}
}

func (d *chronicle) wantKinds(t testing.TB, want ...coatcheck.EventKind) {
	t.Helper()
	var kinds []coatcheck.EventKind
	told := d.take(t)
	for _, e := range told {
		kinds = append(kinds, e.Kind)
	}
	if !slices.Equal(kinds, want) {
		t.Errorf("told of %v, want %v: %+v", kinds, want, told)
	}
}

// calledBy returns a context of a call that is made for a client.
func calledBy(t testing.TB, c coatcheck.Client) context.Context {
	return context.WithValue(t.Context(), coatcheck.ClientContextKey, c)
}

var (
	home = coatcheck.Client{Address: "192.0.2.1", UserAgent: "browser"}
	cafe = coatcheck.Client{Address: "203.0.113.9", UserAgent: "browser"}
)

// Each kind is told once, in the order in which things happened.
func TestEventsTellWhatHappened(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, _, told := desk(t, n, config{})
		s := m.Open("")
		wantErr(t, "Change", s.Change(t.Context(), addVisit), nil)
		told.want(t)
		wantErr(t, "Flush", s.Flush(calledBy(t, home)), nil)
		event := coatcheck.Event{Kind: coatcheck.SessionCreated, SessionID: s.ID(), Client: home, Rev: 1}
		told.want(t, event)

		wantErr(t, "SetSubject", s.SetSubject("ada"), nil)
		wantErr(t, "Flush", s.Flush(calledBy(t, home)), nil)
		event.Kind, event.Rev, event.Subject = coatcheck.SessionRenewed, 2, "ada"
		told.want(t, event)

		_, err := s.Get(t.Context())
		wantErr(t, "Get", err, nil)
		wantErr(t, "Refresh", m.Refresh(t.Context(), s.Token()), nil)
		time.Sleep(10 * minute)
		wantErr(t, "Get", get.call(t.Context(), m, s.Token()), nil)
		flush(t, s)
		told.want(t) // of reads there is nothing to tell

		wantErr(t, "Update", m.Update(calledBy(t, home), s.Token(), profile{}), nil)
		event.Kind, event.Rev = coatcheck.SessionChanged, 3
		told.want(t, event)
		wantErr(t, "Change", m.Change(t.Context(), s.Token(), addVisit), nil)
		event.Rev, event.Client = 4, coatcheck.Client{}
		told.want(t, event)
		declined := errors.New("no")
		wantErr(t, "Change", m.Change(t.Context(), s.Token(), func(*profile) error { return declined }), declined)
		wantErr(t, "Update", m.Update(t.Context(), s.Token(), profile{}, coatcheck.IfRev(1)), coatcheck.ErrConflict)
		told.want(t)

		token := s.Token()
		wantErr(t, "Destroy", s.Destroy(calledBy(t, home)), nil)
		told.want(t, coatcheck.Event{Kind: coatcheck.SessionDeleted, SessionID: token.ID(), Subject: "ada", Client: home})
		wantErr(t, "Delete", m.Delete(t.Context(), token), nil)
		wantErr(t, "Delete everywhere", m.Delete(t.Context(), token, coatcheck.Everywhere()), nil)
		wantErr(t, "Delete", m.Delete(t.Context(), withWrongSecret(generate(t, m, profile{}))), nil)
		told.wantKinds(t, coatcheck.SessionCreated)
	})
}

// What did not happen is not told.
func TestFailuresAreNoEvents(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, store, told := desk(t, n, config{})
		token := generate(t, m, profile{}, coatcheck.ForSubject("ada"))
		told.take(t)
		store.before = failing(coatcheck.ErrUnavailable, "Create", "Update", "Delete")
		for _, v := range []verb{update, change, renewing, remove} {
			wantErr(t, v.name, v.call(t.Context(), m, token), coatcheck.ErrUnavailable)
		}
		_, err := m.Generate(t.Context(), profile{})
		wantErr(t, "Generate", err, coatcheck.ErrUnavailable)
		wantErr(t, "Revoke", m.Revoke(t.Context(), token.ID()), coatcheck.ErrUnavailable)
		_, err = m.RevokeAll(t.Context(), "ada")
		wantErr(t, "RevokeAll", err, coatcheck.ErrUnavailable)
		told.want(t)
	})
}

// That an entry was written is noise beside a theft.
func TestNoiseLeavesRoomForSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const backlog = 4096
		gate, told := make(chan struct{}), new(chronicle)
		store := &watched{hooked: hook(t), sinks: make(chan coatcheck.WatchSink, 1)}
		var misfit atomic.Bool
		m := newManager(t, config{Store: store, Logger: slog.New(slog.DiscardHandler), OnEvent: func(e coatcheck.Event) {
			<-gate
			told.note(e)
			if e.Kind == coatcheck.DecodeFailed {
				misfit.Store(true)
			}
		}})
		sink := <-store.sinks
		for i := range 2 * backlog {
			sink.Changed(coatcheck.RecordChange{ID: fmt.Sprint(i)})
		}
		lost := m.Stats().DroppedEvents
		if lost < backlog || lost > backlog+backlog/2 {
			t.Errorf("%d of %d were lost", lost, 2*backlog)
		}
		const sessions = 1000
		var token coatcheck.Token
		for range sessions {
			token = generate(t, m, profile{})
		}
		r := load(t, store, token)
		r.Rev, r.Value = r.Rev+1, []byte("no JSON")
		wantErr(t, "Update", store.Update(t.Context(), r), nil)
		sink.Lost()
		wantErr(t, "Get of what does not fit", get.call(t.Context(), m, token), coatcheck.ErrDecode)
		lost += 2 // that the cache was cleared, and the value read
		close(gate)
		if n := len(told.take(t)); n != sessions {
			t.Errorf("told of %d sessions, want %d", n, sessions)
		}
		if !misfit.Load() {
			t.Error("not told of the value that does not fit")
		}
		if more := m.Stats().DroppedEvents - lost; more != sessions { // that they were cached
			t.Errorf("%d more were lost", more)
		}
	})
}

// Whoever hears of a theft may want to do something.
func TestOnEventMayCallTheManager(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		var m *coatcheck.Manager[profile]
		store, told, done := hook(t), new(chronicle), make(chan error, 100)
		m = newManager(t, config{Store: store, NearCache: n.NearCache, OnEvent: func(e coatcheck.Event) {
			told.note(e)
			if e.Kind == coatcheck.SessionChanged {
				_, err := m.RevokeAll(context.Background(), e.Subject)
				done <- err
			}
		}})
		token := generate(t, m, profile{}, coatcheck.ForSubject("ada"))
		s := m.Open(token)
		wantErr(t, "Change", s.Change(t.Context(), addVisit), nil)
		flush(t, s)
		wantErr(t, "RevokeAll", <-done, nil)
		wantGone(t, m, token)
		told.wantKinds(t, coatcheck.SessionCreated, coatcheck.SessionChanged, coatcheck.SessionRevoked)
	})
}

func TestExpiryIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &watched{hooked: hook(t), sinks: make(chan coatcheck.WatchSink, 1)}
		var all []coatcheck.Event
		m := newManager(t, config{Store: store, OnEvent: func(e coatcheck.Event) { all = append(all, e) }})
		sink := <-store.sinks
		token := generate(t, m, profile{})
		synctest.Wait()
		all = nil
		sink.Changed(
			coatcheck.RecordChange{ID: token.ID(), Expired: true, Own: true},
			coatcheck.RecordChange{ID: sampleID, Expired: true, Node: "shop-2"},
			coatcheck.RecordChange{ID: token.ID(), Own: true},
		)
		synctest.Wait()
		if len(all) != 2 || all[0].Kind != coatcheck.SessionExpired || all[0].SessionID != token.ID() ||
			all[1].Kind != coatcheck.SessionExpired || all[1].SessionID != sampleID || all[1].Node != "shop-2" {
			t.Errorf("told %+v", all)
		}
		if n := m.Stats().NearCache.Entries; n != 0 {
			t.Errorf("%d entries are left", n)
		}
	})
}
