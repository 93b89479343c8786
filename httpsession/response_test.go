package httpsession_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
)

// responses are the ways to begin a response, and to come to its end. The
// handler has changed a new session before.
var responses = map[string]struct {
	method string // default GET
	write  func(t *testing.T, w http.ResponseWriter, r *http.Request)
	atEnd  bool // the response begins only when the handler returns
	status int
	body   string
}{
	"Write": {"", func(t *testing.T, w http.ResponseWriter, _ *http.Request) {
		n, err := w.Write([]byte("hello"))
		if n != 5 || err != nil {
			t.Errorf("Write: %d, %v", n, err)
		}
	}, false, 200, "hello"},
	"WriteString": {"", func(t *testing.T, w http.ResponseWriter, _ *http.Request) {
		n, err := w.(io.StringWriter).WriteString("hello")
		if n != 5 || err != nil {
			t.Errorf("WriteString: %d, %v", n, err)
		}
	}, false, 200, "hello"},
	"WriteHeader": {"", func(_ *testing.T, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
	}, false, 418, ""},
	"redirect": {"", func(_ *testing.T, w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/other", http.StatusSeeOther)
	}, false, 303, ""},
	"client's fault": {"", func(_ *testing.T, w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no", http.StatusBadRequest)
	}, false, 400, "no\n"},
	"ReadFrom": {"", func(t *testing.T, w http.ResponseWriter, _ *http.Request) {
		n, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("hello"))
		if n != 5 || err != nil {
			t.Errorf("ReadFrom: %d, %v", n, err)
		}
	}, false, 200, "hello"},
	"ServeContent": {"", func(t *testing.T, w http.ResponseWriter, r *http.Request) {
		file := openFile(t, "hello")
		defer file.Close()
		http.ServeContent(w, r, "hello.txt", time.Time{}, file)
	}, false, 200, "hello"},
	"HEAD": {"HEAD", func(_ *testing.T, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5")
		_, _ = io.WriteString(w, "hello")
	}, false, 200, ""},
	"HEAD and nothing": {"HEAD", nothing, true, 200, ""},
	"nothing":          {"", nothing, true, 200, ""},
	"header only": {"", func(_ *testing.T, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Test", "yes")
	}, true, 200, ""},
	"204": {"", func(_ *testing.T, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}, false, 204, ""},
	"304": {"", func(_ *testing.T, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotModified)
	}, false, 304, ""},
	"EnableFullDuplex": {"POST", func(t *testing.T, w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 1 { // HTTP/2 always is
			wantErr(t, "EnableFullDuplex", http.NewResponseController(w).EnableFullDuplex(), nil)
		}
		_, _ = io.WriteString(w, "hello")
	}, false, 200, "hello"},
	"Flusher": {"", func(_ *testing.T, w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
	}, false, 200, ""},
	"Flush by controller": {"", func(t *testing.T, w http.ResponseWriter, _ *http.Request) {
		wantErr(t, "Flush", http.NewResponseController(w).Flush(), nil)
	}, false, 200, ""},
}

func nothing(*testing.T, http.ResponseWriter, *http.Request) {}

func openFile(t testing.TB, text string) *os.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestSavedBeforeTheFirstByte(t *testing.T) {
	overBoth(t, func(t *testing.T, protocol string) {
		for name, test := range responses {
			t.Run(name, func(t *testing.T) {
				s := newSite(t, setup{})
				web := s.serve(t, protocol, func(w http.ResponseWriter, r *http.Request) {
					if r.Proto != protocol {
						t.Errorf("this is %s", r.Proto)
					}
					s.rename(t, r, "ada")
					test.write(t, w, r)
					if saved := s.store.count("Create") == 1; saved == test.atEnd {
						t.Errorf("saved is %v behind the first byte", saved)
					}
				})
				reply := web.do(t, s.request(t, test.method, web.URL, ""))
				reply.wantStatus(t, test.status, test.body)
				reply.wantHeader(t, "Vary", "Cookie")
				s.wantName(t, reply.wantToken(t), "ada")
				s.wantRecords(t, 1)
			})
		}
	})
}

