package httpsession_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/httpsession"
)

// chronicle keeps the events of a manager.
type chronicle struct {
	mu     sync.Mutex
	events []coatcheck.Event
}

func (c *chronicle) add(e coatcheck.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, e)
}

// of returns the events of a kind. They come late: wait, or be in a bubble.
func (c *chronicle) of(kind coatcheck.EventKind) []coatcheck.Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.events), func(e coatcheck.Event) bool { return e.Kind != kind })
}

// record returns what the store has of the session.
func (s *site) record(t testing.TB, token coatcheck.Token) coatcheck.Record {
	t.Helper()
	r, err := s.store.Store.Load(t.Context(), token.ID())
	wantErr(t, "Load", err, nil)
	return r
}

// recording has both recorded, through a proxy.
var recording = httpsession.Config{
	RecordAddress: true, RecordUserAgent: true,
	TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
}

// visit hands the handler a request by that client, who comes through the proxy.
func (s *site) visit(t testing.TB, handler http.HandlerFunc, token coatcheck.Token, client coatcheck.Client) reply {
	t.Helper()
	r, w := s.request(t, "GET", "http://localhost/", token), httptest.NewRecorder()
	r.RemoteAddr = "10.0.0.1:80"
	r.Header.Set("User-Agent", client.UserAgent)
	r.Header.Set("X-Forwarded-For", "192.0.2.66, "+client.Address)
	s.handler(handler).ServeHTTP(w, r)
	return replyOf(t, w.Result())
}

var (
	atHome = coatcheck.Client{Address: "203.0.113.9", UserAgent: "Home/1.0"}
	atWork = coatcheck.Client{Address: "2001:db8:9::1", UserAgent: "Work/2.0"}
)

// Whoever begins, changes or uses a session is recorded in it.
func TestClientIsRecorded(t *testing.T) {
	rename := func(s *site) http.HandlerFunc {
		return func(_ http.ResponseWriter, r *http.Request) { s.rename(t, r, "ada") }
	}
	read := func(s *site) http.HandlerFunc {
		return func(_ http.ResponseWriter, r *http.Request) { _ = s.name(t, r) }
	}
	for name, test := range map[string]struct {
		act     func(s *site) http.HandlerFunc
		after   time.Duration
		updates int
		want    coatcheck.Client
	}{
		"change": {rename, 0, 1, atWork},
		"change that the handler flushes": {func(s *site) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) {
				s.rename(t, r, "ada")
				wantErr(t, "Flush", s.session(r).Flush(r.Context()), nil)
				if got := s.record(t, s.session(r).Token()).Client; got != atWork {
					t.Errorf("after Flush it is %+v", got)
				}
			}
		}, 0, 1, atWork},
		"change after the first byte": {func(s *site) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusOK)
				s.rename(t, r, "ada")
			}
		}, 0, 1, atWork},
		"login": {func(s *site) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) {
				wantErr(t, "SetSubject", s.session(r).SetSubject("ada"), nil)
			}
		}, 0, 1, atWork},
		"renewal":               {read, 2 * time.Hour, 2, atWork}, // the first extends it
		"read":                  {read, 0, 0, atHome},
		"read just before due":  {read, 6*time.Minute - time.Millisecond, 0, atHome},
		"read that extends":     {read, 6 * time.Minute, 1, atWork},
		"request that asks not": {func(*site) http.HandlerFunc { return func(http.ResponseWriter, *http.Request) {} }, 2 * time.Hour, 0, atHome},
		"change that is dropped": {func(s *site) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) { s.rename(t, r, "x"); w.WriteHeader(500) }
		}, 0, 0, atHome},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var events chronicle
				s := newSite(t, setup{http: recording, manager: coatcheck.Config[profile]{
					IdleTimeout: 3 * time.Hour, TouchInterval: 6 * time.Minute, RenewEvery: time.Hour, OnEvent: events.add,
				}})
				token := s.visit(t, rename(s), "", atHome).wantToken(t)
				if got := s.record(t, token).Client; got != atHome {
					t.Errorf("at creation it is %+v", got)
				}
				time.Sleep(test.after)
				s.store.forget()
				s.visit(t, test.act(s), token, atWork)
				if got := s.record(t, token).Client; got != test.want {
					t.Errorf("it is %+v, want %+v", got, test.want)
				}
				if n := s.store.count("Update"); n != test.updates {
					t.Errorf("%d updates, want %d", n, test.updates)
				}
				synctest.Wait()
				changed := events.of(coatcheck.ClientChanged)
				if len(changed) != min(1, test.updates) || test.updates > 0 && (changed[0].Before != atHome || changed[0].Client != atWork) {
					t.Errorf("the events are %+v", changed)
				}
				if got := events.of(coatcheck.SessionCreated); len(got) != 1 || got[0].Client != atHome {
					t.Errorf("of the beginning it is told %+v", got)
				}
			})
		})
	}
}

// A read that extends the deadline writes no more than that if the client is the
// same.
func TestSameClientCostsATouchOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, setup{http: recording})
		token := s.visit(t, func(_ http.ResponseWriter, r *http.Request) { s.rename(t, r, "ada") }, "", atHome).wantToken(t)
		time.Sleep(coatcheck.DefaultIdleTimeout / 2)
		s.store.forget()
		s.visit(t, func(_ http.ResponseWriter, r *http.Request) { _ = s.name(t, r) }, token, atHome)
		if s.store.count("Touch") != 1 || s.store.count("Update") != 0 {
			t.Errorf("%d touches, %d updates", s.store.count("Touch"), s.store.count("Update"))
		}
	})
}

