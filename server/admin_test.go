package server_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/server"
)

const (
	adminKey    = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1"
	secondAdmin = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb2"
)

// adminCalls are all calls on the sessions of others, each as it is right, where
// ID stands for that of a session.
var adminCalls = map[string]request{
	"list":     {method: "GET", path: "/v1/subjects/ada/sessions"},
	"end all":  {method: "DELETE", path: "/v1/subjects/ada/sessions"},
	"describe": {method: "GET", path: "/v1/sessions/ID"},
	"end":      {method: "DELETE", path: "/v1/sessions/ID"},
}

// admin makes a call with the admin key.
func (s *service) admin(t testing.TB, method, path string) answer {
	t.Helper()
	return s.do(t, request{method: method, path: path, header: map[string]string{"X-API-Key": adminKey}})
}

// adminRequest returns one of adminCalls for the session of a token.
func adminRequest(call, token, key string) request {
	r := adminCalls[call]
	r.path = strings.Replace(r.path, "ID", token[:22], 1)
	r.header = map[string]string{"X-API-Key": key}
	return r
}

func TestAdminCallsNeedAnAdminKey(t *testing.T) {
	for _, keys := range [][]string{nil, {firstKey}} {
		s := start(t, setup{keys: keys, admins: []string{adminKey, secondAdmin}})
		token := s.createFor(t, "ada")
		for what, key := range map[string]string{
			"none": "", "an API key": firstKey, "another": "3333333333333333333333333333333c",
			"a prefix": adminKey[:31], "one more": adminKey + "1", "in another case": strings.ToUpper(adminKey),
			"both": adminKey + "," + secondAdmin, "the token": token,
		} {
			for call := range adminCalls {
				r := adminRequest(call, token, key)
				r.token = token // which does not help
				a := s.do(t, r).want(t, call+" with "+what, 401)
				wantProblemType(t, call+" with "+what, a, "admin-key")
				if got := a.header.Get("WWW-Authenticate"); got != `ApiKey realm="coatcheck"` {
					t.Errorf("WWW-Authenticate is %q", got)
				}
			}
		}
		s.wantValue(t, token, `{}`)
		for _, key := range []string{adminKey, secondAdmin} { // any of the file will do
			for _, call := range []string{"list", "describe", "end", "end all"} {
				if a := s.do(t, adminRequest(call, s.createFor(t, "ada"), key)); a.status >= 300 {
					t.Errorf("%s: %d %s", call, a.status, a.body)
				}
			}
		}
	}
}

// Not even on this machine, where no API key is asked for.
func TestAdminCallsAreRefusedWhereThereIsNoAdminKey(t *testing.T) {
	for _, keys := range [][]string{nil, {firstKey}} {
		s := start(t, setup{keys: keys})
		token := s.createFor(t, "ada")
		for _, key := range []string{"", firstKey, adminKey} {
			for call := range adminCalls {
				a := s.do(t, adminRequest(call, token, key)).want(t, call, 403)
				wantProblemType(t, call, a, "admin-key")
				for _, want := range []string{"--admin-key-file", "openssl rand -hex 32"} {
					if !strings.Contains(a.detail(t), want) {
						t.Errorf("%s: the problem does not name %s: %s", call, want, a.body)
					}
				}
			}
		}
		s.wantValue(t, token, `{}`)
	}
}

func TestAdminKeyOpensNoOrdinaryCall(t *testing.T) {
	s := start(t, setup{keys: []string{firstKey}, admins: []string{adminKey}})
	token := s.create(t, `{}`)
	ordinary := maps.Clone(calls)
	ordinary["vars"] = varsCall
	for call, r := range ordinary {
		r.token, r.header = token, map[string]string{"X-API-Key": adminKey}
		wantProblemType(t, call, s.do(t, r).want(t, call, 401), "api-key")
	}
	s.wantValue(t, token, `{}`)
}

