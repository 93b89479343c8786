package httpsession_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/httpsession"
)

func TestFromOutsideOfHandlerPanics(t *testing.T) {
	s, other := newSite(t, setup{}), newSite(t, setup{})
	wantPanic := func(ctx context.Context) {
		t.Helper()
		defer func() {
			if text := fmt.Sprint(recover()); !strings.Contains(text, "did not pass through Handler") {
				t.Errorf("From panics with %q", text)
			}
		}()
		s.sessions.From(ctx)
	}
	wantPanic(t.Context())
	other.call(t, func(_ http.ResponseWriter, r *http.Request) { wantPanic(r.Context()) }, "")
}

// There are adapters that write the request that a handler was given back to the one that
// they had handed on: its context is not its own parent for that.
func TestRequestIsWrittenBack(t *testing.T) {
	s := newSite(t, setup{})
	token := s.generate(t, profile{Name: "ada"})
	r := s.request(t, "GET", "http://localhost/", token)
	ctx, cancel := context.WithCancel(context.WithValue(r.Context(), t, "a value"))
	r = r.WithContext(ctx)
	w := httptest.NewRecorder()
	s.sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, within *http.Request) {
		*r = *within
		_, limited := r.Context().Deadline()
		if r.Context().Err() != nil || limited || r.Context().Value(t) != "a value" || s.name(t, r) != "ada" {
			t.Errorf("the context is %v, %v", r.Context(), r.Context().Err())
		}
		cancel()
		<-r.Context().Done()
		s.rename(t, r, "bob")
		_, _ = io.WriteString(w, "hello")
	})).ServeHTTP(w, r)
	reply := replyOf(t, w.Result())
	reply.wantStatus(t, 200, "hello")
	s.wantName(t, token, "bob")
}

// Within another Handler of the same middleware there is one session still, and
// it is saved once.
func TestNestedHandler(t *testing.T) {
	s := newSite(t, setup{})
	var outer, inner *coatcheck.Session[profile]
	reply := s.call(t, func(w http.ResponseWriter, r *http.Request) {
		outer = s.session(r)
		s.rename(t, r, "ada")
		s.sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			inner = s.session(r)
			if got := s.name(t, r); got != "ada" {
				t.Errorf("the session has the name %q", got)
			}
		})).ServeHTTP(w, r)
		if n := s.store.count(); n != 0 {
			t.Errorf("the inner handler saved")
		}
		s.rename(t, r, "bob")
		_, _ = io.WriteString(w, "hello")
	}, "")
	if outer != inner {
		t.Error("there are two sessions")
	}
	s.wantName(t, reply.wantToken(t), "bob")
	if n := s.store.count("Create"); n != 1 {
		t.Errorf("%d sessions were stored", n)
	}
}

