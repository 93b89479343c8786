package httpsession_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/httpsession"
)

const both = httpsession.Cookie | httpsession.Bearer

// send hands a request with these headers, name after name, to the handler.
func (s *site) send(t testing.TB, handler http.HandlerFunc, headers ...string) reply {
	t.Helper()
	r := s.request(t, "GET", "http://localhost/", "")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.handler(handler).ServeHTTP(w, r)
	return replyOf(t, w.Result())
}

// expand replaces words in texts.
func expand(texts []string, words map[string]string) []string {
	var out []string
	for _, text := range texts {
		for word, with := range words {
			text = strings.ReplaceAll(text, word, with)
		}
		out = append(out, text)
	}
	return out
}

// wantTokenHeader checks which token the client is told by header: none at all with
// told false.
func (r reply) wantTokenHeader(t testing.TB, name string, told bool) coatcheck.Token {
	t.Helper()
	values, there := r.header[name]
	if there != told || len(values) > 1 {
		t.Fatalf("%s was sent: %v, %d times; want %v", name, there, len(values), told)
	}
	r.wantNoCookie(t)
	if !told {
		return ""
	}
	r.wantHeader(t, "Cache-Control", "no-store")
	return coatcheck.Token(values[0])
}

func TestBearer(t *testing.T) {
	for name, test := range map[string]struct {
		config httpsession.Config
		header string
	}{
		"default":      {httpsession.Config{Transport: httpsession.Bearer}, "X-Auth-Token"},
		"other header": {httpsession.Config{Transport: httpsession.Bearer, TokenHeader: "x-my-token"}, "X-My-Token"},
		"persistent":   {httpsession.Config{Transport: httpsession.Bearer, Persistent: true}, "X-Auth-Token"},
		"and cookies":  {httpsession.Config{Transport: both}, "X-Auth-Token"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, setup{http: test.config})
				read := func(_ http.ResponseWriter, r *http.Request) { _ = s.name(t, r) }
				reply := s.send(t, func(_ http.ResponseWriter, r *http.Request) { s.rename(t, r, "ada") }, "Authorization", "Bearer")
				token := reply.wantTokenHeader(t, test.header, true)
				s.wantName(t, token, "ada")

				time.Sleep(10 * time.Minute)
				reply = s.send(t, func(w http.ResponseWriter, r *http.Request) {
					if got := s.name(t, r); got != "ada" {
						t.Errorf("the session has the name %q", got)
					}
				}, "Authorization", "Bearer "+string(token))
				reply.wantTokenHeader(t, test.header, false)
				reply.wantHeader(t, "Cache-Control", "no-store")

				reply = s.send(t, func(_ http.ResponseWriter, r *http.Request) { s.session(r).Renew() }, "Authorization", "Bearer "+string(token))
				renewed := reply.wantTokenHeader(t, test.header, true)
				s.wantGone(t, token)
				s.send(t, read, "Authorization", "Bearer "+string(token)).wantTokenHeader(t, test.header, false)

				reply = s.send(t, func(_ http.ResponseWriter, r *http.Request) {
					wantErr(t, "Destroy", s.session(r).Destroy(r.Context()), nil)
				}, "Authorization", "Bearer "+string(renewed))
				if left := reply.wantTokenHeader(t, test.header, true); left != "" {
					t.Errorf("after the end of the session the token is %v", left)
				}
				s.wantGone(t, renewed)
			})
		})
	}
}

