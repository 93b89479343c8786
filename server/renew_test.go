package server_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
)

// renew asks for a new token; the body may be empty.
func (s *service) renew(t testing.TB, token, body string) answer {
	t.Helper()
	return s.do(t, request{method: "POST", path: "/v1/session/renew", token: token, body: body})
}

// mustRenew returns the new token.
func (s *service) mustRenew(t testing.TB, token, body string) string {
	t.Helper()
	got := decode[created](t, s.renew(t, token, body).want(t, "renew "+body, 200))
	if !tokenForm.MatchString(got.Token) || got.Token[:22] != token[:22] || got.Token[22:] == token[22:] {
		t.Fatalf("renew: the ID changes, or the secret does not")
	}
	s.keepOut(got.Token[22:])
	return got.Token
}

// createFor files a value for a subject and returns the token.
func (s *service) createFor(t testing.TB, subject string) string {
	t.Helper()
	a := s.do(t, request{method: "POST", path: "/v1/sessions", body: `{"value":{},"subject":"` + subject + `"}`})
	token := decode[created](t, a.want(t, "create", 201)).Token
	s.keepOut(token[22:])
	return token
}

func wantProblemType(t testing.TB, what string, a answer, kind string) {
	t.Helper()
	if !strings.Contains(a.body, `"type":"urn:coatcheck:problem:`+kind+`"`) {
		t.Errorf("%s: want the type %s: %s", what, kind, a.body)
	}
}

func TestRenewAnswersWithAnotherToken(t *testing.T) {
	s := start(t, setup{})
	token := s.create(t, `{"a":1}`)
	a := s.renew(t, token, "").want(t, "renew", 200)
	got := decode[created](t, a)
	s.keepOut(got.Token[22:])
	if got.ID != token[:22] || got.Rev != 2 || got.ExpiresAt == nil || a.header.Get("ETag") != `"2"` {
		t.Errorf("got ETag %s, id %s, rev %d, expires_at %v", a.header.Get("ETag"), got.ID, got.Rev, got.ExpiresAt)
	}
	if members := decode[map[string]any](t, a); len(members) != 4 {
		t.Errorf("%d members, want 4", len(members))
	}
	s.wantValue(t, got.Token, `{"a":1}`)
}

// Without grace, said or not, the old token is dead when the answer is there, and
// so is one that had a grace.
func TestRenewEndsTheOldTokenAtOnce(t *testing.T) {
	s := start(t, setup{})
	for _, body := range []string{"", `{}`, `{"grace":false}`, `{"subject":"ada"}`} {
		token := s.create(t, `1`)
		late := s.mustRenew(t, token, `{"grace":true}`)
		renewed := s.mustRenew(t, late, body)
		for _, old := range []string{token, late} {
			wantProblemType(t, body, s.get(t, old).want(t, "the old token after "+body, 404), "session")
			s.put(t, old, `2`, "").want(t, "put", 404)
			s.renew(t, old, "").want(t, "renew", 404)
			s.renew(t, old, `{"grace":true}`).want(t, "renew with grace", 404)
		}
		s.wantValue(t, renewed, `1`)
	}
}

func TestRenewWithGraceLeavesTheOldTokenForAWhile(t *testing.T) {
	s := start(t, setup{})
	token := s.create(t, `1`)
	renewed := s.mustRenew(t, token, `{"grace":true}`)
	for _, either := range []string{token, renewed} {
		s.wantValue(t, either, `1`)
	}
	s.put(t, token, `2`, "").want(t, "put by a late request", 200)
	s.wantValue(t, renewed, `2`)
	a := s.renew(t, token, `{"grace":true}`).want(t, "renew once more", 409)
	wantProblemType(t, "renew once more", a, "renewed")
	s.wantValue(t, renewed, `2`)

	brief := start(t, setup{manager: config{RenewGrace: time.Millisecond, OnReuse: coatcheck.ReportReuse}})
	token = brief.create(t, `1`)
	renewed = brief.mustRenew(t, token, `{"grace":true}`)
	reused := func() bool { top, _ := brief.stats(t); return top["tokens_reused"] > 0 }
	for begin := time.Now(); brief.get(t, token).status != 404 || !reused(); {
		if time.Since(begin) > time.Minute {
			t.Fatal("the grace does not end, or the use of a retired token is not counted")
		}
	}
	brief.wantValue(t, renewed, `1`)
}

