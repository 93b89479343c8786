package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck/internal/redistest"
)

// TestGreetingCanBeFollowed runs the three lines that the service prints.
func TestGreetingCanBeFollowed(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "Ada's keys")
	text := "\ufeff# the first\r\n\r\n  " + strings.Repeat("k", 40) + "\r\n" + strings.Repeat("l", 40)
	if err := os.WriteFile(keys, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, args := range map[string][]string{
		"without an API key": {"--store", "memory:"},
		"with an API key":    {"--store", "memory:", "--api-key-file", keys},
	} {
		t.Run(what, func(t *testing.T) {
			p := start(t, args...)
			_, lines, ok := strings.Cut(p.greeting, "try:\n")
			if !ok || strings.Count(lines, "\n") != 3 {
				t.Fatalf("the greeting has no three lines to try:\n%s", p.greeting)
			}
			out, err := exec.Command("sh", "-ec", lines+`test ${#TOKEN} -eq 44; echo done`).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s\n%s", err, lines, out)
			}
			if text := string(out); !strings.Contains(text, `"value":{"user":"ada"}`) || strings.Contains(text, `"status"`) || !strings.HasSuffix(text, "done\n") {
				t.Errorf("the three lines print\n%s", text)
			}
		})
	}
}

func TestStopEndsCleanly(t *testing.T) {
	p := start(t, "--store", "memory:")
	p.must(t, 200, "GET", "/healthz", "", "")
	p.stop(t)
	if _, err := p.call(t.Context(), "GET", "/healthz", "", ""); err == nil {
		t.Error("the service answers after it was stopped")
	}
}

func TestSettingsByEnvironment(t *testing.T) {
	t.Setenv("COATCHECK_STORE", "memory:")
	t.Setenv("COATCHECK_IDLE_TIMEOUT", "never")
	t.Setenv("COATCHECK_ABSOLUTE_TIMEOUT", "never")
	p := start(t)
	if !strings.Contains(p.greeting, "store: memory:") {
		t.Errorf("COATCHECK_STORE is not heeded:\n%s", p.greeting)
	}
	if a := p.create(t, `{}`); !strings.Contains(a.Text, `"expires_at":null`) {
		t.Errorf("COATCHECK_IDLE_TIMEOUT=never is not heeded: it expires: %v", strings.Contains(a.Text, "expires_at"))
	}
}

