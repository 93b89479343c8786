package attacks

import (
	"crypto/rand"
	"encoding/base64"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
)

// Guessing: the attacker knows the ID of a living session, which is public, and
// tries secrets; or tries whole tokens. What it costs is told by -v.
func TestAttackGuessing(t *testing.T) {
	store := &counting{Store: memory(t)}
	m, err := coatcheck.New(coatcheck.Config[account]{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	token := generate(t, m, "private")
	if _, err := m.Get(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	const attackers, each = 8, 5000
	began, loads := time.Now(), store.loads
	var all sync.WaitGroup
	for range attackers {
		all.Go(func() {
			for i := range each {
				var random [32]byte
				rand.Read(random[:])
				id := token.ID()
				if i%2 == 1 {
					id = base64.RawURLEncoding.EncodeToString(random[16:])
				}
				guess := coatcheck.Token(id + base64.RawURLEncoding.EncodeToString(random[:16]))
				if value, err := m.Get(t.Context(), guess); err == nil {
					t.Errorf("a guess was right, and read %+v", value)
				}
			}
		})
	}
	all.Wait()
	const guesses = attackers * each
	rate := guesses / time.Since(began).Seconds()
	t.Logf("%.0f guesses a second, one look into the store each; at that rate half of all secrets of one session take %.0e years",
		rate, math.Exp2(127)/rate/(365.25*24*3600))
	if got := m.Stats().WrongSecrets; got != guesses/2 {
		t.Errorf("%d wrong secrets were counted, want %d", got, guesses/2)
	}
	if got := store.loads - loads; got != guesses {
		t.Errorf("%d looks into the store, want %d: one for each guess", got, guesses)
	}
	if got := m.Stats().NearCache.Entries; got > 1 {
		t.Errorf("guesses fill the memory: %d entries", got)
	}
	value, err := m.Get(t.Context(), token)
	if err != nil || value.Note != "private" {
		t.Errorf("the session of the victim: %+v, %v", value, err)
	}
}
