package main

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/coatcheck/coatcheck/internal/redistest"
)

// TestTwoProcessesShareRedis: what one creates the other reads, changes and
// deletes.
func TestTwoProcessesShareRedis(t *testing.T) {
	redis := redistest.Start(t)
	a, b := start(t, "--store", redis.URL()), start(t, "--store", redis.URL())

	token := a.create(t, `{"by":"a"}`).Token
	if got := b.must(t, 200, "GET", "/v1/session", token, ""); got.Value["by"] != "a" || got.Rev != 1 {
		t.Errorf("b reads %s", got.Text)
	}
	b.must(t, 200, "PUT", "/v1/session", token, `{"value":{"by":"b"}}`)
	eventually(t, "a reads what b wrote", func() bool {
		got := a.must(t, 200, "GET", "/v1/session", token, "")
		return got.Value["by"] == "b" && got.Rev == 2
	})
	b.must(t, 200, "POST", "/v1/session/refresh", token, "")
	b.must(t, 204, "DELETE", "/v1/session", token, "")
	a.mustSoon(t, 404, "GET", "/v1/session", token)
	a.must(t, 404, "PATCH", "/v1/session", token, `{"x":1}`)
	a.must(t, 204, "DELETE", "/v1/session", token, "")
}

// TestPatchesFromTwoProcessesLoseNothing: both change one value, 1,000 times
// each, on keys of their own.
func TestPatchesFromTwoProcessesLoseNothing(t *testing.T) {
	const patches, clients = 1000, 4
	redis := redistest.Start(t)
	a, b := start(t, "--store", redis.URL()), start(t, "--store", redis.URL())
	token := a.create(t, `{}`).Token

	var wg sync.WaitGroup
	for name, p := range map[string]*process{"a": a, "b": b} {
		for client := range clients {
			wg.Go(func() {
				for i := client; i < patches; i += clients {
					got, err := p.call(t.Context(), "PATCH", "/v1/session", token, fmt.Sprintf(`{"%s%d":%d}`, name, i, i))
					if err != nil || got.Status != 200 {
						t.Errorf("PATCH: %v, status %d: %.200s", err, got.Status, got.Text)
						return
					}
				}
			})
		}
	}
	wg.Wait()
	a.must(t, 200, "PATCH", "/v1/session", token, `{}`) // which asks the store
	got := a.must(t, 200, "GET", "/v1/session", token, "")
	if len(got.Value) != 2*patches || got.Rev != 2*patches+2 {
		t.Errorf("%d keys at revision %d, want %d at %d", len(got.Value), got.Rev, 2*patches, 2*patches+2)
	}
}

// TestKilledServiceKeepsWhatItAcknowledged kills the service without warning
// while clients create sessions: each token that a client was given must be
// good after the restart.
func TestKilledServiceKeepsWhatItAcknowledged(t *testing.T) {
	const clients, enough = 16, 500
	store := "sqlite:" + filepath.Join(t.TempDir(), "sessions.db")
	for round := range 3 {
		p := start(t, "--store", store)
		var mu sync.Mutex
		acknowledged := make(map[string]string)
		var count atomic.Int64
		var wg sync.WaitGroup
		for client := range clients {
			wg.Go(func() {
				for i := 0; ; i++ {
					want := fmt.Sprintf("%d/%d/%d", round, client, i)
					got, err := p.call(t.Context(), "POST", "/v1/sessions", "", fmt.Sprintf(`{"value":{"n":%q}}`, want))
					if err != nil {
						return // the service is gone
					}
					if got.Status != 201 {
						t.Errorf("POST: status %d: %s", got.Status, got.Text)
						return
					}
					mu.Lock()
					acknowledged[got.Token] = want
					mu.Unlock()
					if count.Add(1) == enough {
						_ = p.signal(syscall.SIGKILL) // the others are under way
					}
				}
			})
		}
		wg.Wait()
		p.kill()

		p = start(t, "--store", store)
		lost := 0
		for token, want := range acknowledged {
			got, err := p.call(t.Context(), "GET", "/v1/session", token, "")
			if err != nil || got.Status != 200 || got.Value["n"] != want {
				lost++
			}
		}
		t.Logf("round %d: %d sessions acknowledged before the kill, %d lost", round, len(acknowledged), lost)
		if lost > 0 || len(acknowledged) < enough {
			t.Errorf("%d of %d acknowledged sessions are lost", lost, len(acknowledged))
		}
		p.stop(t)
	}
}
