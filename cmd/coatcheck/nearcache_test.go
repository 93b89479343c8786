package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/redistest"
)

// near returns what /debug/vars tells of the near cache.
func (p *process) near(t *testing.T) coatcheck.NearCacheStats {
	t.Helper()
	var vars struct{ Coatcheck coatcheck.Stats }
	if err := json.Unmarshal([]byte(p.must(t, 200, "GET", "/debug/vars", "", "").Text), &vars); err != nil {
		t.Fatal(err)
	}
	return vars.Coatcheck.NearCache
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for begin := time.Now(); !holds(); time.Sleep(time.Millisecond) { // between two looks at the condition
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("not so within 20 s: %s", what)
		}
	}
}

// mustSoon is must for what another process was asked to bring about.
func (p *process) mustSoon(t *testing.T, status int, method, path, token string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s %s is answered with %d", method, path, status), func() bool {
		a, err := p.call(t.Context(), method, path, token, "")
		return err == nil && a.Status == status
	})
}

func TestNearCacheEntries(t *testing.T) {
	for entries, want := range map[string]uint64{"": 3, "0": 0} {
		args := []string{"--store", "memory:"}
		if entries != "" {
			args = append(args, "--near-cache-entries", entries)
		}
		p := start(t, args...)
		token := p.create(t, `{}`).Token
		for range 3 {
			p.must(t, 200, "GET", "/v1/session", token, "")
		}
		got := p.near(t)
		if got.Hits != want || entries == "0" && got != (coatcheck.NearCacheStats{}) {
			t.Errorf("--near-cache-entries %s: %+v, want %d hits", entries, got, want)
		}
	}

	p := start(t, "--store", "memory:", "--near-cache-entries", "5")
	for range 100 {
		p.create(t, `{}`)
	}
	eventually(t, "5 entries are held at most", func() bool { return p.near(t).Entries <= 5 })
}

// restrictions say to a server what a user may do.
const (
	mayRead    = `~coat:* resetchannels &coat:changes -@all +get +set +del +getrange +strlen +setrange +pexpireat +persist +eval +evalsha +scan +role +ping`
	mayPublish = mayRead + ` +publish +subscribe +unsubscribe`
)

// restricted returns how to reach the server as a user with these rights only.
func restricted(t *testing.T, redis *redistest.Server, rules string) (url string) {
	t.Helper()
	client := redis.Client()
	set := strings.Fields("ACL SETUSER app on >hunter2 " + rules)
	if err := client.Do(t.Context(), client.B().Arbitrary(set...).Build()).Error(); err != nil {
		t.Fatal(err)
	}
	return "redis://app:hunter2@" + redis.Addr
}

// TestChangesAreReported has one process change and end what another holds in
// memory for an hour, unless it is told.
func TestChangesAreReported(t *testing.T) {
	for what, c := range map[string]struct {
		rules          string // of the user, if not all is allowed
		writer, reader []string
	}{
		"by default":                       {},
		"tracking":                         {"", []string{"--redis-invalidation", "tracking"}, []string{"--redis-invalidation", "tracking"}},
		"pubsub":                           {"", []string{"--redis-invalidation", "pubsub"}, []string{"--redis-invalidation", "pubsub"}},
		"pubsub, as tracking is forbidden": {mayPublish, nil, nil},
		// Who holds nothing in memory must tell the others all the same.
		"by one without a near cache":                                      {"", []string{"--near-cache-entries", "0"}, nil},
		"by one without a near cache, by pubsub":                           {"", []string{"--near-cache-entries", "0", "--redis-invalidation", "pubsub"}, []string{"--redis-invalidation", "pubsub"}},
		"by one without a near cache, by pubsub, as tracking is forbidden": {mayPublish, []string{"--near-cache-entries", "0"}, nil},
	} {
		t.Run(what, func(t *testing.T) {
			redis := redistest.Start(t)
			url := redis.URL()
			if c.rules != "" {
				url = restricted(t, redis, c.rules)
			}
			args := []string{"--store", url, "--max-staleness", "1h"}
			writer, reader := start(t, append(args, c.writer...)...), start(t, append(args, c.reader...)...)
			eventually(t, "the watch begins", func() bool { return reader.near(t).MarkAge >= 0 })

			token := writer.create(t, `{"by":"nobody"}`).Token
			reader.must(t, 200, "GET", "/v1/session", token, "")
			reader.must(t, 200, "GET", "/v1/session", token, "")
			if reader.near(t).Hits == 0 {
				t.Error("the reader does not hold the session in memory: this proves nothing")
			}
			writer.must(t, 200, "PUT", "/v1/session", token, `{"value":{"by":"writer"}}`)
			eventually(t, "the change is seen", func() bool {
				return reader.must(t, 200, "GET", "/v1/session", token, "").Value["by"] == "writer"
			})
			writer.must(t, 204, "DELETE", "/v1/session", token, "")
			reader.mustSoon(t, 404, "GET", "/v1/session", token)
		})
	}
}

