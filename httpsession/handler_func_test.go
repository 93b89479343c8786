package httpsession_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/httpsession"
)

type (
	session     = *coatcheck.Session[profile]
	sessionFunc = func(http.ResponseWriter, *http.Request, session)
)

// What fn does by itself is tested by all other tests: see TestAllByHandlerFunc.
func (s *site) callFunc(t testing.TB, fn sessionFunc, token coatcheck.Token) reply {
	t.Helper()
	w := httptest.NewRecorder()
	s.sessions.HandlerFunc(fn).ServeHTTP(w, s.request(t, "GET", "http://localhost/", token))
	return replyOf(t, w.Result())
}

func nameOf(t testing.TB, r *http.Request, session session) string {
	t.Helper()
	p, err := session.Get(r.Context())
	wantErr(t, "Get", err, nil)
	return p.Name
}

func renameTo(t testing.TB, r *http.Request, session session, name string) {
	t.Helper()
	wantErr(t, "Change", session.Change(r.Context(), func(p *profile) error { p.Name = name; return nil }), nil)
}

// unwrapped is a writer of another middleware.
type unwrapped struct{ http.ResponseWriter }

func (w unwrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// However Handler and HandlerFunc are nested, there is one session, and it is saved once.
func TestNestedHandlerFunc(t *testing.T) {
	s := newSite(t, setup{})
	other := newSite(t, setup{http: httpsession.Config{CookieName: "other"}})

	byFunc := func(fn sessionFunc) http.Handler { return s.sessions.HandlerFunc(fn) }
	byContext := func(fn sessionFunc) http.Handler {
		return s.sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fn(w, r, s.sessions.From(r.Context()))
		}))
	}
	ways := map[string]func(sessionFunc) http.Handler{"HandlerFunc": byFunc, "Handler": byContext}
	between := map[string]func(http.Handler) http.Handler{
		"nothing":            func(next http.Handler) http.Handler { return next },
		"another middleware": func(next http.Handler) http.Handler { return other.sessions.Handler(next) },
		"another by HandlerFunc": func(next http.Handler) http.Handler {
			return other.sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, _ session) { next.ServeHTTP(w, r) })
		},
		"another writer": func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(unwrapped{w}, r) })
		},
	}
	for outerName, outerWay := range ways {
		for innerName, innerWay := range ways {
			for what, around := range between {
				t.Run(innerName+" in "+outerName+" with "+what+" in between", func(t *testing.T) {
					s.store.forget()
					w := httptest.NewRecorder()
					outerWay(func(w http.ResponseWriter, r *http.Request, outer session) {
						renameTo(t, r, outer, "ada")
						around(innerWay(func(_ http.ResponseWriter, r *http.Request, inner session) {
							if inner != outer {
								t.Error("there are two sessions")
							}
							if got := nameOf(t, r, inner); got != "ada" {
								t.Errorf("the session has the name %q", got)
							}
							renameTo(t, r, inner, "bob")
						})).ServeHTTP(w, r)
						if n := s.store.count(); n != 0 {
							t.Error("the inner handler saved")
						}
						_, _ = io.WriteString(w, "hello")
					}).ServeHTTP(w, s.request(t, "GET", "http://localhost/", ""))
					s.wantName(t, replyOf(t, w.Result()).wantToken(t), "bob")
					if n := s.store.count("Create"); n != 1 {
						t.Errorf("%d sessions were stored", n)
					}
				})
			}
		}
	}
}

// The request is the one that came, so that nothing has to be copied.
func TestHandlerFuncLeavesTheRequestAlone(t *testing.T) {
	s := newSite(t, setup{})
	came := s.request(t, "GET", "http://localhost/", "")
	ctx := came.Context()
	s.sessions.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, _ session) {
		if r != came || r.Context() != ctx {
			t.Error("the handler has another request, or one with another context")
		}
		defer func() {
			if recover() == nil {
				t.Error("From finds a session in a context that has none")
			}
		}()
		s.sessions.From(r.Context())
	}).ServeHTTP(nowhere{}, came)
}