// Sessions of several kinds go side by side.
func TestTwoMiddlewares(t *testing.T) {
	s := newSite(t, setup{})
	manager, err := coatcheck.New(coatcheck.Config[coatcheck.Attributes]{Store: s.store, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	bags, err := httpsession.New(manager, httpsession.Config{CookieName: "__Host-bag", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.rename(t, r, "ada")
		wantErr(t, "SetAttr", coatcheck.SetAttr(r.Context(), bags.From(r.Context()), "colour", "red"), nil)
		_, _ = io.WriteString(w, "hello")
	})
	for name, nested := range map[string]http.Handler{
		"one way":   s.handler(bags.Handler(handler)),
		"the other": bags.Handler(s.handler(handler)),
	} {
		t.Run(name, func(t *testing.T) {
			web := serve(t, http1, nested)
			reply := s.get(t, web, "/", "")
			reply.wantStatus(t, 200, "hello")
			reply.wantHeader(t, "Vary", "Cookie")
			cookies := map[string]coatcheck.Token{}
			for _, c := range reply.set {
				cookies[c.Name] = coatcheck.Token(c.Value)
			}
			if len(cookies) != 2 || len(reply.set) != 2 {
				t.Fatalf("%d cookies were set, want two", len(reply.set))
			}
			s.wantName(t, cookies["__Host-session"], "ada")
			attributes, err := manager.Get(t.Context(), cookies["__Host-bag"])
			if err != nil || string(attributes["colour"]) != `"red"` {
				t.Errorf("the bag holds %s, %v", attributes["colour"], err)
			}

			s.store.fail(coatcheck.ErrUnavailable)
			defer s.store.hook(nil)
			reply = s.get(t, web, "/", "")
			reply.wantProblem(t, 503, "store")
			reply.wantNoCookie(t)
		})
	}
}

type keyOfTest struct{}

// Contexts get printed, and so may what hangs on them.
func TestPrintedContextShowsNoToken(t *testing.T) {
	s := newSite(t, setup{})
	token := s.generate(t, profile{Name: "ada"})
	show := s.sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = s.name(t, r)
		s.session(r).Renew()
		wantErr(t, "Flush", s.session(r).Flush(r.Context()), nil)
		secrets := []string{string(token[22:]), string(s.session(r).Token()[22:]), "CANARY"}
		wantDiscreet := func(what, text string) {
			t.Helper()
			for _, secret := range secrets {
				if strings.Contains(text, secret) {
					t.Errorf("%s: shows a secret", what)
				}
			}
		}
		ctx := r.Context()
		withValue := context.WithValue(ctx, keyOfTest{}, 1)
		withCancel, cancel := context.WithCancel(ctx)
		defer cancel()
		withTimeout, cancel := context.WithTimeout(withValue, time.Hour)
		defer cancel()
		things := map[string]any{
			"context": ctx, "with a value": withValue, "with cancel": withCancel, "with a timeout": withTimeout,
			"without cancel": context.WithoutCancel(ctx), "in a struct": struct{ C context.Context }{ctx},
			"session": s.session(r), "writer": w, "middleware": s.sessions,
			"a writer around it": struct{ w http.ResponseWriter }{w}, "a pointer to one": &struct{ w http.ResponseWriter }{w},
			"a context around it": struct{ c context.Context }{ctx}, "a pointer to that": &struct{ c context.Context }{ctx},
		}
		for what, thing := range things {
			const verbs = "%v %+v %#v %s %q %x %X %d %o %T %10v %-10s %t %c %e %U"
			for verb := range strings.FieldsSeq(verbs) {
				wantDiscreet(what+" "+verb, fmt.Sprintf(verb, thing))
			}
			var log strings.Builder
			slog.New(slog.NewTextHandler(&log, nil)).Info("test", "thing", thing)
			wantDiscreet(what+" in a log", log.String())
		}
		if text, err := json.Marshal(map[string]any{"session": s.session(r)}); err == nil {
			wantDiscreet("JSON", string(text))
		}
		for _, text := range []string{fmt.Sprint(ctx), fmt.Sprint(withValue), fmt.Sprint(withCancel)} {
			if !strings.Contains(text, ".WithSession") {
				t.Errorf("the context calls itself %q", text)
			}
		}
	}))
	show.ServeHTTP(nowhere{}, s.request(t, "GET", "http://localhost/", token))

	token = s.generate(t, profile{Name: "ada"})
	within := s.sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, _ session) { show.ServeHTTP(w, r) })
	within.ServeHTTP(nowhere{}, s.request(t, "GET", "http://localhost/", token))
}

// The context is the request's in all else.
func TestContextOfTheRequest(t *testing.T) {
	s := newSite(t, setup{})
	r := s.request(t, "GET", "http://localhost/", "")
	cause := io.ErrUnexpectedEOF
	ctx, cancel := context.WithCancelCause(context.WithValue(r.Context(), keyOfTest{}, "value"))
	s.sessions.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if got := r.Context().Value(keyOfTest{}); got != "value" {
			t.Errorf("Value is %v", got)
		}
		wantErr(t, "Err", r.Context().Err(), nil)
		cancel(cause)
		<-r.Context().Done()
		wantErr(t, "Cause", context.Cause(r.Context()), cause)
	})).ServeHTTP(nowhere{}, r.WithContext(ctx))
}

// A new version of the program whose type does not fit what is stored.
func TestValueThatNoLongerFits(t *testing.T) {
	type changed struct{ Name []int }
	for name, strict := range map[string]bool{"by default": false, "StrictDecode": true} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, setup{})
			old := s.generate(t, profile{Name: "ada"})
			manager, err := coatcheck.New(coatcheck.Config[changed]{Store: s.store, StrictDecode: strict, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			defer manager.Close()
			sessions, err := httpsession.New(manager, httpsession.Config{Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			web := serve(t, http1, sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				session := sessions.From(r.Context())
				value, err := session.Get(r.Context())
				if strict {
					wantErr(t, "Get", err, coatcheck.ErrDecode)
					sessions.Error(w, r, err)
					return
				}
				if err != nil || value.Name != nil {
					t.Errorf("Get: %v, %v", value, err)
				}
				if r.URL.Path == "/write" {
					wantErr(t, "Change", session.Change(r.Context(), func(c *changed) error {
						c.Name = []int{1}
						return nil
					}), nil)
				}
				_, _ = io.WriteString(w, "hello")
			})))
			reply := s.get(t, web, "/", old)
			reply.wantNoCookie(t)
			if strict {
				reply.wantProblem(t, 500, "internal")
			} else {
				reply.wantStatus(t, 200, "hello")
				reply = s.get(t, web, "/write", old)
				reply.wantStatus(t, 200, "hello")
				token := reply.wantToken(t)
				if token.ID() == old.ID() {
					t.Error("the old session was written to")
				}
				value, err := manager.Get(t.Context(), token)
				if err != nil || len(value.Name) != 1 {
					t.Errorf("the new session is %v, %v", value, err)
				}
			}
			s.wantName(t, old, "ada") // for the old version
		})
	}
}
