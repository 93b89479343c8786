package attacks

import (
	"context"
	"database/sql"
	"log/slog"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/redistest"
	"github.com/coatcheck/coatcheck/redisstore"
)

// Damage: the attacker, who can write to the store, damages a record of a user, to
// have the user's log out everywhere fail, or his logins.
func TestAttackDamagedRecord(t *testing.T) {
	redis := redistest.Start(t)
	path := filepath.Join(t.TempDir(), "sessions.db")
	for name, target := range map[string]struct {
		open   func(*testing.T) coatcheck.Store
		damage func(id string) error
	}{
		"SQLite": {
			func(t *testing.T) coatcheck.Store { return inSQLite(t, path) },
			func(id string) error {
				db, err := sql.Open("sqlite", path)
				if err != nil {
					return err
				}
				defer db.Close()
				_, err = db.Exec("UPDATE records SET retired = x'00' WHERE id = ?", id)
				return err
			},
		},
		"Redis": {
			func(t *testing.T) coatcheck.Store { return inRedis(t, redis) },
			func(id string) error {
				client := redis.Client()
				return client.Do(context.Background(), client.B().Setrange().Key(redisstore.DefaultPrefix+id).Offset(0).Value("\xff").Build()).Error()
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := coatcheck.New(coatcheck.Config[account]{Store: target.open(t), MaxSessions: 3, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			var tokens []coatcheck.Token
			for range 3 {
				tokens = append(tokens, generate(t, m, "private", coatcheck.ForSubject("ada")))
			}
			if err := target.damage(tokens[1].ID()); err != nil {
				t.Fatal(err)
			}
			tokens = append(tokens, generate(t, m, "private", coatcheck.ForSubject("ada"))) // which makes room
			if err := target.damage(tokens[3].ID()); err != nil {
				t.Fatal(err)
			}
			all, err := m.Sessions(t.Context(), "ada")
			if err != nil || len(all) != 3 {
				t.Errorf("%d sessions are listed, %v; want 3", len(all), err)
			}
			if ended, err := m.RevokeAll(t.Context(), "ada"); err != nil || ended != 3 {
				t.Errorf("%d sessions are ended, %v; want 3", ended, err)
			}
			for _, token := range tokens {
				_, err := m.Get(t.Context(), token)
				wantErr(t, "afterwards", err, coatcheck.ErrNotFound)
			}
		})
	}
}
