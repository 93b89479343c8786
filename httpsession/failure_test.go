package httpsession_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/httpsession"
)

// A request that failed changes nothing, unless the handler has saved itself.
func TestServerErrorSavesNothing(t *testing.T) {
	for _, status := range []int{500, 502, 503, 599} {
		for name, write := range map[string]func(w http.ResponseWriter){
			"with a body": func(w http.ResponseWriter) { http.Error(w, "sorry", status) },
			"and no body": func(w http.ResponseWriter) { w.WriteHeader(status) },
			"and flushed": func(w http.ResponseWriter) { w.WriteHeader(status); w.(http.Flusher).Flush() },
		} {
			t.Run(fmt.Sprint(status, " ", name), func(t *testing.T) {
				s := newSite(t, setup{})
				token := s.generate(t, profile{Name: "before"})
				web := s.serve(t, http1, func(w http.ResponseWriter, r *http.Request) {
					s.rename(t, r, "after")
					s.session(r).Renew()
					write(w)
					s.rename(t, r, "late")
				})
				reply := s.get(t, web, "/", token)
				reply.wantStatus(t, status, "")
				reply.wantNoCookie(t)
				reply.wantHeader(t, "Cache-Control", "no-store")
				s.wantName(t, token, "before")
				reply = s.get(t, web, "/", "")
				reply.wantNoCookie(t)
				s.wantRecords(t, 1)
			})
		}
	}
}

// All below 500 is no failure.
func TestClientErrorSaves(t *testing.T) {
	s := newSite(t, setup{})
	token := s.generate(t, profile{})
	for _, status := range []int{200, 302, 400, 404, 422, 499} {
		name := fmt.Sprint(status)
		web := s.serve(t, http1, func(w http.ResponseWriter, r *http.Request) {
			s.rename(t, r, name)
			w.WriteHeader(status)
		})
		s.get(t, web, "/", token).wantStatus(t, status, "")
		s.wantName(t, token, name)
	}
}

func TestFlushByTheHandlerHoldsInAServerError(t *testing.T) {
	for name, token := range map[string]bool{"begun": false, "renewed": true} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, setup{})
			shown := coatcheck.Token("")
			if token {
				shown = s.generate(t, profile{Name: "before"})
			}
			web := s.serve(t, http1, func(w http.ResponseWriter, r *http.Request) {
				s.rename(t, r, "after")
				s.session(r).Renew()
				wantErr(t, "Flush", s.session(r).Flush(r.Context()), nil)
				s.rename(t, r, "not saved")
				http.Error(w, "sorry", http.StatusInternalServerError)
			})
			reply := s.get(t, web, "/", shown)
			reply.wantStatus(t, 500, "sorry\n")
			s.wantName(t, reply.wantToken(t), "after")
		})
	}
}

func TestDestroyHoldsInAServerError(t *testing.T) {
	s := newSite(t, setup{})
	token := s.generate(t, profile{})
	web := s.serve(t, http1, func(w http.ResponseWriter, r *http.Request) {
		wantErr(t, "Destroy", s.session(r).Destroy(r.Context()), nil)
		http.Error(w, "sorry", http.StatusInternalServerError)
	})
	reply := s.get(t, web, "/", token)
	reply.wantStatus(t, 500, "sorry\n")
	s.wantGone(t, token)
	if c := reply.wantCookie(t); c.MaxAge >= 0 || c.Value != "" {
		t.Errorf("the cookie is not cleared: Max-Age %d", c.MaxAge)
	}
}

