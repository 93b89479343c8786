package memstore_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/memstore"
)

// lastHeard is a sink that allocates nothing.
type lastHeard struct {
	change  coatcheck.RecordChange
	changes int
	asOf    time.Time
}

func (l *lastHeard) Lost()                   {}
func (l *lastHeard) CaughtUp(asOf time.Time) { l.asOf = asOf }
func (l *lastHeard) Changed(changes ...coatcheck.RecordChange) {
	l.change, l.changes = changes[0], l.changes+len(changes)
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
