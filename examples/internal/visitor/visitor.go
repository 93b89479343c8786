// Package visitor tests the examples as their visitors see them.
package visitor

import (
	"bufio"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/httpsession"
	"github.com/coatcheck/coatcheck/memstore"
)

// Sessions returns a middleware with a store of its own, until the end of the
// test.
func Sessions[T any](t *testing.T) *httpsession.Middleware[T] {
	t.Helper()
	store, err := memstore.New(memstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	manager, err := coatcheck.New(coatcheck.Config[T]{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = manager.Close() })
	sessions, err := httpsession.New(manager, httpsession.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return sessions
}

// Visitor is a client with cookies.
type Visitor struct {
	url    string
	client *http.Client
}

// New serves the handler over TLS, without which a visitor would keep the cookie
// to itself, until the end of the test.
func New(t *testing.T, handler http.Handler) *Visitor {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	return another(t, server.URL, server.Client())
}

// Another returns a visitor of the same server without any cookie yet.
func (v *Visitor) Another(t *testing.T) *Visitor {
	t.Helper()
	return another(t, v.url, v.client)
}

func another(t *testing.T, url string, client *http.Client) *Visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Visitor{url, &http.Client{Transport: client.Transport, Jar: jar, Timeout: 30 * time.Second}}
}

// Get returns the status and the text of a page.
func (v *Visitor) Get(t *testing.T, path string) (int, string) {
	t.Helper()
	res, err := v.client.Get(v.url + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// Counts visits the handler's root three times, twice with a cookie that came
// before, and wants it to count.
func Counts(t *testing.T, handler http.Handler) {
	t.Helper()
	v := New(t, handler)
	for _, want := range []string{"visit 1\n", "visit 2\n", "visit 3\n"} {
		if status, got := v.Get(t, "/"); status != http.StatusOK || got != want {
			t.Fatalf("status %d with %q, want 200 with %q", status, got, want)
		}
	}
	if _, got := v.Another(t).Get(t, "/"); got != "visit 1\n" {
		t.Errorf("another visitor is told %q", got)
	}
}

// Streams wants /stream to send the first line, at once and with a cookie, and
// the second one only when next has been called, and nothing after it.
func Streams(t *testing.T, handler http.Handler, next func(), first, second string) {
	t.Helper()
	v := New(t, handler)
	res, err := v.client.Get(v.url + "/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if len(res.Cookies()) != 1 {
		t.Errorf("%d cookies came with the stream, want 1", len(res.Cookies()))
	}
	lines := bufio.NewScanner(res.Body)
	read := func() string {
		for lines.Scan() {
			if lines.Text() != "" {
				return lines.Text()
			}
		}
		return ""
	}
	if got := read(); got != first {
		t.Fatalf("got %q, want %q", got, first)
	}
	next()
	if got := read(); got != second {
		t.Fatalf("got %q, want %q", got, second)
	}
	if got := read(); got != "" || lines.Err() != nil {
		t.Errorf("got %q and error %v, want the end", got, lines.Err())
	}
}
