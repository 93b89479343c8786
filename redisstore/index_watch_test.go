package redisstore_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/redistest"
	"github.com/coatcheck/coatcheck/redisstore"
)

// heard is a sink that remembers what it was told.
type heard struct {
	mu  sync.Mutex
	ids []string
	up  chan struct{} // closed at the first mark
	one sync.Once
}

func (h *heard) Changed(changes ...coatcheck.RecordChange) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range changes {
		h.ids = append(h.ids, c.ID)
	}
}

func (h *heard) Lost()              {}
func (h *heard) CaughtUp(time.Time) { h.one.Do(func() { close(h.up) }) }

func (h *heard) of(id string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, other := range h.ids {
		if other == id {
			n++
		}
	}
	return n
}

// TestIndexesAreNotReported: the server tells those who have listed a subject of
// each change to its index, which is no record. Of the records they hear, once
// these have been read or given their life.
func TestIndexesAreNotReported(t *testing.T) {
	server := redistest.Start(t)
	s, other := open(t, server.URL(), redisstore.Config{}), open(t, server.URL(), redisstore.Config{})
	h := &heard{up: make(chan struct{})}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Watch(ctx, quiet, h) }()
	defer func() {
		stop()
		<-ended
	}()
	<-h.up

	mine := record("ada")
	if err := s.Create(t.Context(), mine); err != nil {
		t.Fatal(err)
	}
	if _, err := listed(t.Context(), s, "ada"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(other.Create(t.Context(), record("ada")), other.Delete(t.Context(), mine.ID)); err != nil {
		t.Fatal(err)
	}
	// What was reported comes before a later answer on the same connection.
	if _, err := s.Load(t.Context(), mine.ID); !errors.Is(err, coatcheck.ErrNotFound) {
		t.Fatal(err)
	}
	if n := h.of(mine.ID); n != 1 {
		t.Errorf("a deletion by another is reported %d times, want once", n)
	}
	if n := h.of("subject:ada"); n != 0 {
		t.Errorf("a change of the index is reported %d times as one of a record", n)
	}
}

// What was created for a subject is watched from its creation on: it ends with a
// touch.
func TestCreationForASubjectIsWatched(t *testing.T) {
	server := redistest.Start(t)
	m := node(t, server.URL(), redisstore.Config{}, coatcheck.NearCache{MaxStaleness: time.Hour})
	s := open(t, server.URL(), redisstore.Config{})
	token, err := m.Generate(t.Context(), "hat", coatcheck.ForSubject("ada"))
	if err != nil {
		t.Fatal(err)
	}
	get(t, m, token, "hat")
	if err := s.Delete(t.Context(), token.ID()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end is noticed", func() bool {
		_, err := m.Get(t.Context(), token)
		return errors.Is(err, coatcheck.ErrNotFound)
	})
}
