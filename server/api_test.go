package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
)

// The tests below go through the table of calls in DESIGN section 8.

func TestCreateAnswersWithTheToken(t *testing.T) {
	s := start(t, setup{})
	before := time.Now().Truncate(time.Millisecond) // as times of sessions are
	a := s.do(t, request{method: "POST", path: "/v1/sessions", body: `{"value":{"user":"ada"},"subject":"ada"}`})
	after := time.Now()

	a.want(t, "create", 201)
	got := decode[created](t, a)
	if !tokenForm.MatchString(got.Token) {
		t.Fatalf("token %q does not match %s", got.Token, tokenForm)
	}
	s.keepOut(got.Token[22:])
	if got.ID != got.Token[:22] || got.Rev != 1 {
		t.Errorf("id %q, rev %d of the token %q", got.ID, got.Rev, got.Token)
	}
	if etag := a.header.Get("ETag"); etag != `"1"` {
		t.Errorf("ETag is %s", etag)
	}
	if got.ExpiresAt == nil || got.ExpiresAt.Before(before.Add(coatcheck.DefaultIdleTimeout)) || got.ExpiresAt.After(after.Add(coatcheck.DefaultIdleTimeout)) {
		t.Errorf("expires_at is %v, want the idle timeout from now", got.ExpiresAt)
	}
	if strings.Contains(a.body, `"value"`) {
		t.Errorf("the value comes back uncalled-for: %s", a.body)
	}
}

func TestGetAnswersWithAllThatIsKnown(t *testing.T) {
	s := start(t, setup{})
	before := time.Now().Truncate(time.Millisecond)
	a := s.do(t, request{method: "POST", path: "/v1/sessions", body: `{"value":{"user":"ada"},"subject":"ada"}`})
	made := decode[created](t, a)

	a = s.get(t, made.Token).want(t, "get", 200)
	got := decode[session](t, a)
	if got.ID != made.ID || got.Rev != 1 || string(got.Value) != `{"user":"ada"}` || got.Subject != "ada" {
		t.Errorf("got %s", a.body)
	}
	if got.CreatedAt.Before(before) || got.CreatedAt.After(time.Now()) {
		t.Errorf("created_at is %v", got.CreatedAt)
	}
	if got.ExpiresAt == nil || !got.ExpiresAt.Equal(*made.ExpiresAt) {
		t.Errorf("expires_at is %v, want %v: a read right after the creation extends nothing", got.ExpiresAt, made.ExpiresAt)
	}
	if etag := a.header.Get("ETag"); etag != `"1"` {
		t.Errorf("ETag is %s", etag)
	}
	if strings.Contains(a.body, made.Token) {
		t.Error("the token is shown again")
	}
}

// The scheme of Authorization is case-insensitive (RFC 9110 section 11.1).
func TestSchemeIsCaseInsensitive(t *testing.T) {
	s := start(t, setup{})
	token := s.create(t, `1`)
	for _, scheme := range []string{"Bearer", "bearer", "BEARER"} {
		s.do(t, request{method: "GET", path: "/v1/session", header: map[string]string{"Authorization": scheme + " " + token}}).
			want(t, scheme, 200)
	}
}

func TestPutReplacesTheValue(t *testing.T) {
	s := start(t, setup{})
	token := s.create(t, `{"a":1,"b":2}`)
	a := s.put(t, token, `{"c":3}`, "").want(t, "put", 200)
	got := decode[session](t, a)
	if got.ID != token[:22] || got.Rev != 2 || string(got.Value) != `{"c":3}` || a.header.Get("ETag") != `"2"` {
		t.Errorf("got ETag %s, %s", a.header.Get("ETag"), a.body)
	}
	s.wantValue(t, token, `{"c":3}`)
}

func TestChangesKeepSubjectAndCreation(t *testing.T) {
	s := start(t, setup{})
	token := decode[created](t, s.do(t, request{method: "POST", path: "/v1/sessions", body: `{"value":{},"subject":"ada"}`})).Token
	before := decode[session](t, s.get(t, token))
	for _, a := range []answer{s.put(t, token, `{"n":1}`, ""), s.patch(t, token, `{"m":2}`, ""), s.get(t, token)} {
		got := decode[session](t, a.want(t, "change", 200))
		if got.ID != before.ID || got.Subject != "ada" || !got.CreatedAt.Equal(before.CreatedAt) {
			t.Errorf("got %s", a.body)
		}
	}
}

