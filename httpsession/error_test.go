package httpsession_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/httpsession"
)

// A handler that has heard of the failure itself hands it on, and the client gets
// one answer, though the session is as far from being saved as before.
func TestErrorAfterAFlushThatFailed(t *testing.T) {
	overBoth(t, func(t *testing.T, protocol string) {
		s := newSite(t, setup{})
		token := s.generate(t, profile{Name: "before"})
		web := s.serve(t, protocol, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "5")
			s.rename(t, r, strings.Repeat("x", coatcheck.DefaultMaxValueBytes))
			err := s.session(r).Flush(r.Context())
			wantErr(t, "Flush", err, coatcheck.ErrTooLarge)
			s.sessions.Error(w, r, err)
		})
		reply := s.get(t, web, "/", token)
		reply.wantProblem(t, 413, "value-too-large")
		if n := strings.Count(reply.body, "{"); n != 1 {
			t.Errorf("there are %d answers: %s", n, reply.body)
		}
		s.wantName(t, token, "before")
	})
}

// A deadline that is not SaveTimeout's is not told as that.
func TestDeadlineOfTheStoreItself(t *testing.T) {
	s := newSite(t, setup{})
	s.store.fail(context.DeadlineExceeded)
	reply := s.call(t, func(_ http.ResponseWriter, r *http.Request) { s.rename(t, r, "ada") }, "")
	reply.wantProblem(t, 503, "store")
	if log := s.log.String(); log == "" || strings.Contains(log, "SaveTimeout") || strings.Contains(log, "%!") {
		t.Errorf("the log is %q", log)
	}
}

// An answer of the store that comes late is an answer.
func TestLateAnswerOfTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, setup{})
		s.store.hook(func(context.Context, string) error {
			time.Sleep(httpsession.DefaultSaveTimeout + time.Second)
			return coatcheck.ErrExists
		})
		reply := s.call(t, func(_ http.ResponseWriter, r *http.Request) { s.rename(t, r, "ada") }, "")
		reply.wantProblem(t, 500, "internal")
	})
}

// Whoever counts failures wants to know the route: it is the handler's request, in
// which a ServeMux has noted that, which the ErrorHandler is given.
func TestErrorHandlerKnowsTheRoute(t *testing.T) {
	var route string
	s := newSite(t, setup{http: httpsession.Config{ErrorHandler: func(_ http.ResponseWriter, r *http.Request, _ error) {
		route = r.Pattern
	}}})
	s.store.fail(coatcheck.ErrUnavailable)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(_ http.ResponseWriter, r *http.Request) { s.rename(t, r, "ada") })
	s.call(t, mux.ServeHTTP, "")
	if want := "GET /{$}"; route != want {
		t.Errorf("the route is %q, want %q", route, want)
	}
}
