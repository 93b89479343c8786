package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck/internal/redistest"
)

var (
	testAPIKey   = strings.Repeat("api-", 10)
	testAdminKey = strings.Repeat("adm-", 10)
)

// keyFiles returns the flags that name files with these keys.
func keyFiles(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	var flags []string
	for flag, key := range map[string]string{"--api-key-file": testAPIKey, "--admin-key-file": testAdminKey} {
		file := filepath.Join(dir, flag)
		if err := os.WriteFile(file, []byte(key+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		flags = append(flags, flag, file)
	}
	return flags
}

// mustAs is must with a key.
func (p *process) mustAs(t *testing.T, key string, status int, method, path, token, body string) answer {
	t.Helper()
	a, err := p.callAs(t.Context(), key, method, path, token, body)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", method, path, err, p.log.String())
	}
	if a.Status != status {
		t.Fatalf("%s %s: status %d, want %d: %s", method, path, a.Status, status, a.Text)
	}
	return a
}

// TestSessionsOfASubjectAcrossProcesses: what one process creates, another one
// lists, renews and ends, so that no process serves it when the answer is there.
func TestSessionsOfASubjectAcrossProcesses(t *testing.T) {
	redis := redistest.Start(t)
	args := append(keyFiles(t), "--store", redis.URL(), "--log-level", "debug", "--max-staleness", "200ms")
	a, b := start(t, args...), start(t, args...)

	create := func(subject string) string {
		return a.mustAs(t, testAPIKey, 201, "POST", "/v1/sessions", "", `{"value":{"n":1},"subject":"`+subject+`"}`).Token
	}
	first, second, eves := create("ada/1"), create("ada/1"), create("eve")
	const path = "/v1/subjects/ada%2F1/sessions"
	var list struct{ Sessions []struct{ ID string } }
	text := b.mustAs(t, testAdminKey, 200, "GET", path, "", "").Text
	if err := json.Unmarshal([]byte(text), &list); err != nil || len(list.Sessions) != 2 {
		t.Errorf("the list is %s, %v", text, err)
	}
	b.mustAs(t, testAPIKey, 401, "GET", path, "", "")
	b.mustAs(t, testAdminKey, 401, "GET", "/v1/session", first, "")

	renewed := b.mustAs(t, testAPIKey, 200, "POST", "/v1/session/renew", first, "").Token
	a.mustAs(t, testAPIKey, 200, "GET", "/v1/session", renewed, "")
	a.mustAs(t, testAPIKey, 404, "POST", "/v1/session/renew", first, "")

	a.mustAs(t, testAPIKey, 200, "GET", "/v1/session", second, "")
	if text := b.mustAs(t, testAdminKey, 200, "DELETE", path+"?everywhere=true&except="+first[:22], "", "").Text; !strings.Contains(text, `{"ended":1}`) {
		t.Errorf("ended: %s", text)
	}
	a.mustAs(t, testAPIKey, 404, "GET", "/v1/session", second, "")
	a.mustAs(t, testAPIKey, 200, "GET", "/v1/session", renewed, "")
	b.mustAs(t, testAdminKey, 204, "DELETE", "/v1/sessions/"+first[:22]+"?everywhere=true", "", "")
	a.mustAs(t, testAPIKey, 404, "GET", "/v1/session", renewed, "")
	a.mustAs(t, testAdminKey, 404, "GET", "/v1/sessions/"+first[:22], "", "")
	a.mustAs(t, testAPIKey, 200, "GET", "/v1/session", eves, "")

	a.stop(t)
	b.stop(t)
	log := a.log.String() + b.log.String()
	for _, want := range []string{`msg="coatcheck: session created" session=` + first[:22] + ` subject=ada/1`,
		`msg="coatcheck: session renewed" session=` + first[:22], `msg="coatcheck: session revoked" session=` + second[:22]} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not tell %s:\n%s", want, log)
		}
	}
	for _, secret := range []string{testAPIKey, testAdminKey, first[22:], second[22:], eves[22:], renewed[22:]} {
		if strings.Contains(log+a.greeting+b.greeting, secret) {
			t.Error("a key or a token is in the log")
		}
	}
}