// TestWithoutReportsStalenessIsBounded: --max-staleness alone ends what is held
// in memory.
func TestWithoutReportsStalenessIsBounded(t *testing.T) {
	redis := redistest.Start(t)
	processes := func(bound time.Duration) (writer, reader *process) {
		args := []string{"--store", redis.URL(), "--redis-invalidation", "none", "--max-staleness", bound.String()}
		return start(t, args...), start(t, args...)
	}

	// Within the bound nobody asks the store: the flag has arrived.
	writer, reader := processes(time.Hour)
	token := writer.create(t, `{}`).Token
	reader.must(t, 200, "GET", "/v1/session", token, "")
	writer.must(t, 200, "PUT", "/v1/session", token, `{"value":{}}`)
	if got := reader.must(t, 200, "GET", "/v1/session", token, ""); got.Rev != 1 {
		t.Errorf("revision %d is read, though nothing tells of it", got.Rev)
	}

	const bound = 200 * time.Millisecond
	writer, reader = processes(bound)
	token = writer.create(t, `{}`).Token
	reader.must(t, 200, "GET", "/v1/session", token, "")
	// until calls until it is answered so, which must be within the bound.
	until := func(what string, asWanted func(answer) bool) {
		changed := time.Now()
		for {
			began := time.Now()
			got, err := reader.call(t.Context(), "GET", "/v1/session", token, "")
			if err != nil {
				t.Fatal(err)
			}
			if asWanted(got) {
				return
			}
			if late := began.Sub(changed); late > bound {
				t.Fatalf("%s: a read %v later is answered %s", what, late, got.Text)
			}
		}
	}
	writer.must(t, 200, "PUT", "/v1/session", token, `{"value":{"by":"writer"}}`)
	until("PUT", func(a answer) bool { return a.Value["by"] == "writer" })
	writer.must(t, 204, "DELETE", "/v1/session", token, "")
	until("DELETE", func(a answer) bool { return a.Status == 404 })
}

// TestLogNamesTheInvalidation: which one is in use, and why.
func TestLogNamesTheInvalidation(t *testing.T) {
	redis := redistest.Start(t)
	for what, c := range map[string]struct {
		url  string
		args []string
		want string
	}{
		"by default": {redis.URL(), nil, `invalidation=tracking why="as configured"`},
		"tracking":   {redis.URL(), []string{"--redis-invalidation", "tracking"}, `invalidation=tracking why="as configured"`},
		"pubsub":     {redis.URL(), []string{"--redis-invalidation", "pubsub"}, `invalidation=pubsub why="as configured"`},
		"none":       {redis.URL(), []string{"--redis-invalidation", "none"}, `invalidation=none why="as configured"`},
		"no tracking": {restricted(t, redistest.Start(t), mayPublish), nil,
			`invalidation=pubsub why="no tracking: NOPERM`},
		"neither": {restricted(t, redistest.Start(t), mayRead), nil,
			`invalidation=none why="NOPERM`},
	} {
		t.Run(what, func(t *testing.T) {
			p := start(t, append(c.args, "--store", c.url)...)
			eventually(t, "the log says "+c.want, func() bool { return strings.Contains(p.log.String(), c.want) })
		})
	}
}
