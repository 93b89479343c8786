package httpsession_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
)

// A request that does not ask for its session costs nothing, whatever it shows.
func TestUntouchedSessionCostsNothing(t *testing.T) {
	handlers := map[string]http.HandlerFunc{
		"writes":  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") },
		"silent":  func(http.ResponseWriter, *http.Request) {},
		"fails":   func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "sorry", http.StatusInternalServerError) },
		"streams": func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() },
	}
	overBoth(t, func(t *testing.T, protocol string) {
		for name, handler := range handlers {
			t.Run(name, func(t *testing.T) {
				s := newSite(t, setup{})
				web := s.serve(t, protocol, handler)
				living, dead := s.generate(t, profile{}), s.generate(t, profile{})
				wantErr(t, "Delete", s.manager.Delete(t.Context(), dead), nil)
				s.store.forget()
				for what, token := range map[string]coatcheck.Token{
					"no cookie": "", "cookie": living, "dead cookie": dead, "malformed cookie": "x",
				} {
					reply := s.get(t, web, "/", token)
					if n := s.store.count(); n != 0 {
						t.Errorf("%s: the store was asked %d times", what, n)
					}
					reply.wantNoCookie(t)
					reply.wantHeader(t, "Vary")
					if got := reply.header.Get("Cache-Control"); got != "" {
						t.Errorf("%s: Cache-Control is %q", what, got)
					}
				}
			})
		}
	})
}

// One that only reads what is in memory asks nobody, but to extend the deadline
// once a TouchInterval.
func TestCachedReadAsksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, setup{})
		token := s.generate(t, profile{Name: "ada"})
		read := func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, s.name(t, r)) }
		time.Sleep(coatcheck.DefaultMaxStaleness + 1)
		s.call(t, read, token).wantStatus(t, 200, "ada") // which caches it
		s.store.forget()

		const hour, step = time.Hour, 10 * time.Second
		for range hour / step {
			reply := s.call(t, read, token)
			reply.wantStatus(t, 200, "ada")
			reply.wantNoCookie(t)
			reply.wantHeader(t, "Vary", "Cookie")
			reply.wantHeader(t, "Cache-Control", "no-store")
			time.Sleep(step)
		}
		touches, all := s.store.count("Touch"), s.store.count()
		const want = int(hour / (coatcheck.DefaultIdleTimeout / 10))
		if touches > want || touches < want-1 || all != touches {
			t.Errorf("%d calls in an hour, %d of them touches; want %d touches and no other", all, touches, want)
		}
	})
}

// nowhere is a response writer that does nothing.
type nowhere http.Header

func (w nowhere) Header() http.Header         { return http.Header(w) }
func (w nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (w nowhere) WriteHeader(int)             {}

func TestCachedReadAllocatesOnce(t *testing.T) {
	body := []byte("hello")
	for name, read := range map[string]bool{"a read": true, "no read": false} {
		s := newSite(t, setup{})
		token := s.generate(t, profile{Name: strings.Repeat("x", 1000)})
		r := s.request(t, "GET", "http://localhost/", token)
		use := func(w http.ResponseWriter, r *http.Request, session *coatcheck.Session[profile]) {
			if read {
				if _, err := session.Get(r.Context()); err != nil {
					t.Error(err)
				}
			}
			_, _ = w.Write(body)
		}
		for by, handler := range map[string]http.Handler{
			"HandlerFunc": s.sessions.HandlerFunc(use),
			"Handler": s.sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				use(w, r, s.sessions.From(r.Context()))
			})),
		} {
			t.Run(name+", "+by, func(t *testing.T) {
				w := nowhere{}
				n := testing.AllocsPerRun(1000, func() {
					clear(w)
					handler.ServeHTTP(w, r)
				})
				if n > 1 {
					t.Errorf("%v allocations, want the one of the exchange", n)
				}
			})
		}
	}
}
