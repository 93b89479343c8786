package httpsession_test

import (
	"io"
	"net/http"
	"testing"
	"time"
)

// http.TimeoutHandler within the middleware: an answer in time is one like any
// other, and one that is too late is a failure, which saves nothing.
func TestTimeoutHandlerInside(t *testing.T) {
	overBoth(t, func(t *testing.T, protocol string) {
		s := newSite(t, setup{})
		token := s.generate(t, profile{Name: "before"})
		answered, late := make(chan struct{}), make(chan struct{})
		slow := func(w http.ResponseWriter, r *http.Request) {
			defer close(late)
			s.rename(t, r, "slow")
			<-answered
			s.rename(t, r, "slower")
			_, err := io.WriteString(w, "too late")
			wantErr(t, "Write", err, http.ErrHandlerTimeout)
		}
		web := s.serve(t, protocol, http.TimeoutHandler(http.HandlerFunc(slow), time.Millisecond, "sorry").ServeHTTP)
		reply := s.get(t, web, "/", token)
		reply.wantStatus(t, 503, "sorry")
		reply.wantNoCookie(t)
		close(answered)
		<-late
		s.wantName(t, token, "before")

		fast := func(w http.ResponseWriter, r *http.Request) {
			s.rename(t, r, "after")
			s.session(r).Renew()
			_, _ = io.WriteString(w, "hello")
		}
		web = s.serve(t, protocol, http.TimeoutHandler(http.HandlerFunc(fast), time.Minute, "sorry").ServeHTTP)
		reply = s.get(t, web, "/", token)
		reply.wantStatus(t, 200, "hello")
		s.wantName(t, reply.wantToken(t), "after")
	})
}

// Around it: the client of an answer that is too late has gone, and what the
// handler did is saved as it is then.
func TestTimeoutHandlerOutside(t *testing.T) {
	overBoth(t, func(t *testing.T, protocol string) {
		s := newSite(t, setup{})
		token := s.generate(t, profile{Name: "before"})
		answered, late := make(chan struct{}), make(chan struct{})
		slow := s.handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer close(late)
			s.rename(t, r, "after")
			<-answered
			_, err := io.WriteString(w, "too late")
			wantErr(t, "Write", err, http.ErrHandlerTimeout)
		}))
		web := serve(t, protocol, http.TimeoutHandler(slow, time.Millisecond, "sorry"))
		reply := s.get(t, web, "/", token)
		reply.wantStatus(t, 503, "sorry")
		reply.wantNoCookie(t)
		close(answered)
		<-late
		s.wantName(t, token, "after")

		fast := s.handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.session(r).Renew()
			_, _ = io.WriteString(w, "hello")
		}))
		reply = s.get(t, serve(t, protocol, http.TimeoutHandler(fast, time.Minute, "sorry")), "/", token)
		reply.wantStatus(t, 200, "hello")
		s.wantName(t, reply.wantToken(t), "after")
	})
}

// recovering answers 500 for a handler that panics.
func recovering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if recover() != nil {
				http.Error(w, "sorry", http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// A handler that panics saves nothing, but for what was saved before.
func TestPanicSavesNothing(t *testing.T) {
	bare := func(next http.Handler) http.Handler { return next }
	middlewares := map[string]struct {
		inner, outer func(http.Handler) http.Handler
		answered     bool // else the connection, or the stream, is cut
	}{
		"nobody recovers":  {bare, bare, false},
		"recovery inside":  {recovering, bare, true},
		"recovery outside": {bare, recovering, true},
	}
	panics := map[string]any{"panic": "at the disco", "ErrAbortHandler": http.ErrAbortHandler}
	overBoth(t, func(t *testing.T, protocol string) {
		for name, around := range middlewares {
			for what, value := range panics {
				t.Run(name+", "+what, func(t *testing.T) {
					s := newSite(t, setup{})
					token := s.generate(t, profile{Name: "before"})
					web := serve(t, protocol, around.outer(s.handler(around.inner(http.HandlerFunc(
						func(w http.ResponseWriter, r *http.Request) {
							s.rename(t, r, "after")
							if r.URL.Path == "/late" {
								w.(http.Flusher).Flush()
								s.rename(t, r, "late")
							} else {
								s.session(r).Renew()
							}
							panic(value)
						})))))
					response, err := web.client.Do(s.request(t, "GET", web.URL, token))
					if (err == nil) != around.answered {
						t.Errorf("answered is %v", err == nil)
					}
					if err == nil {
						reply := replyOf(t, response)
						reply.wantStatus(t, 500, "sorry\n")
						reply.wantNoCookie(t)
					}
					s.wantName(t, token, "before")

					response, err = web.client.Do(s.request(t, "GET", web.URL+"/late", token))
					if err == nil {
						if _, err := io.ReadAll(response.Body); err == nil && name == "nobody recovers" {
							t.Error("the body came to a good end")
						}
						_ = response.Body.Close()
						if len(response.Cookies()) != 0 {
							t.Error("a cookie was set")
						}
					}
					if name == "recovery inside" { // for the middleware nothing has happened
						s.wantName(t, token, "late")
					} else {
						s.wantName(t, token, "after")
					}
				})
			}
		}
	})
}

// What was ended is ended, and where somebody answers through the middleware, the
// client hears of it.
func TestPanicAfterDestroy(t *testing.T) {
	for name, inside := range map[string]bool{"recovery inside": true, "recovery outside": false} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, setup{})
			token := s.generate(t, profile{})
			var handler http.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				wantErr(t, "Destroy", s.session(r).Destroy(r.Context()), nil)
				panic("at the disco")
			})
			if inside {
				handler = s.handler(recovering(handler))
			} else {
				handler = recovering(s.handler(handler))
			}
			reply := s.get(t, serve(t, http1, handler), "/", token)
			reply.wantStatus(t, 500, "sorry\n")
			s.wantGone(t, token)
			if !inside {
				reply.wantNoCookie(t)
				return
			}
			if c := reply.wantCookie(t); c.MaxAge >= 0 || c.Value != "" {
				t.Errorf("the cookie is set to %v, Max-Age %d", c.Value != "", c.MaxAge)
			}
		})
	}
}
