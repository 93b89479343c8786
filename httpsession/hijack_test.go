package httpsession_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
)

// upgrade is a request to take over the connection, by a client that only
// knows bytes.
func (s *site) upgrade(t testing.TB, web *web, token coatcheck.Token) (*http.Response, *bufio.Reader, net.Conn) {
	t.Helper()
	conn, err := net.Dial("tcp", web.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	wantErr(t, "SetDeadline", conn.SetDeadline(time.Now().Add(time.Minute)), nil)
	r := s.request(t, "GET", web.URL, token)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "echo")
	if err := r.Write(conn); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	response, err := http.ReadResponse(in, r)
	if err != nil {
		t.Fatal(err)
	}
	return response, in, conn
}

// wantEcho checks that what is sent comes back, on a connection taken over.
func wantEcho(t testing.TB, in *bufio.Reader, conn net.Conn) {
	t.Helper()
	if _, err := io.WriteString(conn, "ping\n"); err != nil {
		t.Fatal(err)
	}
	line, err := in.ReadString('\n')
	if line != "ping\n" || err != nil {
		t.Errorf("came back: %q, %v", line, err)
	}
}

const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"

// echo sends the text and then the first line that comes in.
func echo(t testing.TB, conn net.Conn, rw *bufio.ReadWriter, first string) {
	t.Helper()
	defer conn.Close()
	_, _ = rw.WriteString(first)
	wantErr(t, "send", rw.Flush(), nil)
	if line, err := rw.ReadString('\n'); err == nil { // else the client has gone
		_, _ = rw.WriteString(line)
		wantErr(t, "send", rw.Flush(), nil)
	}
}

// hijacks are the ways to take over the connection.
var hijacks = map[string]func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error){
	"Hijacker": func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) {
		h, ok := w.(http.Hijacker)
		if !ok {
			return nil, nil, http.ErrNotSupported
		}
		return h.Hijack()
	},
	"controller": func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) {
		return http.NewResponseController(w).Hijack()
	},
}

func TestHijackSavesFirst(t *testing.T) {
	for name, hijack := range hijacks {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, setup{})
			token := s.generate(t, profile{})
			done := make(chan struct{})
			web := s.serve(t, http1, func(w http.ResponseWriter, r *http.Request) {
				defer close(done)
				s.rename(t, r, "ada")
				conn, rw, err := hijack(w)
				if err != nil {
					t.Errorf("Hijack: %v", err)
					return
				}
				s.wantName(t, token, "ada")
				s.rename(t, r, "late")
				echo(t, conn, rw, switching)
			})
			response, in, conn := s.upgrade(t, web, token)
			if response.StatusCode != http.StatusSwitchingProtocols {
				t.Errorf("answered %s", response.Status)
			}
			wantEcho(t, in, conn)
			<-done
			web.Close() // which does not wait for connections that were taken over
			s.waitForName(t, token, "late")
		})
	}
}

// waitFor waits for what a handler does after the client has got all.
func waitFor(t testing.TB, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not come to pass within a minute")
		}
	}
}

// A client cannot be told a new token on a connection that was taken over.
func TestHijackRefusesToLoseAToken(t *testing.T) {
	cases := map[string]func(t *testing.T, s *site, r *http.Request){
		"begun": func(t *testing.T, s *site, r *http.Request) { s.rename(t, r, "ada") },
		"renewed": func(_ *testing.T, s *site, r *http.Request) {
			s.session(r).Renew()
		},
		"flushed before": func(t *testing.T, s *site, r *http.Request) {
			s.session(r).Renew()
			wantErr(t, "Flush", s.session(r).Flush(r.Context()), nil)
		},
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, setup{})
			token := coatcheck.Token("")
			if name != "begun" {
				token = s.generate(t, profile{Name: "ada"})
			}
			web := s.serve(t, http1, func(w http.ResponseWriter, r *http.Request) {
				change(t, s, r)
				conn, rw, err := w.(http.Hijacker).Hijack()
				wantErr(t, "Hijack", err, coatcheck.ErrTokenFixed)
				if conn != nil || rw != nil {
					t.Error("Hijack returned a connection")
				}
				http.Error(w, "sorry", http.StatusInternalServerError)
			})
			response, _, _ := s.upgrade(t, web, token)
			reply := replyOf(t, response)
			reply.wantStatus(t, 500, "sorry\n")
			switch name {
			case "begun":
				reply.wantNoCookie(t)
				s.wantRecords(t, 0)
			case "renewed":
				reply.wantNoCookie(t)
				s.wantName(t, token, "ada")
			default: // the store has the new token, and so must the client
				s.wantName(t, reply.wantToken(t), "ada")
			}
		})
	}
}

