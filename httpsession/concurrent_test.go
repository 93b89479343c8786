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

// A logout holds, whatever requests are under way: these are told, and leave the
// cookie alone, which may be another session's by then.
func TestLogoutDuringASlowRequest(t *testing.T) {
	changes := map[string]func(t *testing.T, s *site, r *http.Request){
		"change": func(t *testing.T, s *site, r *http.Request) { s.rename(t, r, "slow") },
		"login": func(t *testing.T, s *site, r *http.Request) {
			wantErr(t, "SetSubject", s.session(r).SetSubject("ada"), nil)
			_ = s.name(t, r)
		},
		"renewal": func(t *testing.T, s *site, r *http.Request) {
			_ = s.name(t, r)
			s.session(r).Renew()
		},
	}
	overBoth(t, func(t *testing.T, protocol string) {
		for name, change := range changes {
			t.Run(name, func(t *testing.T) {
				s := newSite(t, setup{})
				token := s.generate(t, profile{Name: "before"})
				changed, goOn := make(chan struct{}), make(chan struct{})
				web := s.serve(t, protocol, func(w http.ResponseWriter, r *http.Request) {
					switch r.URL.Path {
					case "/slow":
						change(t, s, r)
						close(changed)
						<-goOn
					case "/logout":
						wantErr(t, "Destroy", s.session(r).Destroy(r.Context()), nil)
					}
					_, _ = io.WriteString(w, "done")
				})
				slow := make(chan reply, 1)
				request := s.request(t, "GET", web.URL+"/slow", token)
				go func() {
					response, err := web.client.Do(request)
					if err != nil {
						t.Error(err)
						close(slow)
						return
					}
					slow <- replyOf(t, response)
				}()
				<-changed
				reply := s.get(t, web, "/logout", token)
				reply.wantStatus(t, 200, "done")
				if c := reply.wantCookie(t); c.MaxAge >= 0 {
					t.Error("the logout does not clear the cookie")
				}
				close(goOn)
				reply = <-slow
				reply.wantProblem(t, 401, "session")
				reply.wantNoCookie(t)
				s.wantGone(t, token)
				s.wantRecords(t, 0)
			})
		}
	})
}

// Nor does it matter that the slow one has extended the deadline, which
// persistent cookies follow.
func TestLogoutDuringASlowRequestWithAPersistentCookie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, setup{http: httpsession.Config{Persistent: true}})
		token := s.generate(t, profile{Name: "before"})
		time.Sleep(coatcheck.DefaultIdleTimeout / 2)
		reply := s.call(t, func(_ http.ResponseWriter, r *http.Request) {
			s.rename(t, r, "slow")
			wantErr(t, "Delete", s.manager.Delete(r.Context(), token), nil)
		}, token)
		reply.wantProblem(t, 401, "session")
		reply.wantNoCookie(t)
	})
}

// Both changes of two requests at once survive.
func TestParallelChangesBothSurvive(t *testing.T) {
	overBoth(t, func(t *testing.T, protocol string) {
		s := newSite(t, setup{})
		token := s.generate(t, profile{})
		read := map[string]chan struct{}{"/name": make(chan struct{}), "/visit": make(chan struct{})}
		web := s.serve(t, protocol, func(w http.ResponseWriter, r *http.Request) {
			ctx := r.Context()
			wantErr(t, "Change", s.session(r).Change(ctx, func(p *profile) error {
				if r.URL.Path == "/name" {
					p.Name = "ada"
				} else {
					p.Visits++
				}
				return nil
			}), nil)
			close(read[r.URL.Path]) // before the other writes
			<-read["/name"]
			<-read["/visit"]
			_, _ = io.WriteString(w, "done")
		})
		done := make(chan struct{})
		request := s.request(t, "GET", web.URL+"/visit", token)
		go func() {
			defer close(done)
			response, err := web.client.Do(request)
			if err != nil {
				t.Error(err)
				return
			}
			replyOf(t, response).wantStatus(t, 200, "done")
		}()
		s.get(t, web, "/name", token).wantStatus(t, 200, "done")
		<-done
		p, err := s.manager.Get(t.Context(), token)
		if want := (profile{"ada", 1}); p != want || err != nil {
			t.Errorf("the session is %+v, %v; want %+v", p, err, want)
		}
	})
}

