package httpsession_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/httpsession"
)

// Whoever knew the token before a login, and may have planted it, is left behind.
func TestLoginRenewsTheToken(t *testing.T) {
	overBoth(t, func(t *testing.T, protocol string) {
		s := newSite(t, setup{})
		before := s.generate(t, profile{Name: "guest"})
		web := s.serve(t, protocol, func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/login" {
				wantErr(t, "SetSubject", s.session(r).SetSubject("ada"), nil)
			}
			_, _ = s.session(r).Get(r.Context())
		})
		after := s.get(t, web, "/login", before).wantToken(t)
		if after == before || after.ID() != before.ID() {
			t.Errorf("the session %s is now %s, and the same token: %v", before.ID(), after.ID(), after == before)
		}
		s.wantGone(t, before)
		s.wantName(t, after, "guest")
		_, info, err := s.manager.Lookup(t.Context(), after)
		if err != nil || info.Subject != "ada" {
			t.Errorf("the session belongs to %q, %v", info.Subject, err)
		}
		s.get(t, web, "/", after).wantNoCookie(t)
		s.get(t, web, "/", before).wantNoCookie(t)
	})
}

// No session is filed under a token, or an ID, that a client has made up.
func TestUnknownTokenIsNeverAdopted(t *testing.T) {
	s := newSite(t, setup{})
	dead := s.generate(t, profile{})
	wantErr(t, "Delete", s.manager.Delete(t.Context(), dead), nil)
	for name, planted := range map[string]coatcheck.Token{
		"made up":   coatcheck.Token(strings.Repeat("A", 44)),
		"dead":      dead,
		"malformed": "x",
	} {
		t.Run(name, func(t *testing.T) {
			reply := s.call(t, func(_ http.ResponseWriter, r *http.Request) {
				if got := s.name(t, r); got != "" {
					t.Errorf("the session has the name %q", got)
				}
				s.rename(t, r, "eve")
			}, planted)
			token := reply.wantToken(t)
			if token == planted || token.ID() == planted.ID() {
				t.Error("the client has chosen the token")
			}
			s.wantName(t, token, "eve")
			s.wantGone(t, planted)
		})
	}
}

// A cookie with nothing behind it may be another server's, or become somebody's
// again: to read is no reason to clear it.
func TestDeadCookieIsLeftAlone(t *testing.T) {
	for name, persistent := range map[string]bool{"cookie of the browser session": false, "persistent cookie": true} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, setup{http: httpsession.Config{Persistent: persistent}})
			dead := s.generate(t, profile{})
			wantErr(t, "Delete", s.manager.Delete(t.Context(), dead), nil)
			reply := s.call(t, func(_ http.ResponseWriter, r *http.Request) { _ = s.name(t, r) }, dead)
			reply.wantStatus(t, 200, "")
			reply.wantNoCookie(t)
			reply.wantHeader(t, "Vary", "Cookie")
			reply.wantHeader(t, "Cache-Control", "no-store")
		})
	}
}

// A change that leaves nothing to store begins no session.
func TestZeroValueBeginsNoSession(t *testing.T) {
	s := newSite(t, setup{})
	s.call(t, func(_ http.ResponseWriter, r *http.Request) { s.rename(t, r, "") }, "").wantNoCookie(t)
	s.call(t, func(_ http.ResponseWriter, r *http.Request) { s.session(r).Renew() }, "").wantNoCookie(t)
	s.wantRecords(t, 0)
}

// The cookie is as configured, to the letter, and cleared with what it was set
// with: browsers keep it otherwise.
func TestCookieAttributes(t *testing.T) {
	for name, test := range map[string]struct {
		config     httpsession.Config
		name, rest string
	}{
		"default":     {httpsession.Config{}, "__Host-session", "; Path=/; HttpOnly; Secure; SameSite=Lax"},
		"domain":      {httpsession.Config{Domain: "example.com"}, "__Secure-session", "; Path=/; Domain=example.com; HttpOnly; Secure; SameSite=Lax"},
		"path":        {httpsession.Config{Path: "/app"}, "__Secure-session", "; Path=/app; HttpOnly; Secure; SameSite=Lax"},
		"strict":      {httpsession.Config{SameSite: http.SameSiteStrictMode}, "__Host-session", "; Path=/; HttpOnly; Secure; SameSite=Strict"},
		"partitioned": {httpsession.Config{SameSite: http.SameSiteNoneMode, Partitioned: true}, "__Host-session", "; Path=/; HttpOnly; Secure; SameSite=None; Partitioned"},
		"insecure":    {httpsession.Config{InsecureCookie: true}, "session", "; Path=/; HttpOnly; SameSite=Lax"},
		"named":       {httpsession.Config{CookieName: "sid"}, "sid", "; Path=/; HttpOnly; Secure; SameSite=Lax"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, setup{http: test.config})
			reply := s.call(t, func(_ http.ResponseWriter, r *http.Request) { s.rename(t, r, "ada") }, "")
			token := reply.wantToken(t)
			reply.wantHeader(t, "Set-Cookie", test.name+"="+string(token)+test.rest)
			reply = s.call(t, func(_ http.ResponseWriter, r *http.Request) {
				wantErr(t, "Destroy", s.session(r).Destroy(r.Context()), nil)
			}, token)
			cleared := strings.Replace(test.rest, "; HttpOnly", "; Max-Age=0; HttpOnly", 1)
			reply.wantHeader(t, "Set-Cookie", test.name+"="+cleared)
			reply.wantHeader(t, "Cache-Control", "no-store")
			reply.wantHeader(t, "Vary", "Cookie")
			s.wantGone(t, token)
		})
	}
}