// Once the connection is taken over, nobody can be told a token.
func TestNoTokenAfterHijack(t *testing.T) {
	for name, asks := range map[string]bool{"asks": true, "does not ask": false} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, setup{})
			web := s.serve(t, http1, func(w http.ResponseWriter, r *http.Request) {
				conn, rw, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Errorf("Hijack: %v", err)
					return
				}
				s.rename(t, r, "late")
				if asks {
					wantErr(t, "Flush", s.session(r).Flush(r.Context()), coatcheck.ErrTokenFixed)
				}
				echo(t, conn, rw, switching)
			})
			_, in, conn := s.upgrade(t, web, "")
			wantEcho(t, in, conn)
			waitFor(t, func() bool { return strings.Contains(s.log.String(), coatcheck.ErrTokenFixed.Error()) })
			s.wantRecords(t, 0)
		})
	}
}

// A session that was ended can be left behind on the way: there is no token to
// be lost.
func TestHijackAfterDestroy(t *testing.T) {
	s := newSite(t, setup{})
	token := s.generate(t, profile{})
	web := s.serve(t, http1, func(w http.ResponseWriter, r *http.Request) {
		wantErr(t, "Destroy", s.session(r).Destroy(r.Context()), nil)
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Errorf("Hijack: %v", err)
			return
		}
		echo(t, conn, rw, switching)
	})
	_, in, conn := s.upgrade(t, web, token)
	wantEcho(t, in, conn)
	s.wantGone(t, token)
}

func TestHijackFailsIfTheSessionCannotBeSaved(t *testing.T) {
	s := newSite(t, setup{})
	token := s.generate(t, profile{Name: "before"})
	web := s.serve(t, http1, func(w http.ResponseWriter, r *http.Request) {
		s.rename(t, r, "after")
		s.store.fail(coatcheck.ErrUnavailable)
		_, _, err := w.(http.Hijacker).Hijack()
		wantErr(t, "Hijack", err, coatcheck.ErrUnavailable)
		s.sessions.Error(w, r, err)
	})
	response, _, _ := s.upgrade(t, web, token)
	replyOf(t, response).wantStatus(t, 503, "")
	s.store.hook(nil)
	s.wantName(t, token, "before")
}

// plain is a response writer that can be nothing else.
type plain struct{ http.ResponseWriter }

func (w plain) Write(p []byte) (int, error) { return w.ResponseWriter.Write(p) }

// Where nothing can be taken over, as within http.TimeoutHandler, the handler
// goes on to answer, and that answer is like any other.
func TestHijackThatIsNotSupported(t *testing.T) {
	s := newSite(t, setup{})
	token := s.generate(t, profile{})
	inner := s.handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.rename(t, r, "ada")
		_, _, err := http.NewResponseController(w).Hijack()
		wantErr(t, "Hijack", err, http.ErrNotSupported)
		s.rename(t, r, "bob")
		http.Error(w, "by polling, then", http.StatusUpgradeRequired)
		s.wantName(t, token, "bob")
	}))
	for name, outer := range map[string]http.Handler{
		"TimeoutHandler": http.TimeoutHandler(inner, time.Minute, ""),
		"plain writer": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			inner.ServeHTTP(plain{w}, r)
		}),
	} {
		t.Run(name, func(t *testing.T) {
			reply := s.get(t, serve(t, http1, outer), "/", token)
			reply.wantStatus(t, 426, "by polling, then\n")
			reply.wantHeader(t, "Vary", "Cookie")
			reply.wantHeader(t, "Cache-Control", "no-store")
		})
	}
}

// It does not keep the handler from beginning a session either.
func TestSessionBegunAfterHijackThatIsNotSupported(t *testing.T) {
	s := newSite(t, setup{})
	inner := s.handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _, err := http.NewResponseController(w).Hijack()
		wantErr(t, "Hijack", err, http.ErrNotSupported)
		s.rename(t, r, "ada")
	}))
	reply := s.get(t, serve(t, http1, http.TimeoutHandler(inner, time.Minute, "")), "/", "")
	reply.wantStatus(t, 200, "")
	s.wantName(t, reply.wantToken(t), "ada")
}