// The first chunk of a stream, and with it the cookie, reaches the client while
// the handler is still at work.
func TestFlushReachesTheClientAtOnce(t *testing.T) {
	flushes := map[string]func(w http.ResponseWriter){
		"Flusher":    func(w http.ResponseWriter) { w.(http.Flusher).Flush() },
		"controller": func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
	}
	overBoth(t, func(t *testing.T, protocol string) {
		for name, flush := range flushes {
			t.Run(name, func(t *testing.T) {
				s := newSite(t, setup{})
				seen := make(chan struct{})
				web := s.serve(t, protocol, func(w http.ResponseWriter, r *http.Request) {
					s.rename(t, r, "ada")
					_, _ = io.WriteString(w, "first")
					flush(w)
					select {
					case <-seen:
					case <-time.After(time.Minute):
						t.Error("the client has seen nothing")
					}
					_, _ = io.WriteString(w, ", second")
				})
				response, err := web.client.Do(s.request(t, "GET", web.URL, ""))
				if err != nil {
					t.Fatal(err)
				}
				first := make([]byte, len("first"))
				_, err = io.ReadFull(response.Body, first)
				wantErr(t, "read the first chunk", err, nil)
				if len(response.Cookies()) != 1 {
					t.Fatal("no cookie beside the first chunk")
				}
				s.wantName(t, coatcheck.Token(response.Cookies()[0].Value), "ada")
				close(seen)
				replyOf(t, response).wantStatus(t, 200, ", second")
			})
		}
	})
}

// readerFrom is a response writer that counts the calls of ReadFrom.
type readerFrom struct {
	http.ResponseWriter
	calls int
}

func (w *readerFrom) ReadFrom(src io.Reader) (int64, error) {
	w.calls++
	return w.ResponseWriter.(io.ReaderFrom).ReadFrom(src)
}

// Files go out by what the server has for them.
func TestUnderlyingReadFromIsUsed(t *testing.T) {
	text := strings.Repeat("0123456789", 100_000)
	for name, send := range map[string]func(w http.ResponseWriter, r *http.Request, file *os.File){
		"ServeContent": func(w http.ResponseWriter, r *http.Request, file *os.File) {
			http.ServeContent(w, r, "a.txt", time.Time{}, file)
		},
		"io.Copy": func(w http.ResponseWriter, _ *http.Request, file *os.File) {
			if n, err := io.Copy(w, file); n != int64(len(text)) || err != nil {
				t.Errorf("Copy: %d, %v", n, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, setup{})
			calls := make(chan int, 1)
			inner := s.handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s.rename(t, r, "ada")
				file := openFile(t, text)
				defer file.Close()
				send(w, r, file)
			}))
			web := serve(t, http1, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				counting := &readerFrom{ResponseWriter: w}
				inner.ServeHTTP(counting, r)
				calls <- counting.calls
			}))
			reply := s.get(t, web, "/", "")
			if reply.wantToken(t); reply.status != 200 || reply.body != text {
				t.Errorf("answered %d with %d bytes", reply.status, len(reply.body))
			}
			if n := <-calls; n != 1 {
				t.Errorf("ReadFrom of the server was called %d times, want once", n)
			}
		})
	}
}

