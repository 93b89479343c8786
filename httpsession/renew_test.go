package httpsession_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/httpsession"
)

const renewEvery = time.Hour

// renewing has tokens renewed every hour, and no session be touched in between.
var renewing = coatcheck.Config[profile]{IdleTimeout: coatcheck.Never, RenewEvery: renewEvery}

// inTime runs the test in a bubble, with a session whose token is of that age.
func inTime(t *testing.T, age time.Duration, s setup, test func(t *testing.T, s *site, token coatcheck.Token)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, s)
		token := s.generate(t, profile{Name: "ada"}, coatcheck.ForSubject("ada"))
		time.Sleep(age)
		s.store.forget()
		test(t, s, token)
	})
}

// wantRenewed checks that the response holds a new token for the session.
func (r reply) wantRenewed(t testing.TB, old coatcheck.Token) coatcheck.Token {
	t.Helper()
	token := r.wantToken(t)
	if token == old || token.ID() != old.ID() {
		t.Errorf("the token of %s is now one of %s, another one: %v", old.ID(), token.ID(), token != old)
	}
	return token
}

// wantNotRenewed checks that the store has the session as it was.
func (s *site) wantNotRenewed(t testing.TB, token coatcheck.Token) {
	t.Helper()
	if r := s.record(t, token); len(r.Retired) != 0 {
		t.Error("the token was renewed")
	}
}

func (s *site) read(t testing.TB) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, s.name(t, r)) }
}

func (s *site) change(t testing.TB) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) { s.rename(t, r, "bob") }
}

// An old token is renewed by whatever request uses it, in one call of the store.
func TestOldTokenIsRenewed(t *testing.T) {
	info := func(t *testing.T, s *site, r *http.Request) coatcheck.Info {
		i, err := s.session(r).Info(r.Context())
		wantErr(t, "Info", err, nil)
		return i
	}
	for name, test := range map[string]struct {
		handler func(t *testing.T, s *site, w http.ResponseWriter, r *http.Request)
		status  int
		name    string
	}{
		"read":   {func(t *testing.T, s *site, w http.ResponseWriter, r *http.Request) { s.read(t)(w, r) }, 200, "ada"},
		"info":   {func(t *testing.T, s *site, _ http.ResponseWriter, r *http.Request) { info(t, s, r) }, 200, "ada"},
		"change": {func(t *testing.T, s *site, _ http.ResponseWriter, r *http.Request) { s.rename(t, r, "bob") }, 200, "bob"},
		"redirect": {func(t *testing.T, s *site, w http.ResponseWriter, r *http.Request) {
			s.rename(t, r, "bob")
			w.WriteHeader(303)
		}, 303, "bob"},
		"not modified": {func(t *testing.T, s *site, w http.ResponseWriter, r *http.Request) { info(t, s, r); w.WriteHeader(304) }, 304, "ada"},
		"not found": {func(t *testing.T, s *site, w http.ResponseWriter, r *http.Request) {
			info(t, s, r)
			http.NotFound(w, r)
		}, 404, "ada"},
		"stream": {func(t *testing.T, s *site, w http.ResponseWriter, r *http.Request) {
			info(t, s, r)
			wantErr(t, "Flush", http.NewResponseController(w).Flush(), nil)
			_, _ = io.WriteString(w, s.name(t, r))
		}, 200, "ada"},
	} {
		for _, cached := range []bool{true, false} {
			t.Run(fmt.Sprint(name, ", in memory: ", cached), func(t *testing.T) {
				inTime(t, renewEvery, setup{manager: renewing}, func(t *testing.T, s *site, token coatcheck.Token) {
					want := 2
					if cached {
						_, err := s.manager.Get(t.Context(), token)
						wantErr(t, "Get", err, nil)
						want = 1
						s.store.forget()
					}
					before := s.record(t, token)
					reply := s.call(t, func(w http.ResponseWriter, r *http.Request) { test.handler(t, s, w, r) }, token)
					reply.wantStatus(t, test.status, "")
					reply.wantHeader(t, "Vary", "Cookie")
					fresh := reply.wantRenewed(t, token)
					if n := s.store.count(); n != want || s.store.count("Update") != 1 {
						t.Errorf("%d calls of the store, %d updates; want %d, 1", n, s.store.count("Update"), want)
					}
					s.wantName(t, fresh, test.name)
					if after := s.record(t, token); after.Rev != before.Rev+1 || !after.AbsoluteDeadline.Equal(before.AbsoluteDeadline) || after.Subject != "ada" {
						t.Errorf("%+v became %+v", before, after)
					}
					s.call(t, s.read(t), fresh).wantNoCookie(t) // it is young
				})
			})
		}
	}
}

