package server_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/coatcheck/coatcheck/memstore"
)

// Two services share the store, so that nothing rests on what happens to be
// in one process.
func TestConcurrentPatchesLoseNothing(t *testing.T) {
	const clients, patches = 8, 100
	store, err := memstore.New(memstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	services := []*service{start(t, setup{store: store}), start(t, setup{store: store})}
	token := services[0].create(t, `{}`)

	var wait sync.WaitGroup
	for client := range clients {
		s := services[client%len(services)]
		wait.Go(func() {
			for i := range patches {
				a, err := s.send(request{method: "PATCH", path: "/v1/session", token: token, body: fmt.Sprintf(`{"%d-%d":%d}`, client, i, i)})
				if err != nil || a.status != 200 {
					t.Errorf("client %d, patch %d: %d %s, %v", client, i, a.status, a.body, err)
				}
			}
		})
	}
	wait.Wait()

	got := decode[session](t, services[0].get(t, token).want(t, "get", 200))
	if got.Rev != 1+clients*patches {
		t.Errorf("rev is %d, want %d", got.Rev, 1+clients*patches)
	}
	var value map[string]int
	if err := json.Unmarshal(got.Value, &value); err != nil {
		t.Fatal(err)
	}
	for client := range clients {
		for i := range patches {
			if n, kept := value[fmt.Sprintf("%d-%d", client, i)]; !kept || n != i {
				t.Errorf("patch %d of client %d is lost", i, client)
			}
		}
	}
}

// Optimistic clients that count up under If-Match count every time once.
func TestConcurrentConditionsAdmitOneEach(t *testing.T) {
	const clients, increments = 4, 25
	s := start(t, setup{})
	token := s.create(t, `0`)
	var wait sync.WaitGroup
	for range clients {
		wait.Go(func() {
			for done := 0; done < increments; {
				a, err := s.send(request{method: "GET", path: "/v1/session", token: token})
				var n int
				var seen session
				if err == nil {
					err = json.Unmarshal([]byte(a.body), &seen)
				}
				if err == nil {
					err = json.Unmarshal(seen.Value, &n)
				}
				if err != nil {
					t.Error(err)
					return
				}
				a, err = s.send(request{method: "PUT", path: "/v1/session", token: token, body: fmt.Sprintf(`{"value":%d}`, n+1),
					header: map[string]string{"If-Match": a.header.Get("ETag")}})
				switch {
				case err == nil && a.status == 200:
					done++
				case err != nil || a.status != 412:
					t.Errorf("%d %s, %v", a.status, a.body, err)
					return
				}
			}
		})
	}
	wait.Wait()
	s.wantValue(t, token, fmt.Sprint(clients*increments))
}