// bodyHeaders are what a handler says of its body, and of nothing else.
var bodyHeaders = map[string]string{
	"Accept-Ranges": "bytes", "Cache-Control": "public, max-age=60", "Content-Disposition": "attachment",
	"Content-Encoding": "gzip", "Content-Language": "eo", "Content-Length": "5", "Content-Location": "/it",
	"Content-Range": "bytes 0-4/5", "Content-Type": "text/x-canary", "Digest": "x", "Content-Digest": "x", "Repr-Digest": "x",
	"Etag": `"canary"`, "Expires": "Thu, 01 Dec 2044 16:00:00 GMT", "Last-Modified": "Mon, 02 Jan 2006 15:04:05 GMT",
	"Location": "/canary", "Refresh": "5", "Trailer": "X-Canary",
}

// problem is what RFC 9457 has a body say.
type problem struct {
	Type, Title, Detail string
	Status              int
}

func (r reply) wantProblem(t testing.TB, status int, kind string) {
	t.Helper()
	var p problem
	if err := json.Unmarshal([]byte(r.body), &p); err != nil {
		t.Fatalf("the body %q is no JSON: %v", r.body, err)
	}
	if want := "urn:coatcheck:problem:" + kind; r.status != status || p.Status != status || p.Type != want || p.Title != http.StatusText(status) || p.Detail == "" {
		t.Errorf("answered %d %s, want %d %s", r.status, r.body, status, want)
	}
	r.wantHeader(t, "Content-Type", "application/problem+json")
	r.wantHeader(t, "Cache-Control", "no-store")
	r.wantHeader(t, "X-Content-Type-Options", "nosniff")
	if tokenForm.MatchString(r.body) {
		t.Error("the body holds a token")
	}
}

// A client never hears of what is not stored: not a byte of the answer, nor a
// header that belongs to it.
func TestSaveFailureReplacesTheResponse(t *testing.T) {
	down := fmt.Errorf("%w: connection refused", coatcheck.ErrUnavailable)
	writes := map[string]func(t *testing.T, w http.ResponseWriter){
		"Write": func(t *testing.T, w http.ResponseWriter) {
			n, err := w.Write([]byte("hello"))
			wantErr(t, "Write", err, coatcheck.ErrUnavailable)
			if n != 0 {
				t.Errorf("Write wrote %d bytes", n)
			}
		},
		"WriteString": func(t *testing.T, w http.ResponseWriter) {
			_, err := io.WriteString(w, "hello")
			wantErr(t, "WriteString", err, coatcheck.ErrUnavailable)
		},
		"ReadFrom": func(t *testing.T, w http.ResponseWriter) {
			_, err := io.Copy(w, io.MultiReader(strings.NewReader("hello")))
			wantErr(t, "Copy", err, coatcheck.ErrUnavailable)
		},
		"WriteHeader": func(_ *testing.T, w http.ResponseWriter) { w.WriteHeader(http.StatusCreated) },
		"Flusher":     func(_ *testing.T, w http.ResponseWriter) { w.(http.Flusher).Flush() },
		"controller": func(t *testing.T, w http.ResponseWriter) {
			wantErr(t, "Flush", http.NewResponseController(w).Flush(), coatcheck.ErrUnavailable)
		},
		"nothing": func(*testing.T, http.ResponseWriter) {},
	}
	overBoth(t, func(t *testing.T, protocol string) {
		for name, write := range writes {
			t.Run(name, func(t *testing.T) {
				s := newSite(t, setup{})
				s.store.fail(down)
				web := s.serve(t, protocol, func(w http.ResponseWriter, r *http.Request) {
					for name, value := range bodyHeaders {
						w.Header().Set(name, value)
					}
					w.Header().Set(http.TrailerPrefix+"X-Canary", "canary")
					w.Header().Set("X-Frame-Options", "DENY")
					s.rename(t, r, "ada")
					write(t, w)
					if name == "nothing" {
						return
					}
					w.WriteHeader(http.StatusEarlyHints)
					w.WriteHeader(http.StatusOK)
					_, err := w.Write([]byte("canary"))
					wantErr(t, "second Write", err, coatcheck.ErrUnavailable)
					_, err = io.WriteString(w, "canary")
					wantErr(t, "second WriteString", err, coatcheck.ErrUnavailable)
					_, err = io.Copy(w, io.MultiReader(strings.NewReader("canary")))
					wantErr(t, "second Copy", err, coatcheck.ErrUnavailable)
					wantErr(t, "second Flush", http.NewResponseController(w).Flush(), coatcheck.ErrUnavailable)
					s.store.hook(nil) // which comes too late
				})
				response, err := web.client.Do(s.request(t, "GET", web.URL, ""))
				if err != nil {
					t.Fatal(err)
				}
				reply := replyOf(t, response)
				reply.wantProblem(t, 503, "store")
				reply.wantNoCookie(t)
				reply.wantHeader(t, "Retry-After", "1")
				reply.wantHeader(t, "Vary", "Cookie")
				reply.wantHeader(t, "X-Frame-Options", "DENY") // for all bodies alike
				for name, value := range bodyHeaders {
					if got := reply.header.Get(name); got == value {
						t.Errorf("%s is still %q", name, got)
					}
				}
				if len(response.Trailer) != 0 {
					t.Errorf("there is the trailer %v", response.Trailer)
				}
				s.store.hook(nil)
				s.wantRecords(t, 0)
				if complaints := web.log.String(); complaints != "" {
					t.Errorf("the server complains: %s", complaints)
				}
			})
		}
	})
}

