package httpsession_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/httpsession"
)

// Silence would be taken for success.
func TestErrorHandlerThatAnswersNothing(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter){
		"nothing": func(http.ResponseWriter) {},
		"status":  func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) },
		"body":    func(w http.ResponseWriter) { _, _ = w.Write([]byte("sorry")) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, setup{http: httpsession.Config{
				ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { answer(w) },
			}})
			s.store.before = func(context.Context, string) error { return coatcheck.ErrUnavailable }
			reply := s.call(t, func(w http.ResponseWriter, r *http.Request) {
				s.rename(t, r, "ada")
				_, _ = w.Write([]byte("hello"))
			}, "")
			want := http.StatusServiceUnavailable
			if name == "body" {
				want = http.StatusOK // its own decision
			}
			if reply.status != want || strings.Contains(reply.body, "hello") {
				t.Errorf("%d %s, want %d", reply.status, reply.body, want)
			}
		})
	}
}

// A Hijack that would lose a token is refused, and the handler's other answer may
// give it out.
func TestOtherAnswerAfterARefusedHijack(t *testing.T) {
	s := newSite(t, setup{})
	reply := s.call(t, func(w http.ResponseWriter, r *http.Request) {
		s.rename(t, r, "ada")
		_, _, err := http.NewResponseController(w).Hijack()
		wantErr(t, "Hijack", err, coatcheck.ErrTokenFixed)
		w.WriteHeader(http.StatusUpgradeRequired)
	}, "")
	if reply.status != http.StatusUpgradeRequired {
		t.Errorf("%d %s", reply.status, reply.body)
	}
	s.wantName(t, reply.wantToken(t), "ada")
}

// An ErrorHandler that asks for itself would never come to an end.
func TestErrorHandlerThatCallsError(t *testing.T) {
	var s *site
	s = newSite(t, setup{http: httpsession.Config{
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) { s.sessions.Error(w, r, err) },
	}})
	s.store.before = func(context.Context, string) error { return coatcheck.ErrUnavailable }
	for name, handler := range map[string]http.HandlerFunc{
		"save fails":  func(_ http.ResponseWriter, r *http.Request) { s.rename(t, r, "ada") },
		"it is asked": func(w http.ResponseWriter, r *http.Request) { s.sessions.Error(w, r, coatcheck.ErrUnavailable) },
	} {
		if reply := s.call(t, handler, ""); reply.status != http.StatusServiceUnavailable || !strings.Contains(reply.body, "problem:store") {
			t.Errorf("%s: %d %s", name, reply.status, reply.body)
		}
	}
}

// What panics on the way to the first byte saves nothing more, and leaves the answer
// to whoever recovers.
func TestPanicBeforeTheFirstByte(t *testing.T) {
	for name, panics := range map[string]func(s *site, r *http.Request, token coatcheck.Token){
		"function that is run again": func(s *site, r *http.Request, token coatcheck.Token) {
			runs := 0
			wantErr(t, "Change", s.session(r).Change(r.Context(), func(p *profile) error {
				if runs++; runs == 2 {
					panic("on a newer value")
				}
				p.Name = "eve"
				return nil
			}), nil)
			wantErr(t, "Change elsewhere", s.manager.Change(r.Context(), token, func(p *profile) error {
				p.Name = "ada"
				return nil
			}), nil)
		},
		"error handler": func(s *site, r *http.Request, _ coatcheck.Token) {
			s.rename(t, r, "eve")
			s.store.before = func(context.Context, string) error { return coatcheck.ErrUnavailable }
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, setup{http: httpsession.Config{
				ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic("in the error handler") },
			}})
			token := s.generate(t, profile{Name: "ada"})
			reply := s.call(t, recovering(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				wantErr(t, "SetSubject", s.session(r).SetSubject("eve"), nil)
				panics(s, r, token)
				_, _ = w.Write([]byte("done"))
			})).ServeHTTP, token)
			s.store.before = nil
			if reply.status != http.StatusInternalServerError || !strings.Contains(reply.body, "sorry") {
				t.Errorf("%d %s", reply.status, reply.body)
			}
			reply.wantNoCookie(t)
			if p, info, err := s.manager.Lookup(t.Context(), token); err != nil || p.Name != "ada" || info.Subject != "" {
				t.Errorf("the session is %+v, %+v, %v", p, info, err)
			}
		})
	}
}