// TestRefusals: what is wrong on the command line is said, with what to do,
// and nothing secret is repeated.
func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	redis := redistest.Start(t, "--requirepass", "the-right-one")
	redis.Kill() // an address where nobody answers
	for what, c := range map[string]struct {
		args []string
		want string
	}{
		"beyond loopback":    {[]string{"--listen", "0.0.0.0:0"}, "--api-key-file"},
		"every address":      {[]string{"--listen", ":0"}, "--api-key-file"},
		"no address":         {[]string{"--listen", "nowhere"}, "--listen"},
		"unknown store":      {[]string{"--store", "mysql://u:hunter2@h/d"}, "sqlite:PATH"},
		"bad URL":            {[]string{"--store", "redis://u:hunter2@h:x"}, "redis://"},
		"unreachable":        {[]string{"--store", "redis://:hunter2@" + redis.Addr}, "unavailable"},
		"no folder":          {[]string{"--store", "sqlite:" + dir + "/no/x.db"}, dir + "/no"},
		"memory with a path": {[]string{"--store", "memory:x"}, "memory:"},
		"no duration":        {[]string{"--idle-timeout", "soon"}, "soon"},
		"no positive one":    {[]string{"--idle-timeout", "-1s"}, "-1s"},
		"idle over absolute": {[]string{"--store", "memory:", "--idle-timeout", "48h"}, "set --idle-timeout to never"},
		"negative limit":     {[]string{"--store", "memory:", "--max-value-bytes=-1"}, "--max-value-bytes is -1"},
		"options of SQLite":  {[]string{"--store", "sqlite:" + dir + "/x.db?mode=ro"}, "no options"},
		"no key file":        {[]string{"--api-key-file", dir + "/none"}, dir + "/none"},
		"short key":          {[]string{"--api-key-file", write("short", "hunter2\n")}, "openssl rand"},
		"no key":             {[]string{"--api-key-file", write("empty", "# none\n")}, "openssl rand"},
		"misplaced URL":      {[]string{"redis://:hunter2@h:6379"}, "unexpected argument"},
		"misplaced address":  {[]string{"--listen", "redis://:hunter2@h"}, "HOST:PORT"},
		"URL for a flag":     {[]string{"--redis://u:hunter2@h"}, "--name=value"},
		"URL for a number":   {[]string{"--max-value-bytes=redis://u:hunter2@h"}, "--name=value"},
		"negative entries":   {[]string{"--near-cache-entries=-5"}, `--near-cache-entries: "-5" is no number of sessions`},
		"entries in words":   {[]string{"--near-cache-entries", "many"}, "or 0 to hold none"},
		"no staleness":       {[]string{"--max-staleness", "0"}, "set --near-cache-entries to 0"},
		"negative staleness": {[]string{"--max-staleness=-1s"}, `--max-staleness: "-1s" is too short`},
		"no unit":            {[]string{"--max-staleness", "5"}, `--max-staleness: "5" is no duration: want one such as 200ms or 1s`},
		"tiny staleness": {[]string{"--store", "memory:", "--max-staleness", "5ms"},
			"\n--max-staleness is 5ms: must be at least 10ms; to have every read ask the store, set --near-cache-entries to 0"},
		"admin key beyond loopback": {[]string{"--listen", "0.0.0.0:0", "--admin-key-file", write("admin", "# "+strings.Repeat("x", 40)+"\n"+strings.Repeat("a", 40))}, "without an API key"},
		"no admin key file":         {[]string{"--admin-key-file", dir + "/none"}, "--admin-key-file: "},
		"short admin key":           {[]string{"--admin-key-file", write("short", "hunter2\n")}, "--admin-key-file " + dir + "/short: "},
		"no admin key":              {[]string{"--admin-key-file", write("empty", "# none\n")}, "openssl rand"},
		"a key for both": {[]string{"--store", "memory:", "--api-key-file", write("keys", strings.Repeat("k", 40)+"\n"+strings.Repeat("hunter2", 6)),
			"--admin-key-file", write("admins", "\n"+strings.Repeat("hunter2", 6)+"\n")}, "in --api-key-file and in --admin-key-file"},
		"no grace":               {[]string{"--renew-grace", "0"}, `--renew-grace: "0" is no duration`},
		"endless grace":          {[]string{"--renew-grace", "never"}, `--renew-grace: "never" is no duration`},
		"tiny grace":             {[]string{"--store", "memory:", "--renew-grace", "1us"}, "\n--renew-grace is 1µs: must be from one millisecond to 24h"},
		"unknown policy":         {[]string{"--on-reuse", "ignore"}, `--on-reuse must be one of "revoke","report"`},
		"unknown full policy":    {[]string{"--when-full", "x"}, `--when-full must be one of "end-oldest","refuse-newest"`},
		"negative sessions":      {[]string{"--store", "memory:", "--max-sessions=-1"}, "\n--max-sessions is -1: must be positive, or 0 for any number"},
		"anonymous for too long": {[]string{"--store", "memory:", "--anonymous-timeout", "never"}, "\n--anonymous-timeout never is longer than --absolute-timeout 24h"},
		"unknown assurance":      {[]string{"--level", "aal4"}, `"aal1","aal2","aal3"`},
		"too long for a level":   {[]string{"--store", "memory:", "--level", "aal2", "--idle-timeout", "2h"}, "\n--idle-timeout 2h0m0s is too long for --level aal2, which allows 1h0m0s"},
		"endless at a level":     {[]string{"--store", "memory:", "--level", "aal1", "--absolute-timeout", "never"}, "\n--absolute-timeout never is too long for --level aal1, which allows 720h0m0s"},
		"unknown invalidation":   {[]string{"--redis-invalidation", "foo"}, `--redis-invalidation must be one of "tracking","pubsub","none" but got "foo"`},
		"unknown flag":           {[]string{"--prot", "1"}, "--prot"},
		"unknown level":          {[]string{"--log-level", "loud"}, "debug"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Chdir(dir) // the default store would go there
			var out bytes.Buffer
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // should it serve after all
			defer cancel()
			err := run(ctx, append([]string{"serve", "--listen", "127.0.0.1:0"}, c.args...), streams{io.Discard, &out})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one that names %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error()+out.String(), "hunter2") {
				t.Error("a password is repeated")
			}
		})
	}
}

