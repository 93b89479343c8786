package server_test

import (
	"strings"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck/internal/redistest"
	"github.com/coatcheck/coatcheck/redisstore"
)

// wantOutage checks the answer to a call while the store is away.
func wantOutage(t *testing.T, what string, a answer) {
	t.Helper()
	a.want(t, what, 503)
	if want := "the store cannot be reached at the moment; if this was a change, it may or may not have been made"; a.detail(t) != want {
		t.Errorf("%s: detail is %q, want %q", what, a.detail(t), want)
	}
	if got := a.header.Get("Retry-After"); got != "1" {
		t.Errorf("%s: Retry-After is %q", what, got)
	}
}

// An outage is never reported as a miss: a client that believed it would log
// its users out.
func TestOutageIs503AndPasses(t *testing.T) {
	redis := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	store, err := redisstore.Open(t.Context(), redis.URL(), redisstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	s := start(t, setup{store: store, manager: storeOnly, keys: []string{firstKey}, admins: []string{adminKey}})
	token := s.create(t, `{"secret":"`+canary+`"}`)

	redis.Kill()
	for call, r := range calls {
		if call != "create" {
			r.token = token
		}
		wantOutage(t, call, s.do(t, r))
	}
	for call := range adminCalls {
		wantOutage(t, call, s.do(t, adminRequest(call, token, adminKey)))
	}
	wantOutage(t, "put with If-Match", s.put(t, token, `{}`, `"1"`))
	wantOutage(t, "unknown token", s.get(t, strings.Repeat("a", 44)))
	wantOutage(t, "readyz", s.do(t, request{method: "GET", path: "/readyz"}))
	// Whoever asks whether the process lives would restart it in vain.
	s.do(t, request{method: "GET", path: "/healthz"}).want(t, "healthz", 200)
	s.do(t, varsCall).want(t, "vars", 200)
	// What needs no store is refused as ever.
	s.get(t, "malformed").want(t, "malformed token", 401)

	text := s.log.String() // start checks that it shows no secret
	for _, want := range []string{"level=ERROR", "store unavailable", "connection refused", token[:22]} {
		if !strings.Contains(text, want) {
			t.Errorf("the log does not tell %q:\n%s", want, text)
		}
	}

	if err := redis.Restart(); err != nil {
		t.Fatal(err)
	}
	for begin := time.Now(); s.do(t, request{method: "GET", path: "/readyz"}).status != 200; {
		if time.Since(begin) > time.Minute {
			t.Fatal("the service does not find the store again")
		}
	}
	s.wantValue(t, token, `{"secret":"`+canary+`"}`)
	s.patch(t, token, `{"secret":null}`, `"1"`).want(t, "patch", 200)
	s.wantValue(t, s.create(t, `1`), `1`)
	s.do(t, request{method: "DELETE", path: "/v1/session", token: token}).want(t, "delete", 204)
	s.get(t, token).want(t, "get after delete", 404)
}
