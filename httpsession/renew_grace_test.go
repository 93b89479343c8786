package httpsession_test

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
)

// afterRenewal runs the test with the token that a request has had replaced just
// now, and the new one.
func afterRenewal(t *testing.T, config coatcheck.Config[profile], test func(t *testing.T, s *site, old, fresh coatcheck.Token)) {
	t.Helper()
	inTime(t, renewEvery, setup{manager: config}, func(t *testing.T, s *site, old coatcheck.Token) {
		fresh := s.call(t, s.read(t), old).wantRenewed(t, old)
		s.store.forget()
		test(t, s, old, fresh)
	})
}

// Parallel requests with the token from before go on, without a cookie: their client
// has it from another response.
func TestOldTokenWorksDuringItsGrace(t *testing.T) {
	for _, age := range []time.Duration{0, coatcheck.DefaultRenewGrace - time.Millisecond} {
		afterRenewal(t, renewing, func(t *testing.T, s *site, old, fresh coatcheck.Token) {
			time.Sleep(age)
			for range 2 {
				reply := s.call(t, s.read(t), old)
				reply.wantStatus(t, 200, "ada")
				reply.wantNoCookie(t)
			}
			reply := s.call(t, s.change(t), old)
			reply.wantStatus(t, 200, "")
			reply.wantNoCookie(t)
			if n := s.store.count("Update"); n != 1 {
				t.Errorf("%d updates, want one: that of the change", n)
			}
			s.wantName(t, old, "bob")
			s.wantName(t, fresh, "bob")
		})
	}
}

// A login by a request that still has the old token is a login.
func TestLoginDuringTheGrace(t *testing.T) {
	inTime(t, 0, setup{manager: renewing}, func(t *testing.T, s *site, _ coatcheck.Token) {
		old := s.generate(t, profile{Name: "guest"})
		time.Sleep(renewEvery)
		fresh := s.call(t, s.read(t), old).wantRenewed(t, old)
		reply := s.call(t, func(_ http.ResponseWriter, r *http.Request) {
			wantErr(t, "SetSubject", s.session(r).SetSubject("bob"), nil)
		}, old)
		in := reply.wantRenewed(t, fresh)
		_, info, err := s.manager.Lookup(t.Context(), in)
		if err != nil || info.Subject != "bob" {
			t.Errorf("the session belongs to %q, %v", info.Subject, err)
		}
		s.wantName(t, in, "guest")
		s.wantGone(t, old)
		s.wantGone(t, fresh)
	})
}

// A logout with the old token is one of the session, whoever holds the new one.
func TestLogoutDuringTheGrace(t *testing.T) {
	for name, reads := range map[string]bool{"having read it": true, "unread": false} {
		t.Run(name, func(t *testing.T) {
			afterRenewal(t, renewing, func(t *testing.T, s *site, old, fresh coatcheck.Token) {
				reply := s.call(t, func(_ http.ResponseWriter, r *http.Request) {
					if reads {
						_ = s.name(t, r)
					}
					wantErr(t, "Destroy", s.session(r).Destroy(r.Context()), nil)
				}, old)
				if c := reply.wantCookie(t); c.Value != "" || c.MaxAge >= 0 {
					t.Error("the cookie is not cleared")
				}
				s.wantGone(t, fresh)
				s.wantGone(t, old)
				s.wantRecords(t, 0)
			})
		})
	}
}

// One that uses the old token later has stolen it, or it was stolen from him: there
// is no session any more, for either.
func TestOldTokenAfterItsGraceEndsTheSession(t *testing.T) {
	for name, change := range map[string]bool{"read": false, "change": true} {
		t.Run(name, func(t *testing.T) {
			var events chronicle
			config := renewing
			config.OnEvent = events.add
			afterRenewal(t, config, func(t *testing.T, s *site, old, fresh coatcheck.Token) {
				time.Sleep(2 * coatcheck.DefaultRenewGrace)
				handler := s.read(t)
				if change {
					handler = s.change(t)
				}
				reply := s.call(t, handler, old)
				reply.wantStatus(t, 200, "")
				if change { // as with any session that has ended
					if token := reply.wantToken(t); token.ID() == old.ID() {
						t.Error("the session goes on")
					}
				} else {
					reply.wantNoCookie(t)
					if reply.body != "" {
						t.Errorf("the holder of the old token sees %q", reply.body)
					}
				}
				s.wantGone(t, old)
				s.wantGone(t, fresh)
				s.call(t, s.read(t), fresh).wantNoCookie(t)
				synctest.Wait()
				reused, revoked := events.of(coatcheck.TokenReused), events.of(coatcheck.SessionRevoked)
				if len(reused) != 1 || reused[0].SessionID != old.ID() || reused[0].Subject != "ada" || len(revoked) != 1 {
					t.Errorf("the events are %+v, %+v", reused, revoked)
				}
			})
		})
	}
}

// A change by who has read the session before it was ended in that way is refused.
func TestSessionThatAnOldTokenEndsMeanwhile(t *testing.T) {
	afterRenewal(t, renewing, func(t *testing.T, s *site, old, fresh coatcheck.Token) {
		time.Sleep(2 * coatcheck.DefaultRenewGrace)
		reply := s.call(t, func(_ http.ResponseWriter, r *http.Request) {
			s.rename(t, r, "bob")
			s.call(t, s.read(t), old).wantNoCookie(t)
		}, fresh)
		reply.wantProblem(t, 401, "session")
		reply.wantNoCookie(t)
		s.wantRecords(t, 0)
	})
}

// Where it is only told of, the old token opens nothing, and changes nothing; the
// session goes on.
func TestOldTokenAfterItsGraceIsReported(t *testing.T) {
	var events chronicle
	config := renewing
	config.OnEvent, config.OnReuse = events.add, coatcheck.ReportReuse
	afterRenewal(t, config, func(t *testing.T, s *site, old, fresh coatcheck.Token) {
		time.Sleep(2 * coatcheck.DefaultRenewGrace)
		reply := s.call(t, s.read(t), old)
		reply.wantStatus(t, 200, "")
		reply.wantNoCookie(t)
		reply = s.call(t, s.change(t), old)
		reply.wantProblem(t, 401, "session")
		reply.wantNoCookie(t)
		s.call(t, s.read(t), fresh).wantStatus(t, 200, "ada")
		s.wantRecords(t, 1)
		synctest.Wait()
		if got := events.of(coatcheck.TokenReused); len(got) < 2 {
			t.Errorf("%d events", len(got))
		}
	})
}

// A request that was under way all along is none of them: its stream ends, and the
// session does not.
func TestStreamOutlivesTheGrace(t *testing.T) {
	inTime(t, renewEvery-time.Second, setup{manager: renewing}, func(t *testing.T, s *site, old coatcheck.Token) {
		var fresh coatcheck.Token
		s.call(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, s.name(t, r))
			time.Sleep(time.Second)
			fresh = s.call(t, s.read(t), old).wantRenewed(t, old)
			for i, want := range []string{"ada", ""} {
				s.session(r).Reload()
				if got := s.name(t, r); got != want {
					t.Errorf("reload %d: the stream sees %q, want %q", i, got, want)
				}
				time.Sleep(coatcheck.DefaultRenewGrace)
			}
		}, old).wantNoCookie(t)
		s.wantName(t, fresh, "ada")
	})
}