func TestPortInUse(t *testing.T) {
	p := start(t, "--store", "memory:")
	err := run(t.Context(), []string{"serve", "--store", "memory:", "--listen", strings.TrimPrefix(p.url, "http://")}, streams{io.Discard, io.Discard})
	if err == nil || !strings.Contains(err.Error(), "--listen") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v, want one that names --listen", err)
	}
}

// TestConnectionsAreLimited: no client can hold one for ever, or send headers
// without end.
func TestConnectionsAreLimited(t *testing.T) {
	c := serveCommand{Listen: "127.0.0.1:0", Store: "memory:"}
	a, err := c.open(t.Context(), streams{io.Discard, io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	for what, limit := range map[string]time.Duration{
		"ReadHeaderTimeout": a.server.ReadHeaderTimeout, "ReadTimeout": a.server.ReadTimeout,
		"WriteTimeout": a.server.WriteTimeout, "IdleTimeout": a.server.IdleTimeout,
	} {
		if limit <= 0 {
			t.Errorf("%s is not set", what)
		}
	}
	if a.server.MaxHeaderBytes <= 0 {
		t.Error("MaxHeaderBytes is not set")
	}
}

// TestShortAbsoluteTimeoutAlone: the default idle timeout gives way.
func TestShortAbsoluteTimeoutAlone(t *testing.T) {
	start(t, "--store", "memory:", "--absolute-timeout", "10m")
}

// TestOtherHostNamesAreRefused: a page whose name resolves to 127.0.0.1 is to a
// browser the same site.
func TestOtherHostNamesAreRefused(t *testing.T) {
	p := start(t, "--store", "memory:")
	for host, want := range map[string]int{
		"evil.example": 403, "evil.example:7600": 403, "127.0.0.1.evil.example": 403, "10.0.0.1": 403,
		"localhost": 200, "LocalHost:7600": 200, "localhost.": 200, "127.0.0.1": 200, "127.0.0.1:1": 200, "[::1]": 200, "[::1]:7600": 200,
	} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", p.url+"/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("Host %s: status %d, want %d", host, res.StatusCode, want)
		}
	}
}

// TestHelpNamesEverySetting: with its variable, within the width of a terminal.
func TestHelpNamesEverySetting(t *testing.T) {
	var out bytes.Buffer
	cmd := exec.Command(os.Args[0], "serve", "--help")
	cmd.Env, cmd.Stdout = append(os.Environ(), runAsService+"=1"), &out
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	words := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{
		"--near-cache-entries=N How many", "0 for none (default 100000) ($COATCHECK_NEAR_CACHE_ENTRIES)",
		"--max-staleness=DURATION How long", "at least 10ms", "(default 1s) ($COATCHECK_MAX_STALENESS)",
		"--redis-invalidation=KIND How", "pubsub; or none", "(default tracking) ($COATCHECK_REDIS_INVALIDATION)",
		"--admin-key-file=FILE File", "($COATCHECK_ADMIN_KEY_FILE)",
		"--renew-grace=DURATION How long", "(default 30s) ($COATCHECK_RENEW_GRACE)",
		"--on-reuse=POLICY What", "(default revoke) ($COATCHECK_ON_REUSE)",
		"--max-sessions=N How many", "0 for any number (default 0) ($COATCHECK_MAX_SESSIONS)",
		"--when-full=POLICY What", "(default end-oldest) ($COATCHECK_WHEN_FULL)",
		"--anonymous-timeout=DURATION End", "($COATCHECK_ANONYMOUS_TIMEOUT)",
		"--level=AAL Refuse", "aal1, aal2 or aal3", "($COATCHECK_LEVEL)",
	} {
		if !strings.Contains(words, want) {
			t.Errorf("--help does not say %q:\n%s", want, out.String())
		}
	}
	for line := range strings.Lines(out.String()) {
		if len(line) > 81 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}

func TestVersion(t *testing.T) {
	var out bytes.Buffer
	if err := run(context.Background(), []string{"version"}, streams{&out, io.Discard}); err != nil || !strings.HasPrefix(out.String(), "coatcheck ") {
		t.Errorf("version prints %q, error %v", out.String(), err)
	}
}
