package memstore_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/memstore"
)

// lastHeard is a sink that allocates nothing.
type lastHeard struct {
	mu      sync.Mutex // of change and changes
	change  coatcheck.RecordChange
	changes int
	asOf    time.Time
}

func (l *lastHeard) Lost()                   {}
func (l *lastHeard) CaughtUp(asOf time.Time) { l.asOf = asOf }
func (l *lastHeard) Changed(changes ...coatcheck.RecordChange) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.change, l.changes = changes[0], l.changes+len(changes)
}

func (l *lastHeard) last() (change coatcheck.RecordChange, changes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.change, l.changes
}

// TestWatchInABubble also shows that CaughtUp looks as far ahead as a count of
// nanoseconds can hold.
func TestWatchInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, memstore.Config{SweepInterval: time.Hour})
		var heard lastHeard
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Watch(ctx, time.Second, &heard) }()
		synctest.Wait()
		if years := time.Until(heard.asOf).Hours() / 24 / 365; years < 99 || time.Unix(0, heard.asOf.UnixNano()).Sub(heard.asOf) != 0 {
			t.Errorf("caught up as of %v, want a time that is a century ahead and has a count of nanoseconds", heard.asOf)
		}
		r := record("a", time.Hour)
		if err := s.Create(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		r.Rev = 2
		if err := s.Update(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if want := (coatcheck.RecordChange{ID: "a", Rev: 2, Own: true}); heard.change != want {
			t.Errorf("heard %v, want %v", heard.change, want)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Watch returned %v", err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestReportsAllocateNothing(t *testing.T) {
	s := open(t, memstore.Config{})
	r := record("a", time.Hour)
	if err := s.Create(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	update := func() {
		r.Rev++
		if err := s.Update(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	unwatched := testing.AllocsPerRun(100, update)
	watching := make(chan struct{})
	sink := &announcing{watching: watching}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Watch(ctx, time.Second, sink) }()
	<-watching
	watched := testing.AllocsPerRun(100, update)
	cancel()
	<-ended
	if watched != unwatched || sink.changes < 100 {
		t.Errorf("an Update allocates %v times with a watch and %v without; %d changes were reported", watched, unwatched, sink.changes)
	}
}

// announcing tells when the watch has begun.
type announcing struct {
	lastHeard
	watching chan struct{}
}

func (a *announcing) CaughtUp(asOf time.Time) {
	a.lastHeard.CaughtUp(asOf)
	close(a.watching)
}

// TestExpiryIsReported: whichever way a record goes whose deadline has passed,
// and none that is deleted.
func TestExpiryIsReported(t *testing.T) {
	for what, remove := range map[string]func(*testing.T, *memstore.Store){
		"swept":             func(*testing.T, *memstore.Store) { time.Sleep(time.Hour) },
		"in others' way":    func(t *testing.T, s *memstore.Store) { create(t, s, record("b", time.Hour)) },
		"in the way of one": func(t *testing.T, s *memstore.Store) { create(t, s, record("a", time.Hour)) },
		"deleted": func(t *testing.T, s *memstore.Store) {
			if err := s.Delete(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := open(t, memstore.Config{SweepInterval: time.Hour, MaxBytes: 1500})
				defer s.Close()
				var heard lastHeard
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- s.Watch(ctx, time.Second, &heard) }()
				create(t, s, record("a", time.Minute))
				time.Sleep(time.Minute)
				synctest.Wait()
				if change, n := heard.last(); n != 0 {
					t.Errorf("heard %+v before the record is removed", change)
				}
				remove(t, s)
				synctest.Wait()
				want := coatcheck.RecordChange{ID: "a", Expired: what != "deleted", Own: what == "deleted"}
				if change, n := heard.last(); change != want || n != 1 {
					t.Errorf("heard %d changes, the last of them %+v, want one: %+v", n, change, want)
				}
				cancel()
				<-ended
			})
		})
	}
}

func create(t *testing.T, s *memstore.Store, r coatcheck.Record) {
	t.Helper()
	if err := s.Create(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}
