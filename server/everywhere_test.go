package server_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/memstore"
)

// deaf is a store that reports no changes, so that only the bound on staleness
// ends what others hold in memory.
type deaf struct {
	coatcheck.Store
	coatcheck.Lister
}

func newDeaf(t *testing.T) deaf {
	t.Helper()
	store, err := memstore.New(memstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return deaf{store, store}
}

// When the answer is there no other node serves what was ended, although the
// connection's limits are over by then.
func TestEverywhereWaitsForTheOtherNodes(t *testing.T) {
	const staleness = 300 * time.Millisecond
	on := setup{store: newDeaf(t), admins: []string{adminKey}, limit: staleness / 4,
		manager: config{NearCache: coatcheck.NearCache{MaxStaleness: staleness}}}
	here, there := start(t, on), start(t, on)
	for what, path := range map[string]string{"one": "/v1/sessions/ID", "all": sessionsOf("ada")} {
		token := here.createFor(t, "ada")
		there.get(t, token).want(t, "get", 200) // and it is in memory there
		here.admin(t, "DELETE", strings.Replace(path, "ID", token[:22], 1)+"?everywhere=true").want(t, what, map[string]int{"one": 204, "all": 200}[what])
		there.get(t, token).want(t, what+", on another node", 404)
	}
}

// Who waits for an hour is let go when the client leaves; the session has ended.
func TestEverywhereEndsWithItsClient(t *testing.T) {
	s := start(t, setup{store: newDeaf(t), admins: []string{adminKey}, manager: config{NearCache: coatcheck.NearCache{MaxStaleness: time.Hour}}})
	for path, route := range map[string]string{"/v1/sessions/ID": "/v1/sessions/{id}", sessionsOf("ada"): "/v1/subjects/{subject}/sessions"} {
		token := s.createFor(t, "ada")
		ctx, leave := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, "DELETE", s.url+strings.Replace(path, "ID", token[:22], 1)+"?everywhere=true", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-API-Key", adminKey)
		go func() {
			defer leave()
			for begin := time.Now(); time.Since(begin) < time.Minute; {
				if a, err := s.send(request{method: "GET", path: "/v1/session", token: token}); err != nil || a.status == 404 {
					return
				}
			}
		}()
		if res, err := s.client.Do(req); err == nil {
			res.Body.Close()
			t.Fatalf("answered with %d", res.StatusCode)
		}
		s.get(t, token).want(t, "get", 404)
		for begin := time.Now(); !strings.Contains(s.log.String(), `route="DELETE `+route+`" status=503`); {
			if time.Since(begin) > time.Minute {
				t.Fatalf("the call does not end:\n%s", s.log)
			}
		}
		if text := s.log.String(); strings.Contains(text, "level=ERROR") {
			t.Errorf("the log:\n%s", text)
		}
	}
}