// TestErrorStatus also checks what the default ErrorHandler makes of an error.
func TestErrorStatus(t *testing.T) {
	const canary = "CANARY-5f2c"
	for name, test := range map[string]struct {
		err    error
		status int
		kind   string
		logged bool
	}{
		"ended":        {coatcheck.ErrNotFound, 401, "session", false},
		"too many":     {coatcheck.ErrTooManySessions, 403, "too-many-sessions", false},
		"overtaken":    {coatcheck.ErrConflict, 409, "overtaken", false},
		"revision":     {&coatcheck.ConflictError{Rev: 7}, 409, "overtaken", false},
		"too large":    {coatcheck.ErrTooLarge, 413, "value-too-large", false},
		"outage":       {coatcheck.ErrUnavailable, 503, "store", true},
		"slow store":   {fmt.Errorf("%w: %w", coatcheck.ErrUnavailable, context.Canceled), 503, "store", true},
		"closed":       {coatcheck.ErrClosed, 503, "store", true},
		"too late":     {context.DeadlineExceeded, 503, "store", true},
		"given up":     {context.Canceled, 503, "given-up", false},
		"decode":       {coatcheck.ErrDecode, 500, "internal", true},
		"invalid":      {coatcheck.ErrInvalid, 500, "internal", true},
		"exists":       {coatcheck.ErrExists, 500, "internal", true},
		"token fixed":  {coatcheck.ErrTokenFixed, 500, "internal", true},
		"snapshot":     {coatcheck.ErrSnapshotChanged, 500, "internal", true},
		"any other":    {errors.New("any other"), 500, "internal", true},
		"none":         {nil, 500, "internal", true},
		"unknown kind": {http.ErrHandlerTimeout, 500, "internal", true},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.err
			if err != nil {
				err = fmt.Errorf("%s: %w", canary, err)
			}
			if got := httpsession.ErrorStatus(err); got != test.status {
				t.Errorf("ErrorStatus is %d, want %d", got, test.status)
			}
			s := newSite(t, setup{})
			web := s.serve(t, http1, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", "5")
				s.sessions.Error(w, r, err)
			})
			reply := s.get(t, web, "/", "")
			reply.wantProblem(t, test.status, test.kind)
			if strings.Contains(reply.body, canary) {
				t.Errorf("the body says too much: %s", reply.body)
			}
			var retry, challenge []string
			switch test.status {
			case 503:
				retry = []string{"1"}
			case 401:
				challenge = []string{`Cookie cookie-name="__Host-session"`}
			}
			reply.wantHeader(t, "Retry-After", retry...)
			reply.wantHeader(t, "WWW-Authenticate", challenge...)
			if logged := s.log.String() != ""; logged != test.logged {
				t.Errorf("logged: %q", s.log.String())
			}
			if err != nil && test.logged && !strings.Contains(s.log.String(), canary) {
				t.Errorf("the log does not say why: %s", s.log.String())
			}
		})
	}
}

