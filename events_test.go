package coatcheck_test

import (
	"context"
	"slices"
	"sync"
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
	if e.Kind <= coatcheck.DecodeFailed {
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
