package attacks

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/redistest"
)

// Dump: the attacker has a copy of all that the store holds, and wants to log in
// with it.
func TestAttackStoreDumpDoesNotAllowLogin(t *testing.T) {
	redis := redistest.Start(t)
	path := filepath.Join(t.TempDir(), "sessions.db")
	for name, target := range map[string]struct {
		open func(*testing.T) coatcheck.Store
		dump func() []byte
	}{
		"SQLite": {
			func(t *testing.T) coatcheck.Store { return inSQLite(t, path) },
			func() []byte {
				var all []byte
				for _, suffix := range []string{"", "-wal"} {
					part, err := os.ReadFile(path + suffix)
					if err != nil && !errors.Is(err, os.ErrNotExist) {
						t.Fatal(err)
					}
					all = append(all, part...)
				}
				return all
			},
		},
		"Redis": {
			func(t *testing.T) coatcheck.Store { return inRedis(t, redis) },
			func() []byte { return redis.Dump("") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newManager(t, target.open(t))
			first := generate(t, m, "private", coatcheck.ForSubject("ada"))
			token, err := m.Renew(t.Context(), first, coatcheck.WithGrace()) // of which the store keeps the hash as well
			if err != nil {
				t.Fatal(err)
			}
			dump := target.dump()
			if !bytes.Contains(dump, []byte(token.ID())) {
				t.Fatal("the dump does not hold the session: nothing is proven")
			}
			for _, secret := range []coatcheck.Token{first, token} {
				if bytes.Contains(dump, []byte(secret[22:])) {
					t.Error("the store holds a secret in clear")
				}
			}
			// Whatever 16 bytes there are may be the secret, or any 22 characters.
			tries := 0
			try := func(secret string) {
				tries++
				if _, err := m.Get(t.Context(), coatcheck.Token(token.ID()+secret)); err == nil {
					t.Fatalf("what the store holds opens the session")
				}
			}
			for _, at := range places(dump, []byte(token.ID())) {
				around := dump[max(0, at-300):min(len(dump), at+600)]
				for i := range around {
					if i+16 <= len(around) {
						try(base64.RawURLEncoding.EncodeToString(around[i : i+16]))
					}
					if i+22 <= len(around) {
						try(string(around[i : i+22]))
					}
				}
			}
			t.Logf("%d tries", tries)
			if got, err := m.Get(t.Context(), token); err != nil || got.Note != "private" {
				t.Errorf("the owner: %+v, %v", got, err)
			}
		})
	}
}

// places returns where a text begins, for the first few times.
func places(in, text []byte) (at []int) {
	for from := 0; len(at) < 5; {
		i := bytes.Index(in[from:], text)
		if i < 0 {
			return at
		}
		at = append(at, from+i)
		from += i + len(text)
	}
	return at
}