// What Error denies is not done.
func TestErrorSavesNothing(t *testing.T) {
	s := newSite(t, setup{})
	token := s.generate(t, profile{Name: "ada"})
	reply := s.call(t, func(w http.ResponseWriter, r *http.Request) {
		s.rename(t, r, "eve")
		s.sessions.Error(w, r, coatcheck.ErrConflict)
		s.sessions.Error(w, r, coatcheck.ErrUnavailable) // too late
	}, token)
	reply.wantStatus(t, http.StatusConflict, "")
	if strings.Count(reply.body, "problem") != 1 {
		t.Errorf("two answers: %s", reply.body)
	}
	s.wantName(t, token, "ada")
}

// A Flush that failed may have done its work. To do it twice is the handler's
// decision.
func TestFailedFlushIsNotRepeated(t *testing.T) {
	for status, want := range map[int]int{200: 503, 404: 404, 500: 500} {
		s := newSite(t, setup{})
		token := s.generate(t, profile{Visits: 1})
		reply := s.call(t, func(w http.ResponseWriter, r *http.Request) {
			wantErr(t, "Change", s.session(r).Change(r.Context(), func(p *profile) error { p.Visits++; return nil }), nil)
			s.store.before = func(_ context.Context, method string) error {
				if method != "Update" {
					return nil
				}
				s.store.before = nil
				p, err := s.manager.Get(t.Context(), token) // it is done, and the answer is lost
				wantErr(t, "Get", err, nil)
				p.Visits++
				wantErr(t, "Update", s.manager.Update(t.Context(), token, p), nil)
				return coatcheck.ErrUnavailable
			}
			wantErr(t, "Flush", s.session(r).Flush(r.Context()), coatcheck.ErrUnavailable)
			w.WriteHeader(status)
		}, token)
		reply.wantStatus(t, want, "")
		if p, err := s.manager.Get(t.Context(), token); err != nil || p.Visits != 2 {
			t.Errorf("%d: %d visits, %v; want 2", status, p.Visits, err)
		}
	}
}

// An empty Cache-Control says nothing, and other headers must not say otherwise.
func TestTokenIsCachedByNobody(t *testing.T) {
	s := newSite(t, setup{})
	reply := s.call(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "")
		w.Header().Set("CDN-Cache-Control", "max-age=60")
		w.Header().Set("Surrogate-Control", "max-age=60")
		s.rename(t, r, "ada")
	}, "")
	token := reply.wantToken(t)
	for _, name := range []string{"Cdn-Cache-Control", "Surrogate-Control"} {
		if got := reply.header.Get(name); got != "" {
			t.Errorf("%s: %s", name, got)
		}
	}
	reply = s.call(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "")
		_ = s.name(t, r)
	}, token)
	reply.wantHeader(t, "Cache-Control", "no-store")
}

// A status that net/http refuses is not a response.
func TestImpossibleStatusSavesNothing(t *testing.T) {
	for _, status := range []int{0, 99, 1000} {
		s := newSite(t, setup{})
		reply := s.call(t, recovering(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.rename(t, r, "ada")
			w.WriteHeader(status)
		})).ServeHTTP, "")
		reply.wantStatus(t, http.StatusInternalServerError, "")
		reply.wantNoCookie(t)
		s.wantRecords(t, 0)
	}
}

func TestAttachReplacesTheToken(t *testing.T) {
	s := newSite(t, setup{})
	first, second := s.generate(t, profile{Name: "ada"}), s.generate(t, profile{Name: "bob"})
	r := s.request(t, "GET", "http://localhost/", first)
	r.AddCookie(&http.Cookie{Name: "theme", Value: "dark"})
	s.sessions.Attach(r, second)
	w := httptest.NewRecorder()
	s.handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if name := s.name(t, r); name != "bob" {
			t.Errorf("the session of %q", name)
		}
		if c, err := r.Cookie("theme"); err != nil || c.Value != "dark" {
			t.Errorf("another cookie is lost: %v", err)
		}
	})).ServeHTTP(w, r)
}