// Which token counts, of those that a request shows.
func TestWhichTokenCounts(t *testing.T) {
	for name, test := range map[string]struct {
		transport httpsession.Transport
		headers   []string // COOKIE and BEARER stand for a token of that name
		want      string
	}{
		"cookie":                            {httpsession.Cookie, []string{"Cookie", "__Host-session=COOKIE"}, "COOKIE"},
		"cookie among others":               {httpsession.Cookie, []string{"Cookie", "a=b; __Host-session=COOKIE; c=d"}, "COOKIE"},
		"cookie in a second line":           {httpsession.Cookie, []string{"Cookie", "a=b", "Cookie", "__Host-session=COOKIE"}, "COOKIE"},
		"cookie in quotes":                  {httpsession.Cookie, []string{"Cookie", `__Host-session="COOKIE"`}, "COOKIE"},
		"first that holds a token":          {httpsession.Cookie, []string{"Cookie", "__Host-session=x; __Host-session=COOKIE; __Host-session=BEARER"}, "COOKIE"},
		"other name":                        {httpsession.Cookie, []string{"Cookie", "session=COOKIE; __host-session=COOKIE"}, ""},
		"cookie, bearer ignored":            {httpsession.Cookie, []string{"Cookie", "__Host-session=COOKIE", "Authorization", "Bearer BEARER"}, "COOKIE"},
		"cookies only, bearer alone":        {httpsession.Cookie, []string{"Authorization", "Bearer BEARER"}, ""},
		"bearer":                            {httpsession.Bearer, []string{"Authorization", "Bearer BEARER"}, "BEARER"},
		"bearer in small letters":           {httpsession.Bearer, []string{"Authorization", "bearer \t BEARER "}, "BEARER"},
		"bearer, cookie ignored":            {httpsession.Bearer, []string{"Authorization", "Bearer BEARER", "Cookie", "__Host-session=COOKIE"}, "BEARER"},
		"bearer only, cookie alone":         {httpsession.Bearer, []string{"Cookie", "__Host-session=COOKIE"}, ""},
		"bearer beside another scheme":      {httpsession.Bearer, []string{"Authorization", "Basic QQ==", "Authorization", "Bearer BEARER"}, "BEARER"},
		"scheme that begins alike":          {httpsession.Bearer, []string{"Authorization", "BearerX BEARER"}, ""},
		"scheme run together":               {httpsession.Bearer, []string{"Authorization", "BearerBEARER"}, ""},
		"two bearers":                       {httpsession.Bearer, []string{"Authorization", "Bearer BEARER", "Authorization", "Bearer BEARER"}, ""},
		"both, cookie alone":                {both, []string{"Cookie", "__Host-session=COOKIE"}, "COOKIE"},
		"both, bearer alone":                {both, []string{"Authorization", "Bearer BEARER"}, "BEARER"},
		"both, bearer wins":                 {both, []string{"Cookie", "__Host-session=COOKIE", "Authorization", "Bearer BEARER"}, "BEARER"},
		"both, malformed bearer wins":       {both, []string{"Cookie", "__Host-session=COOKIE", "Authorization", "Bearer x"}, ""},
		"both, empty bearer wins":           {both, []string{"Cookie", "__Host-session=COOKIE", "Authorization", "Bearer"}, ""},
		"both, two bearers win":             {both, []string{"Cookie", "__Host-session=COOKIE", "Authorization", "Bearer x", "Authorization", "Bearer BEARER"}, ""},
		"both, cookie beside other schemes": {both, []string{"Cookie", "__Host-session=COOKIE", "Authorization", "Basic QQ=="}, "COOKIE"},
		"nothing":                           {both, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, setup{http: httpsession.Config{Transport: test.transport}})
			headers := expand(test.headers, map[string]string{
				"COOKIE": string(s.generate(t, profile{Name: "COOKIE"})),
				"BEARER": string(s.generate(t, profile{Name: "BEARER"})),
			})
			reply := s.send(t, func(_ http.ResponseWriter, r *http.Request) {
				if got := s.name(t, r); got != test.want {
					t.Errorf("it is the session %q, want %q", got, test.want)
				}
			}, headers...)
			reply.wantNoCookie(t)
			reply.wantHeader(t, "Vary", map[httpsession.Transport]string{
				httpsession.Cookie: "Cookie", httpsession.Bearer: "Authorization", both: "Authorization, Cookie",
			}[test.transport])
		})
	}
}

// A client is answered in the way in which it asked.
func TestBothTransportsAnswerInKind(t *testing.T) {
	s := newSite(t, setup{http: httpsession.Config{Transport: both}})
	rename := func(_ http.ResponseWriter, r *http.Request) { s.rename(t, r, "ada") }
	reply := s.send(t, rename)
	reply.wantToken(t)
	reply.wantHeader(t, "X-Auth-Token")
	for _, authorization := range []string{"Bearer", "Bearer x"} {
		reply = s.send(t, rename, "Authorization", authorization, "Cookie", "__Host-session=x")
		s.wantName(t, reply.wantTokenHeader(t, "X-Auth-Token", true), "ada")
	}
}

// Attach shows a token as the middleware will find it.
func TestAttach(t *testing.T) {
	for _, transport := range []httpsession.Transport{0, httpsession.Cookie, httpsession.Bearer, both} {
		s := newSite(t, setup{http: httpsession.Config{Transport: transport}})
		token := s.generate(t, profile{Name: "ada"})
		r := s.request(t, "GET", "http://localhost/", "")
		r.AddCookie(&http.Cookie{Name: "theme", Value: "dark"})
		s.sessions.Attach(r, token)
		if asBearer := r.Header.Get("Authorization") != ""; asBearer != (transport == httpsession.Bearer) {
			t.Errorf("%d: shown as a bearer token: %v", transport, asBearer) // browsers are the rule
		}
		w := httptest.NewRecorder()
		s.handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if got := s.name(t, r); got != "ada" {
				t.Errorf("%d: it is the session %q", transport, got)
			}
			if _, err := r.Cookie("theme"); err != nil {
				t.Errorf("%d: the other cookie is gone", transport)
			}
		})).ServeHTTP(w, r)
	}
}