// Connections of HTTP/2 carry many requests: none can take over one.
func TestNoHijackOverHTTP2(t *testing.T) {
	s := newSite(t, setup{})
	web := s.serve(t, http2, func(w http.ResponseWriter, r *http.Request) {
		s.rename(t, r, "ada")
		if _, is := w.(http.Hijacker); is {
			t.Error("the writer says that it is an http.Hijacker")
		}
		_, _, err := http.NewResponseController(w).Hijack()
		wantErr(t, "Hijack", err, http.ErrNotSupported)
		_, _ = io.WriteString(w, "hello")
	})
	reply := s.get(t, web, "/", "")
	reply.wantStatus(t, 200, "hello")
	s.wantName(t, reply.wantToken(t), "ada")
}

// As the packages for WebSockets do.
func TestSwitchingProtocolsThenHijack(t *testing.T) {
	s := newSite(t, setup{})
	web := s.serve(t, http1, func(w http.ResponseWriter, r *http.Request) {
		s.rename(t, r, "ada")
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "echo")
		w.WriteHeader(http.StatusSwitchingProtocols)
		if n := s.store.count("Create"); n != 1 {
			t.Errorf("%d sessions were stored before the switch", n)
		}
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Errorf("Hijack: %v", err)
			return
		}
		echo(t, conn, rw, "")
	})
	response, in, conn := s.upgrade(t, web, "")
	if response.StatusCode != http.StatusSwitchingProtocols || len(response.Cookies()) != 1 {
		t.Fatalf("answered %s, %v", response.Status, response.Header)
	}
	s.wantName(t, coatcheck.Token(response.Cookies()[0].Value), "ada")
	wantEcho(t, in, conn)
}

func TestSwitchingProtocolsThatCannotBeSaved(t *testing.T) {
	s := newSite(t, setup{})
	s.store.fail(coatcheck.ErrUnavailable)
	web := s.serve(t, http1, func(w http.ResponseWriter, r *http.Request) {
		s.rename(t, r, "ada")
		w.WriteHeader(http.StatusSwitchingProtocols)
		_, _, err := w.(http.Hijacker).Hijack()
		wantErr(t, "Hijack", err, coatcheck.ErrUnavailable)
	})
	response, _, _ := s.upgrade(t, web, "")
	replyOf(t, response).wantStatus(t, 503, "")
}

func TestReverseProxy(t *testing.T) {
	backend := serve(t, http1, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			conn, rw, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Errorf("Hijack: %v", err)
				return
			}
			echo(t, conn, rw, switching)
			return
		}
		w.Header().Set("Vary", "Accept-Encoding")
		w.Header().Set("Cache-Control", "private")
		_, _ = io.WriteString(w, "hello")
	}))
	target, err := url.Parse(backend.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
		if !errors.Is(err, http.ErrNotSupported) {
			http.Error(w, err.Error(), http.StatusBadGateway)
		}
	}
	s := newSite(t, setup{})
	handler := func(w http.ResponseWriter, r *http.Request) {
		s.rename(t, r, "ada")
		proxy.ServeHTTP(w, r)
	}
	overBoth(t, func(t *testing.T, protocol string) {
		t.Run("answer", func(t *testing.T) {
			reply := s.get(t, s.serve(t, protocol, handler), "/", "")
			reply.wantStatus(t, 200, "hello")
			s.wantName(t, reply.wantToken(t), "ada")
			reply.wantHeader(t, "Vary", "Accept-Encoding", "Cookie")
		})
		t.Run("answer to a session that was only read", func(t *testing.T) {
			web := s.serve(t, protocol, func(w http.ResponseWriter, r *http.Request) {
				_ = s.name(t, r)
				proxy.ServeHTTP(w, r)
			})
			reply := s.get(t, web, "/", "")
			reply.wantStatus(t, 200, "hello")
			reply.wantHeader(t, "Vary", "Accept-Encoding", "Cookie")
			reply.wantHeader(t, "Cache-Control", "private")
		})
	})
	t.Run("upgrade", func(t *testing.T) {
		token := s.generate(t, profile{})
		response, in, conn := s.upgrade(t, s.serve(t, http1, handler), token)
		if response.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("answered %s", response.Status)
		}
		s.wantName(t, token, "ada")
		wantEcho(t, in, conn)
	})
	t.Run("upgrade that would lose a token", func(t *testing.T) {
		response, _, _ := s.upgrade(t, s.serve(t, http1, handler), "")
		reply := replyOf(t, response)
		if reply.status != http.StatusBadGateway {
			t.Errorf("answered %d %s", reply.status, reply.body)
		}
		reply.wantNoCookie(t)
	})
}