func TestKeyInBothListsIsRefused(t *testing.T) {
	parse := func(keys ...string) server.APIKeys {
		parsed, err := server.ParseAPIKeys(strings.Join(keys, "\n"))
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	store := newBuggy(t).Store
	m, err := coatcheck.New(config{Store: store, Codec: server.RawJSON{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	for _, both := range [][2]server.APIKeys{
		{parse(firstKey), parse(firstKey)},
		{parse(firstKey, secondKey), parse(adminKey, secondKey)},
	} {
		_, err := server.New(server.Config{Manager: m, Store: store, APIKeys: both[0], AdminKeys: both[1]})
		if !errors.Is(err, coatcheck.ErrInvalid) || strings.Contains(err.Error(), firstKey) || strings.Contains(err.Error(), secondKey) {
			t.Errorf("New: %v, want ErrInvalid", err)
		}
	}
}

// What is misspelt, empty or malformed would be dropped in silence, and with it
// what was to be spared.
func TestAdminCallsTakeTheirParametersOnly(t *testing.T) {
	s := start(t, setup{admins: []string{adminKey}})
	token := s.createFor(t, "ada")
	all, one := "/v1/subjects/ada/sessions", "/v1/sessions/"+token[:22]
	for _, c := range []struct {
		method, path string
		status       int
		detail       string
	}{
		{"DELETE", all + "?excpet=" + token[:22], 422, "this call takes except and everywhere"},
		{"DELETE", all + "?Except=" + token[:22], 422, "this call takes except and everywhere"},
		{"DELETE", all + "?except=", 422, "the parameter except has no value"},
		{"DELETE", all + "?except=&except=" + token[:22], 422, "the parameter except has no value"},
		{"DELETE", all + "?except=" + token[:22] + "&except", 422, "the parameter except has no value"},
		{"DELETE", all + "?except=" + token[:21], 422, "no ID of a session"},
		{"DELETE", all + "?except=" + token, 422, "no ID of a session"}, // all of it, and it is not repeated
		{"DELETE", all + "?except=" + token[:22] + "," + token[:22], 422, "no ID of a session"},
		{"DELETE", all + "?except=" + token[:22] + "%0A", 422, "no ID of a session"},
		{"DELETE", all + "?except=%zz", 400, "malformed"},
		{"DELETE", all + "?a;except=" + token[:22], 400, "malformed"},
		{"DELETE", all + "?" + token, 422, "unknown parameter"},
		{"DELETE", all + "?everywhere", 422, "the parameter everywhere has no value"},
		{"DELETE", all + "?everywhere=yes", 422, "(query.everywhere)"},
		{"DELETE", one + "?everywhere=yes", 422, "(query.everywhere)"},
		{"DELETE", one + "?except=" + token[:22], 422, "this call takes everywhere"},
		{"GET", all + "?limit=1", 422, "this call takes none"},
		{"GET", one + "?value=true", 422, "this call takes none"},
		{"DELETE", "/v1/sessions/" + token, 422, "(path.id)"}, // a token is no ID
		{"GET", "/v1/sessions/" + token, 422, "(path.id)"},
		{"GET", "/v1/sessions/" + token[:21], 422, "(path.id)"},
		{"GET", "/v1/sessions/" + token[:21] + "+", 422, "(path.id)"},
		{"DELETE", "/v1/sessions/" + token[:21] + "%0A", 422, "(path.id)"},
		{"DELETE", "/v1/sessions/" + token[:22] + "%0A", 422, "(path.id)"},
		{"DELETE", "/v1/sessions/" + strings.Repeat("x", 5000), 422, "(path.id)"},
	} {
		a := s.admin(t, c.method, c.path).want(t, c.method+" "+c.path, c.status)
		if !strings.Contains(a.detail(t), c.detail) {
			t.Errorf("%s %s: detail is %q, want %q", c.method, c.path, a.detail(t), c.detail)
		}
		wantProblemType(t, c.path, a, "request")
	}
	for call := range adminCalls {
		if call == "list" || call == "describe" {
			continue
		}
		r := adminRequest(call, token, adminKey)
		r.header["If-Match"] = `"9"`
		s.do(t, r).want(t, call+" with If-Match", 400)
	}
	s.wantValue(t, token, `{}`)
}

// The log has the route, not the path: a token may be in it. start searches it.
func TestAdminCallsInTheLog(t *testing.T) {
	s := start(t, setup{admins: []string{adminKey}})
	token := s.createFor(t, "ada")
	s.admin(t, "GET", "/v1/subjects/ada/sessions").want(t, "list", 200)
	s.admin(t, "GET", "/v1/sessions/"+token).want(t, "a token for an ID", 422)
	s.admin(t, "DELETE", "/v1/sessions/"+token[:22]).want(t, "end", 204)
	for _, want := range []string{`route="GET /v1/subjects/{subject}/sessions"`, `route="DELETE /v1/sessions/{id}"`} {
		if !strings.Contains(s.log.String(), want) {
			t.Errorf("the log does not have %s:\n%s", want, s.log)
		}
	}
}