// What is sent before the response itself neither saves nor carries the cookie.
func TestEarlyHintsDoNotSave(t *testing.T) {
	overBoth(t, func(t *testing.T, protocol string) {
		s := newSite(t, setup{})
		web := s.serve(t, protocol, func(w http.ResponseWriter, r *http.Request) {
			s.rename(t, r, "early")
			w.Header().Set("Link", "</style.css>; rel=preload")
			w.WriteHeader(http.StatusProcessing)
			w.WriteHeader(http.StatusEarlyHints)
			if n := s.store.count("Create"); n != 0 {
				t.Errorf("saved before the response")
			}
			s.rename(t, r, "ada")
			_, _ = io.WriteString(w, "hello")
		})
		var hints []textproto.MIMEHeader
		var statuses []int
		trace := &httptrace.ClientTrace{Got1xxResponse: func(status int, h textproto.MIMEHeader) error {
			statuses, hints = append(statuses, status), append(hints, h)
			return nil
		}}
		r := s.request(t, "GET", web.URL, "")
		reply := web.do(t, r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
		reply.wantStatus(t, 200, "hello")
		s.wantName(t, reply.wantToken(t), "ada")
		if !slices.Equal(statuses, []int{102, 103}) {
			t.Fatalf("hints are %v", statuses)
		}
		for _, h := range hints {
			if h.Get("Link") == "" || h.Get("Set-Cookie") != "" || h.Get("Vary") != "" {
				t.Errorf("a hint says %v", h)
			}
		}
	})
}

// A client that waits for 100 Continue gets it when the handler reads the body,
// which is no response yet.
func TestContinueDoesNotSave(t *testing.T) {
	overBoth(t, func(t *testing.T, protocol string) {
		s := newSite(t, setup{})
		web := s.serve(t, protocol, func(w http.ResponseWriter, r *http.Request) {
			s.rename(t, r, "early")
			body, err := io.ReadAll(r.Body)
			wantErr(t, "read the body", err, nil)
			if n := s.store.count("Create"); n != 0 {
				t.Errorf("saved before the response")
			}
			s.rename(t, r, string(body))
		})
		web.client.Transport.(*http.Transport).ExpectContinueTimeout = time.Minute
		continued := false
		trace := &httptrace.ClientTrace{Got100Continue: func() { continued = true }}
		ctx := httptrace.WithClientTrace(t.Context(), trace)
		r, err := http.NewRequestWithContext(ctx, "POST", web.URL, strings.NewReader("ada"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Expect", "100-continue")
		reply := web.do(t, r)
		reply.wantStatus(t, 200, "")
		s.wantName(t, reply.wantToken(t), "ada")
		if !continued {
			t.Error("no 100 Continue")
		}
	})
}

// The deadlines of a request can be set, and do not touch the session.
func TestDeadlinesByController(t *testing.T) {
	past := time.Unix(1, 0)
	overBoth(t, func(t *testing.T, protocol string) {
		t.Run("read", func(t *testing.T) {
			s := newSite(t, setup{})
			web := s.serve(t, protocol, func(w http.ResponseWriter, r *http.Request) {
				s.rename(t, r, "ada")
				wantErr(t, "SetReadDeadline", http.NewResponseController(w).SetReadDeadline(past), nil)
				_, err := io.ReadAll(r.Body)
				wantErr(t, "read the body", err, os.ErrDeadlineExceeded)
				http.Error(w, "slow", http.StatusRequestTimeout)
			})
			body, writer := io.Pipe() // which never ends
			defer writer.Close()
			r, err := http.NewRequestWithContext(t.Context(), "POST", web.URL, body)
			if err != nil {
				t.Fatal(err)
			}
			reply := web.do(t, r)
			reply.wantStatus(t, 408, "slow\n")
			s.wantName(t, reply.wantToken(t), "ada")
		})
		t.Run("write", func(t *testing.T) {
			s := newSite(t, setup{})
			token := s.generate(t, profile{})
			written := make(chan error, 1)
			web := s.serve(t, protocol, func(w http.ResponseWriter, r *http.Request) {
				s.rename(t, r, "ada")
				controller := http.NewResponseController(w)
				wantErr(t, "SetWriteDeadline", controller.SetWriteDeadline(past), nil)
				_, _ = w.Write(bytes.Repeat([]byte("x"), 1<<20))
				written <- controller.Flush()
			})
			if response, err := web.client.Do(s.request(t, "GET", web.URL, token)); err == nil {
				_ = response.Body.Close()
				t.Error("there was an answer")
			}
			if err := <-written; err == nil {
				t.Error("Flush succeeded after the deadline")
			}
			s.wantName(t, token, "ada")
		})
	})
}

// Whoever waits for the client to go does so in a goroutine of his own.
func TestCloseNotifyWhileTheHandlerWrites(t *testing.T) {
	s := newSite(t, setup{})
	s.call(t, func(w http.ResponseWriter, r *http.Request) {
		called := make(chan struct{})
		go func() {
			defer close(called)
			//lint:ignore SA1019 it is what is tested
			_ = w.(http.CloseNotifier).CloseNotify()
		}()
		_, _ = w.Write([]byte("hello"))
		<-called
	}, "")
}

// What frameworks still ask of every writer.
func TestCloseNotify(t *testing.T) {
	overBoth(t, func(t *testing.T, protocol string) {
		s := newSite(t, setup{})
		here, heard := make(chan struct{}), make(chan bool, 1)
		web := s.serve(t, protocol, func(w http.ResponseWriter, r *http.Request) {
			//lint:ignore SA1019 it is what is tested
			gone := w.(http.CloseNotifier).CloseNotify()
			close(here)
			select {
			case is := <-gone:
				heard <- is
			case <-time.After(time.Minute):
				heard <- false
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-here
			cancel()
		}()
		response, err := web.client.Do(s.request(t, "GET", web.URL, "").WithContext(ctx))
		if err == nil {
			_ = response.Body.Close()
		}
		if !<-heard {
			t.Error("the handler did not hear that the client is gone")
		}
	})
}