func TestRefreshExtendsTheDeadlineOnly(t *testing.T) {
	s := start(t, setup{})
	token := s.create(t, `1`)
	first := decode[session](t, s.get(t, token))
	for deadline := time.Now().Add(time.Minute); ; { // until the clock has moved by a millisecond
		a := s.do(t, request{method: "POST", path: "/v1/session/refresh", token: token}).want(t, "refresh", 200)
		got := decode[map[string]any](t, a)
		if len(got) != 1 {
			t.Fatalf("got %s, want expires_at alone", a.body)
		}
		if at, err := time.Parse(time.RFC3339, fmt.Sprint(got["expires_at"])); err != nil || at.Before(*first.ExpiresAt) || time.Now().After(deadline) {
			t.Fatalf("expires_at is %v, was %v", got["expires_at"], first.ExpiresAt)
		} else if at.After(*first.ExpiresAt) {
			break
		}
	}
	if got := decode[session](t, s.get(t, token)); got.Rev != 1 || !got.ExpiresAt.After(*first.ExpiresAt) {
		t.Errorf("after the refresh: %+v", got)
	}
}

func TestDeleteEndsTheSessionAndMayBeRepeated(t *testing.T) {
	s := start(t, setup{})
	token, other := s.create(t, `1`), s.create(t, `2`)
	for range 2 {
		a := s.do(t, request{method: "DELETE", path: "/v1/session", token: token}).want(t, "delete", 204)
		if a.body != "" {
			t.Errorf("delete answers with a body: %q", a.body)
		}
	}
	for _, a := range []answer{
		s.get(t, token), s.put(t, token, `2`, ""), s.put(t, token, `2`, `"1"`), s.put(t, token, `2`, `*`), s.patch(t, token, `{}`, ""),
		s.do(t, request{method: "POST", path: "/v1/session/refresh", token: token}),
	} {
		a.want(t, "after delete", 404)
	}
	s.wantValue(t, other, `2`)
}

// The ID is public: only the secret may end a session. Whoever guesses is not
// told that there is one.
func TestDeleteWithoutTheSecretDoesNothing(t *testing.T) {
	s := start(t, setup{})
	token := s.create(t, `1`)
	s.do(t, request{method: "DELETE", path: "/v1/session", token: token[:22] + strings.Repeat("a", 22)}).want(t, "delete", 204)
	s.wantValue(t, token, `1`)
}

func TestExpiredSessionIsNotFound(t *testing.T) {
	s := start(t, setup{manager: config{AbsoluteTimeout: 100 * time.Millisecond}})
	token := s.create(t, `1`)
	for begin := time.Now(); s.get(t, token).status != 404; { // however often it is read
		if time.Since(begin) > time.Minute {
			t.Fatal("the session does not end")
		}
	}
}

func TestSessionThatNeverEndsHasTheDeadlineNull(t *testing.T) {
	s := start(t, setup{manager: config{IdleTimeout: coatcheck.Never, AbsoluteTimeout: coatcheck.Never}})
	made := s.do(t, request{method: "POST", path: "/v1/sessions", body: `{"value":{}}`}).want(t, "create", 201)
	token := decode[created](t, made).Token
	for what, a := range map[string]answer{
		"create":  made,
		"get":     s.get(t, token),
		"put":     s.put(t, token, `{}`, ""),
		"patch":   s.patch(t, token, `{}`, ""),
		"refresh": s.do(t, request{method: "POST", path: "/v1/session/refresh", token: token}),
	} {
		if at, given := decode[map[string]any](t, a)["expires_at"]; at != nil || !given {
			t.Errorf("%s: want expires_at null: %s", what, a.body)
		}
	}
}

func TestHealthAndReadiness(t *testing.T) {
	s := start(t, setup{})
	for _, path := range []string{"/healthz", "/readyz"} {
		a := s.do(t, request{method: "GET", path: path}).want(t, path, 200)
		if got := decode[map[string]string](t, a); len(got) != 1 || got["status"] != "ok" {
			t.Errorf("%s: %s", path, a.body)
		}
	}
}

func TestHeadIsGetWithoutTheBody(t *testing.T) {
	s := start(t, setup{})
	token := s.create(t, `1`)
	a := s.do(t, request{method: "HEAD", path: "/v1/session", token: token}).want(t, "head", 200)
	if a.body != "" || a.header.Get("ETag") != `"1"` {
		t.Errorf("got %v, %q", a.header, a.body)
	}
	s.do(t, request{method: "HEAD", path: "/v1/session"}).want(t, "head without a token", 401)
}