// Where nobody could be told, or nothing was asked for, a token stays.
func TestTokenIsNotRenewed(t *testing.T) {
	for name, test := range map[string]struct {
		age     time.Duration
		every   time.Duration
		handler func(t *testing.T, s *site, w http.ResponseWriter, r *http.Request)
	}{
		"young": {renewEvery - time.Millisecond, renewEvery, func(t *testing.T, s *site, w http.ResponseWriter, r *http.Request) {
			s.read(t)(w, r)
		}},
		"by default": {10 * renewEvery, 0, func(t *testing.T, s *site, w http.ResponseWriter, r *http.Request) {
			s.read(t)(w, r)
		}},
		"not asked for": {renewEvery, renewEvery, func(_ *testing.T, _ *site, w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "hello")
		}},
		"only its token asked for": {renewEvery, renewEvery, func(_ *testing.T, s *site, _ http.ResponseWriter, r *http.Request) {
			_ = s.session(r).ID()
		}},
		"server error": {renewEvery, renewEvery, func(t *testing.T, s *site, w http.ResponseWriter, r *http.Request) {
			_ = s.name(t, r)
			w.WriteHeader(http.StatusInternalServerError)
		}},
		"refused": {renewEvery, renewEvery, func(t *testing.T, s *site, w http.ResponseWriter, r *http.Request) {
			_ = s.name(t, r)
			s.sessions.Error(w, r, coatcheck.ErrConflict)
		}},
		"refused, after a change": {renewEvery, renewEvery, func(t *testing.T, s *site, w http.ResponseWriter, r *http.Request) {
			s.rename(t, r, "bob")
			s.sessions.Error(w, r, coatcheck.ErrConflict)
		}},
		"read after the first byte": {renewEvery, renewEvery, func(t *testing.T, s *site, w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			s.read(t)(w, r)
		}},
		"stream that began before": {renewEvery - time.Second, renewEvery, func(t *testing.T, s *site, w http.ResponseWriter, r *http.Request) {
			s.read(t)(w, r)
			wantErr(t, "Flush", http.NewResponseController(w).Flush(), nil)
			time.Sleep(time.Minute)
			s.session(r).Reload()
			s.read(t)(w, r)
		}},
		"asked to after the first byte": {renewEvery, renewEvery, func(t *testing.T, s *site, w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			s.read(t)(w, r)
			s.session(r).RenewIfDue()
			wantErr(t, "Flush", s.session(r).Flush(r.Context()), nil)
		}},
		"early hints only": {renewEvery, renewEvery, func(t *testing.T, s *site, w http.ResponseWriter, r *http.Request) {
			_ = s.name(t, r)
			w.WriteHeader(http.StatusEarlyHints)
			s.wantNotRenewed(t, s.session(r).Token())
			w.WriteHeader(http.StatusServiceUnavailable)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			config := renewing
			config.RenewEvery = test.every
			inTime(t, test.age, setup{manager: config}, func(t *testing.T, s *site, token coatcheck.Token) {
				s.call(t, func(w http.ResponseWriter, r *http.Request) { test.handler(t, s, w, r) }, token).wantNoCookie(t)
				s.wantNotRenewed(t, token)
				if n := s.store.count("Update"); n != 0 {
					t.Errorf("%d updates", n)
				}
				s.wantName(t, token, "ada")
			})
		})
	}
}

// A client that has gone would not learn of the token. What it has changed is
// saved without one.
func TestClientThatHasGoneKeepsItsToken(t *testing.T) {
	for name, changed := range map[string]bool{"read": false, "change": true} {
		t.Run(name, func(t *testing.T) {
			inTime(t, renewEvery, setup{manager: renewing}, func(t *testing.T, s *site, token coatcheck.Token) {
				ctx, cancel := context.WithCancel(t.Context())
				w := httptest.NewRecorder()
				s.handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					if changed {
						s.rename(t, r, "bob")
					}
					_ = s.name(t, r)
					cancel()
				})).ServeHTTP(w, s.request(t, "GET", "http://localhost/", token).WithContext(ctx))
				replyOf(t, w.Result()).wantNoCookie(t)
				s.wantNotRenewed(t, token)
				s.wantName(t, token, map[bool]string{false: "ada", true: "bob"}[changed])
			})
		})
	}
}

// A connection that is taken over has no headers for a token.
func TestHijackDoesNotRenew(t *testing.T) {
	for name, changed := range map[string]bool{"read": false, "change": true} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, setup{manager: renewing})
			token := s.generateOld(t, profile{Name: "ada"}, 2*renewEvery)
			web := s.serve(t, http1, func(w http.ResponseWriter, r *http.Request) {
				if changed {
					s.rename(t, r, "bob")
				}
				_ = s.name(t, r)
				conn, rw, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Errorf("Hijack: %v", err)
					return
				}
				_ = s.name(t, r)
				echo(t, conn, rw, switching)
			})
			_, in, conn := s.upgrade(t, web, token)
			wantEcho(t, in, conn)
			web.Close()
			s.wantNotRenewed(t, token)
			s.wantName(t, token, map[bool]string{false: "ada", true: "bob"}[changed])
			if log := s.log.String(); log != "" {
				t.Errorf("logged: %s", log)
			}
		})
	}
}

