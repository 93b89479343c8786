package coatcheck_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
)

// A renewal at once holds at once, whatever the clocks of two machines say: the
// record is made what a machine whose clock is ahead would have written. Else who
// has planted a token would be signed in with it for as long as the clocks differ.
func TestRenewalAtOnceNeedsNoClock(t *testing.T) {
	const ahead = 10 * time.Second
	synctest.Test(t, func(t *testing.T) {
		store := openStore(t)
		m := newManager(t, config{Store: store, NearCache: storeOnly})
		oldest := generate(t, m, profile{})
		planted, err := m.Renew(t.Context(), oldest, coatcheck.WithGrace())
		if err != nil {
			t.Fatal(err)
		}
		if _, err = m.Renew(t.Context(), planted, coatcheck.ForSubject("ada")); err != nil {
			t.Fatal(err)
		}
		r := load(t, store, planted)
		for i := range r.Retired {
			r.Retired[i].At = r.Retired[i].At.Add(ahead)
			r.Retired[i].Until = r.Retired[i].Until.Add(ahead)
		}
		r.Rev++
		if err := store.Update(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		for name, token := range map[string]coatcheck.Token{"the last": planted, "the one before, in its grace": oldest} {
			if _, info, err := m.Lookup(t.Context(), token); err == nil {
				t.Errorf("%s token opens the session of %q", name, info.Subject)
			}
		}
	})
}