// An ErrorHandler finds the session by From, as in Handler, whoever calls it.
func TestHandlerFuncFails(t *testing.T) {
	for name, fn := range map[string]func(*testing.T, *site) sessionFunc{
		"by itself": func(t *testing.T, s *site) sessionFunc {
			return func(w http.ResponseWriter, r *http.Request, session session) {
				renameTo(t, r, session, "after")
				s.sessions.Error(w, r, coatcheck.ErrUnavailable)
			}
		},
		"through another writer": func(t *testing.T, s *site) sessionFunc {
			return func(w http.ResponseWriter, r *http.Request, session session) {
				renameTo(t, r, session, "after")
				s.sessions.Error(unwrapped{w}, r, coatcheck.ErrUnavailable)
			}
		},
		"when it is saved": func(t *testing.T, s *site) sessionFunc {
			return func(w http.ResponseWriter, r *http.Request, session session) {
				renameTo(t, r, session, "after")
				s.store.fail(coatcheck.ErrUnavailable, "Update")
				_, err := io.WriteString(w, "hello")
				wantErr(t, "Write", err, coatcheck.ErrUnavailable)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var s *site
			asked := false
			s = newSite(t, setup{http: httpsession.Config{
				ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
					wantErr(t, "ErrorHandler", err, coatcheck.ErrUnavailable)
					if id := s.sessions.From(r.Context()).ID(); id == "" {
						t.Error("the ErrorHandler finds another session")
					}
					asked = true
					w.WriteHeader(http.StatusTeapot)
				},
			}})
			token := s.generate(t, profile{Name: "before"})
			reply := s.callFunc(t, fn(t, s), token)
			reply.wantStatus(t, http.StatusTeapot, "")
			if !asked {
				t.Error("the ErrorHandler was not asked")
			}
			s.wantName(t, token, "before")
		})
	}
}

func TestHandlerFuncRecordsTheClient(t *testing.T) {
	s := newSite(t, setup{http: httpsession.Config{RecordAddress: true}})
	r := s.request(t, "GET", "http://localhost/", "")
	r.RemoteAddr = "192.0.2.7:1"
	w := httptest.NewRecorder()
	s.sessions.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, session session) {
		renameTo(t, r, session, "ada")
	}).ServeHTTP(w, r)
	token := replyOf(t, w.Result()).wantToken(t)
	info, err := s.manager.Describe(t.Context(), token.ID())
	if err != nil || info.Client.Address != "192.0.2.7" {
		t.Errorf("recorded was %q, %v", info.Client.Address, err)
	}
}

// Responses share what they say alike; what one of them adds is its own.
func TestResponsesShareNoHeaders(t *testing.T) {
	s := newSite(t, setup{})
	token := s.generate(t, profile{Name: "ada"})
	names := []string{"Vary", "Cache-Control"}
	headersOf := func(added string) http.Header {
		w := httptest.NewRecorder()
		s.sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, session session) {
			_ = nameOf(t, r, session)
			w.WriteHeader(http.StatusOK)
			for _, name := range names {
				w.Header().Add(name, added)
			}
		}).ServeHTTP(w, s.request(t, "GET", "http://localhost/", token))
		return w.Header()
	}
	first, second := headersOf("first"), headersOf("second")
	for _, name := range names {
		if first[name][1] != "first" || second[name][1] != "second" {
			t.Errorf("%s: %q and %q", name, first[name], second[name])
		}
	}
}

// Two middlewares for one request, both by HandlerFunc.
func TestTwoHandlerFuncs(t *testing.T) {
	s := newSite(t, setup{})
	manager, err := coatcheck.New(coatcheck.Config[profile]{Store: s.store, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	others, err := httpsession.New(manager, httpsession.Config{CookieName: "__Host-other", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for _, protocol := range []int{1, 2} { // which have writers of different types
		r := s.request(t, "GET", "http://localhost/", "")
		r.ProtoMajor = protocol
		w := httptest.NewRecorder()
		s.sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, outer session) {
			others.HandlerFunc(func(w http.ResponseWriter, r *http.Request, inner session) {
				if inner == outer {
					t.Error("two middlewares, of one type, have one session")
				}
				renameTo(t, r, inner, "inner")
				renameTo(t, r, outer, "outer")
				_, _ = io.WriteString(w, "hello")
			}).ServeHTTP(w, r)
		}).ServeHTTP(w, r)
		names := map[string]string{}
		for _, c := range replyOf(t, w.Result()).set {
			p, err := s.manager.Get(t.Context(), coatcheck.Token(c.Value))
			wantErr(t, "Get", err, nil)
			names[c.Name] = p.Name
		}
		if len(names) != 2 || names["__Host-session"] != "outer" || names["__Host-other"] != "inner" {
			t.Errorf("HTTP/%d: stored was %v", protocol, names)
		}
	}
}