// One is given the new token; the others learn that there is one, and nobody's
// request fails meanwhile.
func TestConcurrentRenewalsWithGraceAdmitOne(t *testing.T) {
	const clients = 20
	s := start(t, setup{})
	token := s.create(t, `"kept"`)
	answers := make([]answer, clients)
	reads := make([]answer, clients)
	var wait sync.WaitGroup
	for i := range clients {
		wait.Go(func() {
			var err error
			if answers[i], err = s.send(request{method: "POST", path: "/v1/session/renew", token: token, body: `{"grace":true}`}); err != nil {
				t.Error(err)
			}
			if reads[i], err = s.send(request{method: "GET", path: "/v1/session", token: token}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	renewed := ""
	for i, a := range answers {
		switch a.status {
		case 200:
			if renewed != "" {
				t.Error("two were given a token")
			}
			renewed = decode[created](t, a).Token
			s.keepOut(renewed[22:])
		case 409:
			wantProblemType(t, "renew", a, "renewed")
		default:
			t.Errorf("status %d: %s", a.status, a.body)
		}
		reads[i].want(t, "a read with the old token", 200)
	}
	if renewed == "" {
		t.Fatal("nobody was given a token")
	}
	for _, either := range []string{token, renewed} {
		s.wantValue(t, either, `"kept"`)
	}
}

func TestRenewForASubjectIsALogin(t *testing.T) {
	s := start(t, setup{})
	token := s.create(t, `{"cart":1}`)
	token = s.mustRenew(t, token, `{"subject":"ada"}`)
	if got := decode[session](t, s.get(t, token)); got.Subject != "ada" || string(got.Value) != `{"cart":1}` {
		t.Errorf("got %+v", got)
	}
	token = s.mustRenew(t, token, `{"subject":"ada"}`) // once more, as after a password
	a := s.renew(t, token, `{"subject":"eve"}`).want(t, "another subject's", 422)
	wantProblemType(t, "another subject's", a, "request")
	if strings.Contains(a.body, "ada") || !strings.Contains(a.detail(t), "it belongs to another subject") {
		t.Errorf("another subject's: %s", a.body)
	}
	if got := decode[session](t, s.get(t, token)); got.Subject != "ada" {
		t.Errorf("the session changes hands: %+v", got)
	}
	// A renewal that names nobody is no logout.
	token = s.mustRenew(t, token, `{}`)
	if got := decode[session](t, s.get(t, token)); got.Subject != "ada" {
		t.Errorf("after a renewal: %+v", got)
	}
}

// Whoever has planted the old token must not be logged in by it for a while.
func TestLoginHasNoGrace(t *testing.T) {
	s := start(t, setup{})
	token := s.create(t, `1`)
	s.renew(t, token, `{"subject":"ada","grace":true}`).want(t, "a login with grace", 422)
	if got := decode[session](t, s.get(t, token)); got.Subject != "" || got.Rev != 1 {
		t.Errorf("after a refused call: %+v", got)
	}
	s.mustRenew(t, token, `{"subject":"ada","grace":false}`)
	s.get(t, token).want(t, "the token from before", 404)
}

func TestRenewHeedsNoCondition(t *testing.T) {
	s := start(t, setup{})
	token := s.create(t, `1`)
	r := request{method: "POST", path: "/v1/session/renew", token: token, header: map[string]string{"If-Match": `"1"`}}
	s.do(t, r).want(t, "renew", 400)
	s.wantValue(t, token, `1`)
}

func TestTooManySessionsAreRefused(t *testing.T) {
	s := start(t, setup{manager: config{MaxSessions: 2, WhenFull: coatcheck.RefuseNewest}})
	first := s.createFor(t, "ada")
	s.createFor(t, "ada")
	s.createFor(t, "eve")
	anonymous := s.create(t, `1`)
	create := request{method: "POST", path: "/v1/sessions", body: `{"value":1,"subject":"ada"}`}
	for what, a := range map[string]answer{"create": s.do(t, create), "login": s.renew(t, anonymous, `{"subject":"ada"}`)} {
		wantProblemType(t, what, a.want(t, what, 403), "too-many-sessions")
	}
	s.wantValue(t, anonymous, `1`)
	first = s.mustRenew(t, first, "")
	first = s.mustRenew(t, first, `{"subject":"ada"}`) // it is one of the two
	s.do(t, request{method: "DELETE", path: "/v1/session", token: first}).want(t, "delete", 204)
	s.mustRenew(t, anonymous, `{"subject":"ada"}`)
}

func TestOldestSessionMakesRoom(t *testing.T) {
	s := start(t, setup{manager: config{MaxSessions: 1}})
	first := s.createFor(t, "ada")
	for begin := time.Now(); !time.Now().After(begin.Add(time.Millisecond)); { // times are whole milliseconds
	}
	second := s.createFor(t, "ada")
	s.get(t, first).want(t, "the oldest", 404)
	s.get(t, second).want(t, "the newest", 200)
}
