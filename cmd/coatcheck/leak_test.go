package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coatcheck/coatcheck/internal/redistest"
)

// TestSecretsStayWithTheirHolders runs every call, well and badly, on each
// store, and then searches for each token that was issued, whole and its
// secret half: in the log at its most talkative, in every answer that is not
// the creation's, and in a dump of the store.
func TestSecretsStayWithTheirHolders(t *testing.T) {
	const password = "pass-of-the-store"
	for _, kind := range []string{"memory", "sqlite", "redis"} {
		t.Run(kind, func(t *testing.T) {
			var redis *redistest.Server
			file := filepath.Join(t.TempDir(), "sessions.db")
			store := kind + ":"
			switch kind {
			case "sqlite":
				store += file
			case "redis":
				redis = redistest.Start(t, "--requirepass", password)
				store = "redis://:" + password + "@" + redis.Addr
			}
			p := start(t, "--store", store, "--log-level", "debug", "--max-value-bytes", "1000", "--max-staleness", "10ms")

			tokens, answers := exercise(t, p)
			var dump []byte
			switch kind {
			case "sqlite":
				for _, suffix := range []string{"", "-wal"} {
					data, err := os.ReadFile(file + suffix)
					if err != nil {
						t.Fatal(err)
					}
					dump = append(dump, data...)
				}
			case "redis":
				dump = redis.Dump(password)
				redis.Kill() // and on, without a store, as soon as nothing is served from memory
				eventually(t, "reads from memory have ended", func() bool {
					a, err := p.call(t.Context(), "GET", "/v1/session", tokens[0], "")
					return err == nil && a.Status == 503
				})
				answers += exerciseOutage(t, p, tokens[0])
			}
			if kind != "memory" && !bytes.Contains(dump, []byte(tokens[0][:22])) {
				t.Error("the dump does not hold a session's ID: it is no dump")
			}
			p.stop(t)
			everything := p.log.String() + p.greeting + answers
			if !strings.Contains(everything, "route=") {
				t.Errorf("the log has no requests: %s", everything)
			}
			for _, token := range tokens {
				for what, secret := range map[string]string{"a token": token, "a secret": token[22:]} {
					if strings.Contains(everything, secret) {
						t.Errorf("%s is in the log or in an answer", what)
					}
					if bytes.Contains(dump, []byte(secret)) {
						t.Errorf("%s is in the store", what)
					}
				}
			}
			if strings.Contains(everything, password) {
				t.Error("the store's password is in the log or in an answer")
			}
		})
	}
}

// exercise makes every kind of call and returns the tokens that it was given,
// and all answers but those that give them.
func exercise(t *testing.T, p *process) (tokens []string, answers string) {
	t.Helper()
	for range 5 {
		tokens = append(tokens, p.create(t, `{"a":1}`).Token)
	}
	renewed := tokens[3]
	for _, body := range []string{`{"grace":true}`, `{"subject":"ada"}`} {
		renewed = p.must(t, 200, "POST", "/v1/session/renew", renewed, body).Token
		tokens = append(tokens, renewed)
	}
	a, deleted := tokens[0], tokens[1]
	p.must(t, 204, "DELETE", "/v1/session", deleted, "")
	other := a[:22] + tokens[2][22:] // somebody's ID with somebody else's secret
	for _, c := range []struct{ method, path, token, body string }{
		{"GET", "/v1/session", a, ""},
		{"PUT", "/v1/session", a, `{"value":{"b":1}}`},
		{"PATCH", "/v1/session", a, `{"c":1}`},
		{"POST", "/v1/session/refresh", a, ""},
		{"POST", "/v1/session/renew", tokens[3], `{"grace":true}`},
		{"POST", "/v1/session/renew", renewed, `{"subject":"eve"}`},
		{"POST", "/v1/session/renew", renewed, `{"token":"` + renewed + `"}`},
		{"GET", "/v1/subjects/ada/sessions", renewed, ""},
		{"DELETE", "/v1/sessions/" + renewed, renewed, ""},
		{"GET", "/v1/session", deleted, ""},
		{"PATCH", "/v1/session", deleted, `{"c":1}`},
		{"GET", "/v1/session", other, ""},
		{"DELETE", "/v1/session", other, ""},
		{"GET", "/v1/session", a + "x", ""},
		{"PUT", "/v1/session", a, `{"value":`},
		{"PUT", "/v1/session", a, `{"token":"` + a + `"}`},
		{"PUT", "/v1/session", a, `{"value":"` + strings.Repeat("x", 2000) + `"}`},
		{"PUT", "/v1/session", a, strings.Repeat("x", 1<<20)},
		{"GET", "/v1/session/" + a, a, ""},
		{"GET", "/v1/session?token=" + a, "", ""},
		{"GET", "/" + a, "", ""},
		{"TRACE", "/v1/session", a, ""},
		{"GET", "/readyz", a, ""},
	} {
		got, err := p.call(t.Context(), c.method, c.path, c.token, c.body)
		if err != nil {
			t.Fatalf("%s %s: %v", c.method, "…", err)
		}
		answers += got.Text
	}
	return tokens, answers
}

// exerciseOutage calls while the store is gone.
func exerciseOutage(t *testing.T, p *process, token string) (answers string) {
	t.Helper()
	for _, method := range []string{"GET", "PUT", "PATCH", "DELETE"} {
		body := `{"value":1}`
		if method == "GET" || method == "DELETE" {
			body = ""
		}
		answers += p.must(t, 503, method, "/v1/session", token, body).Text
	}
	answers += p.must(t, 503, "POST", "/v1/sessions", "", `{"value":1}`).Text
	return answers
}