func TestChallengeOfBearer(t *testing.T) {
	for _, transport := range []httpsession.Transport{httpsession.Bearer, httpsession.Bearer | httpsession.Cookie} {
		s := newSite(t, setup{http: httpsession.Config{Transport: transport}})
		reply := s.call(t, func(w http.ResponseWriter, r *http.Request) {
			s.sessions.Error(w, r, coatcheck.ErrNotFound)
		}, "")
		reply.wantHeader(t, "WWW-Authenticate", `Bearer error="invalid_token"`)
	}
}

// It is the program's to say what an error looks like.
func TestErrorHandler(t *testing.T) {
	var s *site
	calls := 0
	s = newSite(t, setup{http: httpsession.Config{ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
		calls++
		wantErr(t, "ErrorHandler", err, coatcheck.ErrTooLarge)
		if s.session(r) == nil || w.Header().Get("Content-Length") != "" {
			t.Errorf("ErrorHandler got %v, %v", r.Context(), w.Header())
		}
		http.Error(w, "my own", http.StatusTeapot)
	}}})
	token := s.generate(t, profile{})
	for name, handler := range map[string]http.HandlerFunc{
		"failure to save": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "5")
			s.rename(t, r, strings.Repeat("x", coatcheck.DefaultMaxValueBytes))
			_, err := io.WriteString(w, "hello")
			wantErr(t, "Write", err, coatcheck.ErrTooLarge)
		},
		"Error": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "5")
			s.sessions.Error(w, r, fmt.Errorf("in vain: %w", coatcheck.ErrTooLarge))
		},
	} {
		calls = 0
		s.call(t, handler, token).wantStatus(t, http.StatusTeapot, "my own\n")
		if calls != 1 {
			t.Errorf("%s: ErrorHandler was called %d times", name, calls)
		}
	}
	if log := s.log.String(); log != "" {
		t.Errorf("logged: %s", log)
	}
}

// A store that does not answer holds up a response for SaveTimeout, no longer.
func TestSaveTimeout(t *testing.T) {
	for _, timeout := range []time.Duration{0, 2 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, setup{http: httpsession.Config{SaveTimeout: timeout}})
			s.store.hook(func(ctx context.Context, _ string) error {
				<-ctx.Done()
				return ctx.Err()
			})
			start := time.Now()
			reply := s.call(t, func(w http.ResponseWriter, r *http.Request) { s.rename(t, r, "ada") }, "")
			reply.wantProblem(t, 503, "store")
			reply.wantHeader(t, "Retry-After", "1")
			want := max(timeout, httpsession.DefaultSaveTimeout*time.Duration(btoi(timeout == 0)))
			if took := time.Since(start); took != want {
				t.Errorf("it took %v, want %v", took, want)
			}
			if log := s.log.String(); !strings.Contains(log, "SaveTimeout") {
				t.Errorf("the log does not say what was too long: %s", log)
			}
		})
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// An outage is logged once a second, not once a request.
func TestOutageIsLoggedOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, setup{})
		s.store.fail(coatcheck.ErrUnavailable)
		lines := func() int { return strings.Count(s.log.String(), "\n") }
		for range 300 { // in 3 s
			s.call(t, func(_ http.ResponseWriter, r *http.Request) { s.rename(t, r, "ada") }, "").wantProblem(t, 503, "store")
			time.Sleep(10 * time.Millisecond)
		}
		if n := lines(); n != 3 {
			t.Errorf("%d lines in three seconds:\n%s", n, s.log.String())
		}
	})
}
