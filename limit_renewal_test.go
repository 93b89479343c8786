package coatcheck_test

import (
	"context"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
)

// RefuseNewest refuses logins. It must not end a session that has been there for
// long because its token was renewed for its age while two others signed in.
func TestRefuseNewestSparesARenewedSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &meanwhile{Store: openStore(t)}
		m := newManager(t, config{Store: store, NearCache: storeOnly, MaxSessions: 2, WhenFull: coatcheck.RefuseNewest})
		old := generate(t, m, profile{}, coatcheck.ForSubject("ada"))
		time.Sleep(time.Minute)
		var renewed coatcheck.Token
		var errOther error
		store.created = func() { // the first login is stored, and has not looked yet
			time.Sleep(time.Millisecond)
			// A second one is just as far: it was admitted before the first was stored.
			other := newManager(t, config{Store: store.Store, NearCache: storeOnly})
			_, errOther = other.Generate(t.Context(), profile{}, coatcheck.ForSubject("ada"))
			time.Sleep(time.Millisecond)
			var err error
			if renewed, err = m.Renew(t.Context(), old, coatcheck.WithGrace()); err != nil {
				t.Fatal(err)
			}
		}
		_, err := m.Generate(t.Context(), profile{}, coatcheck.ForSubject("ada"))
		if errOther != nil {
			t.Fatal(errOther)
		}
		if _, getErr := m.Get(t.Context(), renewed); getErr != nil {
			t.Errorf("the session that was there first: %v (the login: %v)", getErr, err)
		}
		all, listErr := m.Sessions(t.Context(), "ada")
		if listErr != nil || len(all) != 2 {
			t.Errorf("%d sessions, %v; want 2", len(all), listErr)
		}
	})
}

// meanwhile calls created after the next Create.
type meanwhile struct {
	coatcheck.Store
	created func()
}

func (s *meanwhile) Create(ctx context.Context, r coatcheck.Record) error {
	err := s.Store.Create(ctx, r)
	if then := s.created; then != nil {
		s.created = nil
		then()
	}
	return err
}

func (s *meanwhile) ListSubject(ctx context.Context, subject string) iter.Seq2[coatcheck.Record, error] {
	return coatcheck.ListSubject(ctx, s.Store, subject)
}