// TestAdminKeyFileAlone: ordinary calls need no key then, and the greeting has none.
func TestAdminKeyFileAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "admins")
	if err := os.WriteFile(file, []byte(testAdminKey), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o644); err != nil { // whatever the umask
		t.Fatal(err)
	}
	t.Setenv("COATCHECK_ADMIN_KEY_FILE", file)
	p := start(t, "--store", "memory:")
	token := p.create(t, `{}`).Token
	p.must(t, 401, "GET", "/v1/sessions/"+token[:22], "", "")
	p.mustAs(t, testAdminKey, 200, "GET", "/v1/sessions/"+token[:22], "", "")
	if strings.Contains(p.greeting, "X-API-Key") {
		t.Errorf("the greeting: %s", p.greeting)
	}
	if log := p.log.String(); !strings.Contains(log, "read the keys of --admin-key-file: chmod 600") || strings.Contains(log, testAdminKey) {
		t.Errorf("the log does not warn, or shows the key: %s", log)
	}
}

func TestRenewalWithGrace(t *testing.T) {
	p := start(t, append(keyFiles(t), "--store", "memory:")...)
	token := p.mustAs(t, testAPIKey, 201, "POST", "/v1/sessions", "", `{"value":{},"client":{"address":"192.0.2.1"}}`).Token
	renewed := p.mustAs(t, testAPIKey, 200, "POST", "/v1/session/renew", token, `{"grace":true}`).Token
	for _, either := range []string{token, renewed} {
		p.mustAs(t, testAPIKey, 200, "GET", "/v1/session", either, "")
	}
	p.mustAs(t, testAPIKey, 409, "POST", "/v1/session/renew", token, `{"grace":true}`)
	if text := p.mustAs(t, testAdminKey, 200, "GET", "/v1/sessions/"+token[:22], "", "").Text; !strings.Contains(text, `"client":{"address":"192.0.2.1","user_agent":""}`) {
		t.Errorf("described as %s", text)
	}
}

func TestSessionsAreLimited(t *testing.T) {
	const ada = `{"value":{},"subject":"ada"}`
	p := start(t, "--store", "memory:", "--max-sessions", "1", "--when-full", "refuse-newest")
	first := p.must(t, 201, "POST", "/v1/sessions", "", ada).Token
	p.must(t, 403, "POST", "/v1/sessions", "", ada)
	p.must(t, 200, "GET", "/v1/session", first, "")

	t.Setenv("COATCHECK_MAX_SESSIONS", "1") // and by default the oldest makes room
	p = start(t, "--store", "memory:")
	first = p.must(t, 201, "POST", "/v1/sessions", "", ada).Token
	eventually(t, "the oldest has made room", func() bool { // two of one millisecond are in no order
		a, err := p.call(t.Context(), "POST", "/v1/sessions", "", ada)
		return err == nil && a.Status == 201
	})
	p.must(t, 404, "GET", "/v1/session", first, "")
}

// TestReuseOfARetiredToken: after the grace it ends the session, or is reported only.
func TestReuseOfARetiredToken(t *testing.T) {
	for policy, want := range map[string]int{"revoke": 404, "report": 200} {
		p := start(t, "--store", "memory:", "--renew-grace", "20ms", "--on-reuse", policy)
		old := p.create(t, `{}`).Token
		renewed := p.must(t, 200, "POST", "/v1/session/renew", old, `{"grace":true}`).Token
		p.mustSoon(t, 404, "GET", "/v1/session", old)
		eventually(t, "the reuse is told", func() bool {
			_, err := p.call(t.Context(), "GET", "/v1/session", old, "")
			return err == nil && strings.Contains(p.log.String(), `msg="coatcheck: token reused" session=`+old[:22])
		})
		p.must(t, want, "GET", "/v1/session", renewed, "")
	}
}

// TestTimeoutsOfLevelsAndStrangers reads when sessions end.
func TestTimeoutsOfLevelsAndStrangers(t *testing.T) {
	for what, c := range map[string]struct {
		args []string
		want time.Duration
	}{
		"aal3":                 {[]string{"--level", "aal3"}, 15 * time.Minute},
		"aal2":                 {[]string{"--level", "aal2"}, time.Hour},
		"aal1, without idling": {[]string{"--level", "aal1", "--idle-timeout", "never"}, 30 * 24 * time.Hour},
		"no level":             {[]string{"--level", ""}, 30 * time.Minute},
		"strangers":            {[]string{"--anonymous-timeout", "5m"}, 5 * time.Minute},
	} {
		p := start(t, append([]string{"--store", "memory:"}, c.args...)...)
		before := time.Now().Truncate(time.Millisecond)
		text := p.create(t, `{}`).Text
		var got struct {
			ExpiresAt time.Time `json:"expires_at"`
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		if got.ExpiresAt.Before(before.Add(c.want)) || got.ExpiresAt.After(time.Now().Add(c.want)) {
			t.Errorf("%s: ends in %v, want %v", what, got.ExpiresAt.Sub(before), c.want)
		}
	}
}
