package coatcheck_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
)

// A request that came with the token before it was renewed, and asks for its session
// long after (an upload was read first), is late: it is no theft.
func TestASlowRequestIsNoTheft(t *testing.T) {
	for name, use := range map[string]func(*testing.T, *coatcheck.Session[profile]){
		"reads": func(t *testing.T, s *coatcheck.Session[profile]) { _, _ = s.Get(t.Context()) },
		"changes": func(t *testing.T, s *coatcheck.Session[profile]) {
			_ = s.Change(t.Context(), addVisit)
			_ = s.Flush(t.Context())
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, _ := openStoreOnly(t)
				old := generate(t, m, profile{}, coatcheck.ForSubject("ada"))
				upload := m.Open(old) // the request has come
				time.Sleep(time.Second)
				renewed, err := m.Renew(t.Context(), old, coatcheck.WithGrace()) // another one is renewed
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(3 * coatcheck.DefaultRenewGrace) // the body comes in slowly
				use(t, upload)
				if n := m.Stats().TokensReused; n != 0 {
					t.Errorf("%d tokens taken for stolen", n)
				}
				if _, err := m.Get(t.Context(), renewed); err != nil {
					t.Errorf("the user was signed out: %v", err)
				}
			})
		})
	}
}
