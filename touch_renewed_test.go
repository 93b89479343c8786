package coatcheck_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/memstore"
)

// untouchable is a store without Touch that calls meanwhile before a given Load.
type untouchable struct {
	store *memstore.Store
	loads int
	at    int // of which Load
	then  func()
}

func (s *untouchable) Load(ctx context.Context, id string) (coatcheck.Record, error) {
	if s.loads++; s.loads == s.at && s.then != nil {
		s.then()
	}
	return s.store.Load(ctx, id)
}
func (s *untouchable) Create(ctx context.Context, r coatcheck.Record) error {
	return s.store.Create(ctx, r)
}
func (s *untouchable) Update(ctx context.Context, r coatcheck.Record) error {
	return s.store.Update(ctx, r)
}
func (s *untouchable) Delete(ctx context.Context, id string) error { return s.store.Delete(ctx, id) }

// With a store that cannot touch, a read extends the session by an Update of the
// record as it is by then. A login that falls in between must not be undone by what
// the reader changes: the token from before it, which may be planted, must not become
// the session's again, nor the new one die.
func TestTouchByUpdateDoesNotUndoARenewal(t *testing.T) {
	for name, near := range map[string]coatcheck.NearCache{"store only": storeOnly, "near cache": {}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inner := openStore(t)
				store := &untouchable{store: inner}
				here := newManager(t, config{Store: store, NearCache: near})
				there := newManager(t, config{Store: inner, NearCache: storeOnly})
				old := generate(t, here, profile{Name: "cart"})
				time.Sleep(coatcheck.DefaultIdleTimeout / 5) // a touch is due

				var renewed coatcheck.Token
				store.loads, store.at = 0, 2 // the read, and then the touch
				store.then = func() {
					var err error
					if renewed, err = there.Renew(t.Context(), old, coatcheck.ForSubject("ada")); err != nil {
						t.Fatal(err)
					}
				}
				s := here.Open(old)
				if err := s.Change(t.Context(), addVisit); err != nil {
					t.Fatal(err)
				}
				wantErr(t, "Flush", s.Flush(t.Context()), coatcheck.ErrNotFound)
				if renewed == "" {
					t.Fatal("not renewed")
				}
				if _, info, err := there.Lookup(t.Context(), renewed); err != nil || info.Subject != "ada" {
					t.Errorf("the new token: %v, subject %q", err, info.Subject)
				}
				wantGone(t, there, old)
			})
		})
	}
}
