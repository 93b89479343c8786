// Package coatchecktest is for the tests of applications that use coatcheck: a
// manager in memory, requests that are signed in, a client that keeps cookies,
// and time that passes on command.
//
// For that, run a test inside [testing/synctest.Test], where the clock is a fake
// one, also for the sessions' deadlines, and move it with [Advance].
package coatchecktest

import (
	"math"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/httpsession"
	"github.com/coatcheck/coatcheck/memstore"
)

// New returns a manager that is closed when the test ends, in a synctest bubble
// before the bubble ends. Without a Store in the configuration it has one in memory
// to itself. A bad configuration ends the test.
func New[T any](t testing.TB, config coatcheck.Config[T]) *coatcheck.Manager[T] {
	t.Helper()
	if config.Store == nil {
		// Expired sessions are gone without being swept, and a sweeper would have
		// to wake up for every minute of the years that pass in a bubble.
		store, err := memstore.New(memstore.Config{SweepInterval: math.MaxInt64})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		config.Store = store
	}
	manager, err := coatcheck.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = manager.Close() })
	return manager
}

// NewMiddleware returns a middleware for the manager. A bad configuration ends
// the test.
func NewMiddleware[T any](t testing.TB, manager *coatcheck.Manager[T], config httpsession.Config) *httpsession.Middleware[T] {
	t.Helper()
	sessions, err := httpsession.New(manager, config)
	if err != nil {
		t.Fatal(err)
	}
	return sessions
}

// SignIn gives the request a new session with the value, as if its client had
// signed in before, and returns the token. Options are those of Generate, such as
// [coatcheck.ForSubject]. A failure ends the test.
func SignIn[T any](t testing.TB, sessions *httpsession.Middleware[T], r *http.Request, value T, opts ...coatcheck.GenerateOption) coatcheck.Token {
	t.Helper()
	token, err := sessions.Manager().Generate(t.Context(), value, opts...)
	if err != nil {
		t.Fatal(err)
	}
	sessions.Attach(r, token)
	return token
}

// Advance lets time pass in the synctest bubble that it is called in, and returns
// when all that was due is done. Outside a bubble it ends the test, rather than
// wait.
func Advance(t testing.TB, d time.Duration) {
	t.Helper()
	if !inBubble() {
		t.Fatal("coatchecktest.Advance needs a fake clock: call it inside synctest.Test")
	}
	time.Sleep(d)
	synctest.Wait()
}

// inBubble reports whether the caller's clock is a fake one, which Wait, its only
// sign, panics without.
func inBubble() (is bool) {
	defer func() { is = recover() == nil }()
	synctest.Wait()
	return true
}