// backdated has sessions begin before they do.
type backdated struct {
	coatcheck.Store
	by time.Duration
}

func (s backdated) Create(ctx context.Context, r coatcheck.Record) error {
	r.CreatedAt = r.CreatedAt.Add(-s.by)
	return s.Store.Create(ctx, r)
}

// generateOld is generate for a token of that age, where clocks are real.
func (s *site) generateOld(t testing.TB, value profile, age time.Duration, opts ...coatcheck.GenerateOption) coatcheck.Token {
	t.Helper()
	m, err := coatcheck.New(coatcheck.Config[profile]{Store: backdated{s.store.Store, age}, NearCache: coatcheck.NearCache{MaxEntries: -1}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	token, err := m.Generate(t.Context(), value, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// A program learns of the new token in the way in which it asks.
func TestBearerIsToldTheRenewedToken(t *testing.T) {
	for name, transport := range map[string]httpsession.Transport{"bearer": httpsession.Bearer, "both": both} {
		t.Run(name, func(t *testing.T) {
			inTime(t, renewEvery, setup{manager: renewing, http: httpsession.Config{Transport: transport}}, func(t *testing.T, s *site, token coatcheck.Token) {
				reply := s.send(t, s.read(t), "Authorization", "Bearer "+string(token))
				reply.wantStatus(t, 200, "ada")
				fresh := reply.wantTokenHeader(t, "X-Auth-Token", true)
				if fresh == token || fresh.ID() != token.ID() {
					t.Errorf("the token is of %s, another one: %v", fresh.ID(), fresh != token)
				}
				s.send(t, s.read(t), "Authorization", "Bearer "+string(token)).wantTokenHeader(t, "X-Auth-Token", false)
				reply = s.send(t, s.read(t), "Authorization", "Bearer "+string(fresh))
				reply.wantStatus(t, 200, "ada")
				reply.wantTokenHeader(t, "X-Auth-Token", false)
			})
		})
	}
}

// A renewed cookie lives as long as the one before would have.
func TestRenewedPersistentCookieKeepsItsDeadline(t *testing.T) {
	for name, change := range map[string]bool{"read": false, "change": true} {
		t.Run(name, func(t *testing.T) {
			inTime(t, renewEvery, setup{manager: renewing, http: httpsession.Config{Persistent: true}}, func(t *testing.T, s *site, token coatcheck.Token) {
				handler := s.read(t)
				if change {
					handler = s.change(t)
				}
				reply := s.call(t, handler, token)
				reply.wantRenewed(t, token)
				if got, want := reply.wantCookie(t).MaxAge, 23*60*60; got != want {
					t.Errorf("Max-Age is %d, want %d", got, want)
				}
			})
		})
	}
}

// What a handler has asked for goes before what its age calls for: no grace.
func TestOwnRenewalHasNoGrace(t *testing.T) {
	for name, renew := range map[string]func(t *testing.T, s *site, r *http.Request){
		"Renew": func(_ *testing.T, s *site, r *http.Request) { s.session(r).Renew() },
		"login": func(t *testing.T, s *site, r *http.Request) {
			wantErr(t, "SetSubject", s.session(r).SetSubject("ada"), nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, renewEvery, setup{manager: renewing}, func(t *testing.T, s *site, token coatcheck.Token) {
				reply := s.call(t, func(_ http.ResponseWriter, r *http.Request) {
					_ = s.name(t, r)
					renew(t, s, r)
				}, token)
				s.wantName(t, reply.wantRenewed(t, token), "ada")
				s.wantGone(t, token)
				if n := s.store.count("Update"); n != 1 {
					t.Errorf("%d updates", n)
				}
			})
		})
	}
}

// A logout ends the session, and gives it no new token.
func TestLogoutWithAnOldToken(t *testing.T) {
	inTime(t, renewEvery, setup{manager: renewing}, func(t *testing.T, s *site, token coatcheck.Token) {
		reply := s.call(t, func(_ http.ResponseWriter, r *http.Request) {
			_ = s.name(t, r)
			wantErr(t, "Destroy", s.session(r).Destroy(r.Context()), nil)
		}, token)
		if c := reply.wantCookie(t); c.Value != "" || c.MaxAge >= 0 {
			t.Error("the cookie is not cleared")
		}
		s.wantRecords(t, 0)
		if strings.Contains(s.log.String(), "renewed") {
			t.Errorf("logged: %s", s.log.String())
		}
	})
}