// What the handler has done is saved, also if nobody waits for the answer.
func TestSavedWhenTheClientHasGone(t *testing.T) {
	overBoth(t, func(t *testing.T, protocol string) {
		s := newSite(t, setup{})
		token := s.generate(t, profile{Name: "before"})
		changed, done := make(chan struct{}), make(chan struct{})
		web := s.serve(t, protocol, func(w http.ResponseWriter, r *http.Request) {
			defer close(done)
			s.rename(t, r, "after")
			close(changed)
			<-r.Context().Done()
			_, _ = io.WriteString(w, "hello")
			s.wantName(t, token, "after")
		})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-changed
			cancel()
		}()
		if response, err := web.client.Do(s.request(t, "GET", web.URL, token).WithContext(ctx)); err == nil {
			_ = response.Body.Close()
			t.Error("there was an answer")
		}
		<-done
		if log := s.log.String(); log != "" {
			t.Errorf("logged: %s", log)
		}
	})
}

// What an existing session is changed to after the first byte is saved at the end.
func TestLateChangeIsSaved(t *testing.T) {
	overBoth(t, func(t *testing.T, protocol string) {
		s := newSite(t, setup{})
		token := s.generate(t, profile{})
		web := s.serve(t, protocol, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "hello")
			s.rename(t, r, "late")
			s.wantName(t, token, "")
		})
		reply := s.get(t, web, "/", token)
		reply.wantStatus(t, 200, "hello")
		reply.wantNoCookie(t)
		s.waitForName(t, token, "late")
	})
}

// It is too late for a token by then, which whoever asks is told, and else the log.
func TestLateTokenIsNotStored(t *testing.T) {
	changes := map[string]struct {
		token  bool
		change func(t *testing.T, s *site, r *http.Request)
	}{
		"new session": {false, func(t *testing.T, s *site, r *http.Request) { s.rename(t, r, "late") }},
		"renewal":     {true, func(_ *testing.T, s *site, r *http.Request) { s.session(r).Renew() }},
		"login": {true, func(t *testing.T, s *site, r *http.Request) {
			wantErr(t, "SetSubject", s.session(r).SetSubject("ada"), nil)
		}},
	}
	for name, test := range changes {
		for path, asks := range map[string]bool{"asks": true, "does not ask": false} {
			t.Run(name+" "+path, func(t *testing.T) {
				s := newSite(t, setup{})
				token, want := coatcheck.Token(""), 0
				if test.token {
					token, want = s.generate(t, profile{Name: "before"}), 1
				}
				reply := s.call(t, func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.WriteString(w, "hello")
					test.change(t, s, r)
					if asks {
						wantErr(t, "Flush", s.session(r).Flush(r.Context()), coatcheck.ErrTokenFixed)
					}
				}, token)
				reply.wantStatus(t, 200, "hello")
				reply.wantNoCookie(t)
				s.wantRecords(t, want)
				if test.token {
					s.wantName(t, token, "before")
				}
				log := s.log.String()
				if strings.Count(log, "\n") != 1 || !strings.Contains(log, coatcheck.ErrTokenFixed.Error()) {
					t.Errorf("the log is %q, want one line that says it", log)
				}
			})
		}
	}
}

// A late change that fails has nobody to tell but the log.
func TestLateChangeThatFailsIsLogged(t *testing.T) {
	s := newSite(t, setup{})
	token := s.generate(t, profile{})
	reply := s.call(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "hello")
		s.rename(t, r, "late")
		s.store.fail(coatcheck.ErrUnavailable)
	}, token)
	reply.wantStatus(t, 200, "hello")
	if log := s.log.String(); strings.Count(log, "level=ERROR") != 1 {
		t.Errorf("the log is %q, want one line that says it", log)
	}
}

// The end of a session needs no new token: it can come late, but for the cookie.
func TestLateDestroy(t *testing.T) {
	s := newSite(t, setup{})
	token := s.generate(t, profile{})
	reply := s.call(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "hello")
		wantErr(t, "Destroy", s.session(r).Destroy(r.Context()), nil)
	}, token)
	reply.wantStatus(t, 200, "hello")
	reply.wantNoCookie(t)
	s.wantGone(t, token)
	if log := s.log.String(); log != "" {
		t.Errorf("logged: %s", log)
	}
}

// waitForName waits until the session is called so.
func (s *site) waitForName(t testing.TB, token coatcheck.Token, name string) {
	t.Helper()
	waitFor(t, func() bool {
		p, err := s.manager.Get(t.Context(), token)
		return err == nil && p.Name == name
	})
}