// Logout and login in one request: one cookie, of another session.
func TestDestroyThenBegin(t *testing.T) {
	s := newSite(t, setup{})
	token := s.generate(t, profile{Name: "ada"})
	reply := s.call(t, func(_ http.ResponseWriter, r *http.Request) {
		wantErr(t, "Destroy", s.session(r).Destroy(r.Context()), nil)
		s.rename(t, r, "bob")
	}, token)
	next := reply.wantToken(t)
	if next.ID() == token.ID() {
		t.Error("it is the same session")
	}
	s.wantGone(t, token)
	s.wantName(t, next, "bob")
}

// Without a session there is nothing to clear.
func TestDestroyOfNothing(t *testing.T) {
	s := newSite(t, setup{})
	reply := s.call(t, func(_ http.ResponseWriter, r *http.Request) {
		wantErr(t, "Destroy", s.session(r).Destroy(r.Context()), nil)
	}, "")
	reply.wantNoCookie(t)
	reply.wantHeader(t, "Vary", "Cookie")
}

// Other cookies and caching rules of the handler's stay.
func TestHeadersOfTheHandlerStay(t *testing.T) {
	s := newSite(t, setup{})
	token := s.generate(t, profile{})
	own := func(w http.ResponseWriter) {
		w.Header().Set("Cache-Control", "private, max-age=60")
		w.Header().Set("Vary", "Accept")
		w.Header().Add("Vary", "Cookie")
		http.SetCookie(w, &http.Cookie{Name: "theme", Value: "dark"})
	}
	reply := s.call(t, func(w http.ResponseWriter, r *http.Request) {
		_ = s.name(t, r)
		own(w)
	}, token)
	reply.wantHeader(t, "Cache-Control", "private, max-age=60")
	reply.wantHeader(t, "Vary", "Accept", "Cookie")
	reply.wantHeader(t, "Set-Cookie", "theme=dark")

	reply = s.call(t, func(w http.ResponseWriter, r *http.Request) {
		s.session(r).Renew()
		own(w)
	}, token)
	if len(reply.set) != 2 || reply.set[0].Name != "theme" {
		t.Errorf("the cookies are %d", len(reply.set))
	}
	reply.wantHeader(t, "Cache-Control", "no-store") // a token is in it
}

// The cookie lives as long as the session may, however it is used, and so is set
// once.
func TestPersistentCookieLivesAsLongAsTheSessionMay(t *testing.T) {
	const never = coatcheck.Never
	hour, day := time.Hour, 24*time.Hour
	for name, test := range map[string]struct {
		absolute time.Duration
		maxAge   int
	}{
		"day":                  {day, 86400},
		"fraction of a second": {hour + time.Millisecond, 3601},
		"400 days":             {400 * day, 34560000},
		"beyond 400 days":      {1000 * day, 34560000},
		"no deadline":          {never, 34560000},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, setup{
					http:    httpsession.Config{Persistent: true},
					manager: coatcheck.Config[profile]{IdleTimeout: hour, AbsoluteTimeout: test.absolute},
				})
				rename := func(_ http.ResponseWriter, r *http.Request) { s.rename(t, r, "ada") }
				reply := s.call(t, rename, "")
				token := reply.wantToken(t)
				if got := reply.set[0].MaxAge; got != test.maxAge {
					t.Errorf("Max-Age is %d, want %d", got, test.maxAge)
				}
				time.Sleep(50 * time.Minute)
				s.call(t, func(_ http.ResponseWriter, r *http.Request) { _ = s.name(t, r) }, token).wantNoCookie(t)
				s.call(t, rename, token).wantNoCookie(t)
				if test.absolute == day { // a renewal does not move the deadline
					reply = s.call(t, func(_ http.ResponseWriter, r *http.Request) { s.session(r).Renew() }, token)
					if got := reply.wantCookie(t).MaxAge; got != 86400-50*60 {
						t.Errorf("Max-Age of the renewed token is %d", got)
					}
				}
			})
		})
	}
}

// A session that has ended by the time of the answer must not make the cookie
// one that browsers keep until they are closed.
func TestPersistentCookieOfAnEndedSession(t *testing.T) {
	for _, wait := range []time.Duration{coatcheck.DefaultAbsoluteTimeout, coatcheck.DefaultAbsoluteTimeout + time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, setup{http: httpsession.Config{Persistent: true}})
			reply := s.call(t, func(_ http.ResponseWriter, r *http.Request) {
				s.rename(t, r, "ada")
				wantErr(t, "Flush", s.session(r).Flush(r.Context()), nil)
				time.Sleep(wait)
			}, "")
			if c := reply.wantCookie(t); c.MaxAge != 1 {
				t.Errorf("Max-Age is %d, want 1", c.MaxAge)
			}
		})
	}
}

// Cookies that are not persistent end with the browser, and are not set again.
func TestSessionCookieHasNoMaxAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, setup{})
		reply := s.call(t, func(_ http.ResponseWriter, r *http.Request) { s.rename(t, r, "ada") }, "")
		token := reply.wantToken(t)
		if text := reply.header.Get("Set-Cookie"); strings.Contains(text, "Max-Age") || strings.Contains(text, "Expires") {
			t.Errorf("the cookie has a date of expiry: %s", strings.ReplaceAll(text, string(token), "TOKEN"))
		}
		time.Sleep(10 * time.Minute)
		s.call(t, func(_ http.ResponseWriter, r *http.Request) { _ = s.name(t, r) }, token).wantNoCookie(t)
		s.call(t, func(_ http.ResponseWriter, r *http.Request) { s.rename(t, r, "bob") }, token).wantNoCookie(t)
	})
}
