package httpsession_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/coatcheck/coatcheck"
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
