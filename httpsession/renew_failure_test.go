package httpsession_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/httpsession"
)

// lose has updates return the error, once they are made; nil ends that.
func (s *watched) lose(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost = err
}

// readTwice reads the session before and after the first byte.
func (s *site) readTwice(t testing.TB) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, s.name(t, r))
		_, _ = io.WriteString(w, " "+s.name(t, r))
		if got := s.session(r).Status(); got.Pending || got.Failed != nil {
			t.Errorf("afterwards it is %+v", got)
		}
	}
}

// That a token cannot be renewed is no reason to fail a request that only reads.
// It sees what it would have seen, and one that comes a second later tries again.
func TestRenewalThatFailsFailsNobody(t *testing.T) {
	inTime(t, renewEvery, setup{manager: renewing}, func(t *testing.T, s *site, token coatcheck.Token) {
		s.store.fail(coatcheck.ErrUnavailable, "Update")
		for range 3 {
			reply := s.call(t, s.readTwice(t), token)
			reply.wantStatus(t, 200, "ada ada")
			reply.wantNoCookie(t)
			reply.wantHeader(t, "Cache-Control", "no-store")
		}
		// Who comes right after it is spared another attempt, and what that may wait.
		if n := s.store.count("Update"); n != 1 {
			t.Errorf("%d attempts to renew it within a second, want 1", n)
		}
		if log := s.log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "token not renewed") {
			t.Errorf("the log is %q, want one line that says it", log)
		}
		s.wantNotRenewed(t, token)

		s.store.hook(nil)
		time.Sleep(time.Second)
		reply := s.call(t, s.readTwice(t), token)
		reply.wantStatus(t, 200, "ada ada")
		reply.wantRenewed(t, token)
	})
}

// Nor does it matter why, and what the log makes of it.
func TestRenewalThatFailsOtherwise(t *testing.T) {
	inTime(t, renewEvery, setup{manager: renewing}, func(t *testing.T, s *site, token coatcheck.Token) {
		s.store.fail(coatcheck.ErrInvalid, "Update")
		reply := s.call(t, s.readTwice(t), token)
		reply.wantStatus(t, 200, "ada ada")
		reply.wantNoCookie(t)
		if log := s.log.String(); strings.Count(log, "\n") != 1 || strings.Contains(log, "unavailable") {
			t.Errorf("the log is %q", log)
		}
	})
}

// One that changes something besides is told: it is all or nothing.
func TestRenewalFailsWithTheChange(t *testing.T) {
	inTime(t, renewEvery, setup{manager: renewing}, func(t *testing.T, s *site, token coatcheck.Token) {
		s.store.fail(coatcheck.ErrUnavailable, "Update")
		reply := s.call(t, s.change(t), token)
		reply.wantProblem(t, 503, "store")
		reply.wantNoCookie(t)
		if n := s.store.count("Update"); n != 1 {
			t.Errorf("tried %d times", n)
		}
		s.store.hook(nil)
		s.wantNotRenewed(t, token)
		s.wantName(t, token, "ada")
	})
}

// A handler that knows that its change was not saved, and says so, gets no new token
// for it.
func TestNoRenewalAfterAFlushThatFailed(t *testing.T) {
	inTime(t, renewEvery, setup{manager: renewing}, func(t *testing.T, s *site, token coatcheck.Token) {
		reply := s.call(t, func(w http.ResponseWriter, r *http.Request) {
			s.rename(t, r, strings.Repeat("x", coatcheck.DefaultMaxValueBytes))
			wantErr(t, "Flush", s.session(r).Flush(r.Context()), coatcheck.ErrTooLarge)
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}, token)
		reply.wantStatus(t, 413, "")
		reply.wantNoCookie(t)
		s.wantNotRenewed(t, token)
	})
}

// A logout at the same moment is no fault.
func TestRenewalOfASessionThatHasJustEnded(t *testing.T) {
	inTime(t, renewEvery, setup{manager: renewing}, func(t *testing.T, s *site, token coatcheck.Token) {
		reply := s.call(t, func(w http.ResponseWriter, r *http.Request) {
			name := s.name(t, r)
			wantErr(t, "Delete", s.manager.Delete(r.Context(), token), nil)
			_, _ = io.WriteString(w, name)
		}, token)
		reply.wantStatus(t, 200, "ada")
		reply.wantNoCookie(t)
		s.wantRecords(t, 0)
		if log := s.log.String(); log != "" {
			t.Errorf("logged: %s", log)
		}
	})
}

// A store that does not answer holds up a reader for SaveTimeout, no longer.
func TestRenewalIsGivenUpInTime(t *testing.T) {
	inTime(t, renewEvery, setup{manager: renewing}, func(t *testing.T, s *site, token coatcheck.Token) {
		s.store.hook(func(ctx context.Context, method string) error {
			if method == "Update" {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		})
		start := time.Now()
		reply := s.call(t, s.read(t), token)
		reply.wantStatus(t, 200, "ada")
		reply.wantNoCookie(t)
		if took := time.Since(start); took != httpsession.DefaultSaveTimeout {
			t.Errorf("it took %v", took)
		}
	})
}

// A renewal whose outcome got lost, or the response that told of it, leaves the
// client with the old token: it works for its grace.
func TestRenewalThatGotLost(t *testing.T) {
	inTime(t, renewEvery, setup{manager: renewing}, func(t *testing.T, s *site, token coatcheck.Token) {
		s.store.lose(coatcheck.ErrUnavailable)
		reply := s.call(t, s.readTwice(t), token)
		reply.wantStatus(t, 200, "ada ada")
		reply.wantNoCookie(t)
		if r := s.record(t, token); len(r.Retired) != 1 {
			t.Error("the store has not renewed it: the test tests nothing")
		}
		s.store.lose(nil)
		reply = s.call(t, s.change(t), token)
		reply.wantStatus(t, 200, "")
		reply.wantNoCookie(t)
		s.wantName(t, token, "bob")
		time.Sleep(coatcheck.DefaultRenewGrace)
		s.wantGone(t, token)
	})
}

// Who has as many sessions as he may is refused another.
func TestTooManySessions(t *testing.T) {
	for name, cart := range map[string]bool{"with a session": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, setup{manager: coatcheck.Config[profile]{MaxSessions: 1, WhenFull: coatcheck.RefuseNewest}})
				login := func(_ http.ResponseWriter, r *http.Request) {
					wantErr(t, "SetSubject", s.session(r).SetSubject("ada"), nil)
				}
				first := s.call(t, login, "").wantToken(t)
				guest, left := coatcheck.Token(""), 1
				if cart {
					guest, left = s.generate(t, profile{Name: "guest"}), 2
				}
				reply := s.call(t, login, guest)
				reply.wantProblem(t, 403, "too-many-sessions")
				reply.wantNoCookie(t)
				s.wantRecords(t, left)
				if cart {
					s.wantName(t, guest, "guest")
				}
				s.wantName(t, first, "")
				s.call(t, login, first).wantRenewed(t, first) // it is his
				if log := s.log.String(); log != "" {
					t.Errorf("logged: %s", log)
				}
			})
		})
	}
}
