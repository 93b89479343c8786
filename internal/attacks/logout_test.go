package attacks

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/redistest"
)

func logTo(b *lockedBuffer) *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }

// Resurrected logout: a request that began before a logout saves the session
// after it. The attacker keeps such requests open, on two servers.
func TestAttackResurrectedLogout(t *testing.T) {
	server := redistest.Start(t)
	began, goOn := make(chan bool), make(chan bool)
	slow := func(_ http.ResponseWriter, r *http.Request) {
		began <- true
		select {
		case <-goOn:
		case <-r.Context().Done():
		}
	}
	var sites [2]*site
	for i := range sites {
		sites[i] = startSite(t, coatcheck.Config[account]{Store: inRedis(t, server)}, slow)
	}
	owner := &browser{site: sites[0]}
	owner.send("POST", "/login", "name=ada")
	owner.send("POST", "/note", "note=private")
	stolen := owner.cookie

	const requests = 8
	statuses := make(chan int, requests)
	for i := range requests {
		attacker := &browser{sites[i%2], stolen}
		go func() {
			status, _ := attacker.send("POST", "/slow", "")
			statuses <- status
		}()
		<-began
	}
	owner.send("POST", "/logout", "")
	for range requests {
		goOn <- true
	}
	for range requests {
		if status := <-statuses; status != http.StatusUnauthorized {
			t.Errorf("a request that the logout has overtaken: status %d, want 401", status)
		}
	}
	for _, s := range sites {
		if _, page := (&browser{s, stolen}).send("POST", "/note", "note=x"); strings.HasPrefix(page, "ada|") {
			t.Errorf("the attacker is still signed in: %q", page)
		}
		if list, err := s.manager.Sessions(t.Context(), "ada"); err != nil || len(list) != 0 {
			t.Errorf("sessions of ada after the logout: %v, %v", list, err)
		}
	}
}