// The saving outlives the request, and knows whose it was all the same.
func TestClientThatHasGoneIsRecorded(t *testing.T) {
	s := newSite(t, setup{http: recording})
	token := s.generate(t, profile{})
	s.visit(t, func(_ http.ResponseWriter, r *http.Request) { s.rename(t, r, "ada") }, token, atHome)
	ctx, cancel := context.WithCancel(t.Context())
	r := s.request(t, "GET", "http://localhost/", token).WithContext(ctx)
	r.RemoteAddr = "192.0.2.5:80"
	s.handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s.rename(t, r, "bob")
		cancel()
	})).ServeHTTP(httptest.NewRecorder(), r)
	if got, want := s.record(t, token).Client, (coatcheck.Client{Address: "192.0.2.5"}); got != want {
		t.Errorf("it is %+v, want %+v", got, want)
	}
}

// Both are personal data: what was not asked for is not recorded.
func TestOnlyWhatWasAskedForIsRecorded(t *testing.T) {
	for want, config := range map[coatcheck.Client]httpsession.Config{
		{}: {}, {UserAgent: atHome.UserAgent}: {RecordUserAgent: true},
		{Address: "10.0.0.1"}: {RecordAddress: true}, // that the proxy is one was not said
		atHome:                recording,
	} {
		var events chronicle
		s := newSite(t, setup{http: config, manager: coatcheck.Config[profile]{OnEvent: events.add}})
		token := s.visit(t, func(_ http.ResponseWriter, r *http.Request) {
			if got := r.Context().Value(coatcheck.ClientContextKey); (got == nil) != (want == coatcheck.Client{}) {
				t.Errorf("the context has %+v", got)
			}
			s.rename(t, r, "ada")
		}, "", atHome).wantToken(t)
		if got := s.record(t, token).Client; got != want {
			t.Errorf("recorded is %+v, want %+v", got, want)
		}
		_, info, err := s.manager.Lookup(t.Context(), token)
		if err != nil || info.Client != want {
			t.Errorf("Info says %+v, %v; want %+v", info.Client, err, want)
		}
		waitFor(t, func() bool { return len(events.of(coatcheck.SessionCreated)) == 1 })
		if got := events.of(coatcheck.SessionCreated)[0].Client; got != want {
			t.Errorf("the event says %+v, want %+v", got, want)
		}
	}
}

// Who asks on somebody's behalf may say so himself, around the middleware, if it
// does not record.
func TestClientOfTheOuterContext(t *testing.T) {
	s := newSite(t, setup{})
	token := s.generate(t, profile{})
	r := s.request(t, "GET", "http://localhost/", token)
	r = r.WithContext(context.WithValue(r.Context(), coatcheck.ClientContextKey, atWork))
	s.handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { s.rename(t, r, "ada") })).
		ServeHTTP(httptest.NewRecorder(), r)
	if got := s.record(t, token).Client; got != atWork {
		t.Errorf("it is %+v", got)
	}
}

// Nothing that a client sends comes back in a header, however it is made.
func TestClientsWordsReachNoHeader(t *testing.T) {
	const canary = "canary"
	evil := canary + "\r\nSet-Cookie: evil=" + canary + "\r\n\r\n<script>" + canary
	handlers := map[string]func(t *testing.T, s *site) http.HandlerFunc{
		"begin": func(t *testing.T, s *site) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) { s.rename(t, r, "ada") }
		},
		"renew": func(_ *testing.T, s *site) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) { s.session(r).Renew() }
		},
		"destroy": func(t *testing.T, s *site) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) {
				wantErr(t, "Destroy", s.session(r).Destroy(r.Context()), nil)
			}
		},
		"fail": func(t *testing.T, s *site) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				_ = s.name(t, r)
				s.sessions.Error(w, r, coatcheck.ErrNotFound)
			}
		},
	}
	config := recording
	config.Transport = httpsession.Cookie | httpsession.Bearer
	for name, handler := range handlers {
		for _, header := range []string{"User-Agent", "X-Forwarded-For", "Cookie", "Authorization", "Origin"} {
			s := newSite(t, setup{http: config})
			token := s.generate(t, profile{})
			r, w := s.request(t, "GET", "http://localhost/", token), httptest.NewRecorder()
			r.RemoteAddr = "10.0.0.1:80"
			prefix := map[string]string{"Cookie": "__Host-session=", "Authorization": "Bearer "}[header]
			r.Header[header] = append(r.Header[header], prefix+evil)
			s.handler(handler(t, s)).ServeHTTP(w, r)
			for key, values := range w.Result().Header {
				if text := key + strings.Join(values, ""); strings.Contains(text, canary) || strings.ContainsAny(text, "\r\n") {
					t.Errorf("%s, by %s: the response has %s: %q", name, header, key, values)
				}
			}
			if strings.Contains(w.Body.String(), canary) {
				t.Errorf("%s, by %s: the body is %s", name, header, w.Body)
			}
		}
	}
}

// What a client says of itself stays within bounds, and is text.
func TestUserAgentFits(t *testing.T) {
	s := newSite(t, setup{http: recording})
	token := s.visit(t, func(_ http.ResponseWriter, r *http.Request) { s.rename(t, r, "ada") }, "",
		coatcheck.Client{Address: "192.0.2.1", UserAgent: "\xff" + strings.Repeat("ü", 5000)}).wantToken(t)
	got := s.record(t, token).Client.UserAgent
	if len(got) > coatcheck.MaxClientBytes || len(got) < coatcheck.MaxClientBytes/2 || strings.ToValidUTF8(got, "!") != got {
		t.Errorf("recorded is %d bytes: %q", len(got), got)
	}
}
