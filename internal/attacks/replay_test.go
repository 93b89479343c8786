package attacks

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
)

// Replay: the attacker has copied a token that was renewed since.
func TestAttackReplayOfARetiredToken(t *testing.T) {
	for name, opts := range map[string][]coatcheck.RenewOption{
		"renewed as it aged": {coatcheck.WithGrace()},
		"renewed at a login": {coatcheck.ForSubject("ada")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := new(lockedBuffer)
				events := make(chan coatcheck.Event, 100)
				m, err := coatcheck.New(coatcheck.Config[account]{
					Store: memory(t), Logger: logTo(log), OnEvent: func(e coatcheck.Event) { events <- e },
				})
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close()
				stolen := generate(t, m, "private")
				time.Sleep(time.Minute)
				token, err := m.Renew(t.Context(), stolen, opts...)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * coatcheck.DefaultRenewGrace) // one to be accepted, and one to be late
				if _, err := m.Get(t.Context(), token); err != nil {
					t.Errorf("the owner, before the attack: %v", err)
				}
				_, err = m.Get(t.Context(), stolen)
				wantErr(t, "the attacker", err, coatcheck.ErrNotFound)

				// Who of the two is the thief nobody knows: neither goes on.
				_, err = m.Get(t.Context(), token)
				wantErr(t, "the owner, after the attack", err, coatcheck.ErrNotFound)
				synctest.Wait()
				kinds := make(map[coatcheck.EventKind]int)
				for len(events) > 0 {
					kinds[(<-events).Kind]++
				}
				if kinds[coatcheck.TokenReused] != 1 || kinds[coatcheck.SessionRevoked] != 1 {
					t.Errorf("events %v, want one of the reuse and one of the revocation", kinds)
				}
				if text := log.String(); !strings.Contains(text, stolen.ID()) || strings.Contains(text, string(stolen[22:])) {
					t.Errorf("the log does not name the session, or it shows the secret: %s", text)
				}
			})
		})
	}
}
