package coatcheck_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
)

// desk returns a manager, the store it is alone with, and what it tells of
// sessions.
func desk(t testing.TB, n near, c config) (*coatcheck.Manager[profile], *hooked, *chronicle) {
	t.Helper()
	store, told := hook(t), new(chronicle)
	if c.Store == nil {
		c.Store = store
	} else if on, ok := c.Store.(interface{ under() *hooked }); ok {
		store = on.under()
	}
	c.NearCache, c.OnEvent = n.NearCache, told.note
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return newManager(t, c), store, told
}

func (s *hooked) under() *hooked { return s }

// across is another process on the store that a desk is alone with.
func across(t testing.TB, store coatcheck.Store, n near) *coatcheck.Manager[profile] {
	t.Helper()
	return newManager(t, config{Store: store, NearCache: n.NearCache})
}

func renew(t testing.TB, m *coatcheck.Manager[profile], token coatcheck.Token, opts ...coatcheck.RenewOption) coatcheck.Token {
	t.Helper()
	fresh, err := m.Renew(t.Context(), token, opts...)
	if err != nil || fresh == token || fresh.ID() != token.ID() {
		t.Fatalf("Renew made %v of %v: %v", fresh, token, err)
	}
	return fresh
}

var (
	renewing = verb{"Renew", func(ctx context.Context, m *coatcheck.Manager[profile], token coatcheck.Token) error {
		_, err := m.Renew(ctx, token)
		return err
	}}
	opening = verb{"Session", func(ctx context.Context, m *coatcheck.Manager[profile], token coatcheck.Token) error {
		info, err := m.Open(token).Info(ctx)
		if err == nil && info.ID == "" {
			err = coatcheck.ErrNotFound
		}
		return err
	}}

	// uses are all ways of using a session that do not end it.
	uses = []verb{get, lookup, update, change, refresh, opening, renewing}
)

// wantShut checks that a token opens nothing by any method, and changes nothing.
func wantShut(t testing.TB, m *coatcheck.Manager[profile], store coatcheck.Store, token coatcheck.Token) {
	t.Helper()
	before := load(t, store, token)
	for _, v := range uses {
		wantErr(t, v.name+" with a token that was replaced", v.call(t.Context(), m, token), coatcheck.ErrNotFound)
	}
	if after := load(t, store, token); !reflect.DeepEqual(after, before) {
		t.Errorf("a token that was replaced made %+v of %+v", after, before)
	}
}

func TestRenewReplacesTheSecretAndNothingElse(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, store, _ := desk(t, n, config{})
		other := across(t, store, n)
		for name, keep := range map[string]coatcheck.GenerateOption{
			"nobody's": coatcheck.ForSubject(""), "ada's": coatcheck.ForSubject("ada"),
			"one of its own": coatcheck.WithAbsoluteTimeout(hour),
		} {
			token := generate(t, m, profile{Name: "ada", Visits: 3}, keep)
			wantValue(t, other, token, profile{Name: "ada", Visits: 3}) // and in its memory
			want := load(t, store, token)
			time.Sleep(minute)

			var info coatcheck.Info
			fresh := renew(t, m, token, coatcheck.WithInfo(&info))
			at := time.Now().UTC()
			old, now := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(fresh))
			want.Rev, want.SecretHash, want.ExpiresAt = 2, now, at.Add(30*minute)
			want.Retired = []coatcheck.Retired{{Hash: [16]byte(old[:]), At: at, Until: at}}
			if got := load(t, store, fresh); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: Renew stored\n%+v, want\n%+v", name, got, want)
			}
			_, looked, err := m.Lookup(t.Context(), fresh)
			wantErr(t, "Lookup", err, nil)
			described, err := m.Describe(t.Context(), fresh.ID())
			wantErr(t, "Describe", err, nil)
			for who, got := range map[string]coatcheck.Info{"Renew": info, "Lookup": looked, "Describe": described} {
				if got != (coatcheck.Info{
					ID: token.ID(), Rev: 2, Subject: want.Subject, CreatedAt: at.Add(-minute), RenewedAt: at,
					LastSeen: at, ExpiresAt: at.Add(30 * minute),
				}) {
					t.Errorf("%s: %s says %+v at %v", name, who, got, at)
				}
			}
			for _, m := range []*coatcheck.Manager[profile]{m, other} {
				wantShut(t, m, store, token)
				wantValue(t, m, fresh, profile{Name: "ada", Visits: 3})
			}
		}
	})
}

// A node that is told of no changes serves what it has for MaxStaleness, and no
// longer.
func TestOldTokenOpensNothingElsewhereAfterMaxStaleness(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, store, _ := desk(t, n, config{})
		deaf := across(t, muted(store), n)
		token := generate(t, m, profile{})
		wantValue(t, deaf, token, profile{})
		fresh := renew(t, m, token)
		time.Sleep(coatcheck.DefaultMaxStaleness + time.Millisecond)
		wantShut(t, deaf, store, token)
		wantValue(t, deaf, fresh, profile{})
	})
}

func TestRenewAsksNoMoreThanItMust(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		for name, opts := range map[string][]coatcheck.RenewOption{
			"Renew": nil, "with a grace": {coatcheck.WithGrace()}, "a login": {coatcheck.ForSubject("ada")},
		} {
			m, store, _ := desk(t, n, config{})
			token := generate(t, m, profile{})
			wantValue(t, m, token, profile{})
			other := across(t, store, n)
			asked := keepJournal(store)
			fresh := renew(t, m, token, opts...)
			asked.want(t, name, append(n.reads, "Update")...)
			wantValue(t, m, fresh, profile{})
			asked.want(t, name+", then Get", n.reads...)
			renew(t, other, fresh, opts...)
			asked.want(t, name+" where it is not in memory", "Load", "Update")
		}
	})
}

func TestRenewRefuses(t *testing.T) {
	long := strings.Repeat("x", coatcheck.MaxSubjectBytes+1)
	cachesInTime(t, func(t *testing.T, n near) {
		for name, c := range map[string]struct {
			subject string
			opts    []coatcheck.RenewOption
		}{
			"another's session":    {"ada", []coatcheck.RenewOption{coatcheck.ForSubject("bob")}},
			"a long subject":       {"", []coatcheck.RenewOption{coatcheck.ForSubject(long)}},
			"a subject of no text": {"", []coatcheck.RenewOption{coatcheck.ForSubject("\xff")}},
			// Whoever has planted the token would be signed in with it.
			"a login with a grace":     {"", []coatcheck.RenewOption{coatcheck.WithGrace(), coatcheck.ForSubject("ada")}},
			"the other way round":      {"", []coatcheck.RenewOption{coatcheck.ForSubject("ada"), coatcheck.WithGrace()}},
			"a second, with the grace": {"ada", []coatcheck.RenewOption{coatcheck.ForSubject("ada"), coatcheck.WithGrace()}},
		} {
			m, store, told := desk(t, n, config{})
			token := generate(t, m, profile{Name: "ada"}, coatcheck.ForSubject(c.subject))
			wantValue(t, m, token, profile{Name: "ada"})
			before := load(t, store, token)
			told.wantKinds(t, coatcheck.SessionCreated)
			time.Sleep(minute)
			info := coatcheck.Info{ID: "untouched"}
			fresh, err := m.Renew(t.Context(), token, append(c.opts, coatcheck.WithInfo(&info))...)
			wantErr(t, name, err, coatcheck.ErrInvalid)
			wantDiscreet(t, name, err, token)
			if after := load(t, store, token); fresh != "" || info.ID != "untouched" || !reflect.DeepEqual(after, before) {
				t.Errorf("%s: token %v, info %+v, %+v of %+v", name, fresh, info, after, before)
			}
			wantValue(t, m, token, profile{Name: "ada"})
			told.wantKinds(t)
		}
	})
}

func TestRenewOfNothing(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, store, _ := desk(t, n, config{})
		token := generate(t, m, profile{})
		for name, shown := range map[string]coatcheck.Token{
			"empty": "", "malformed": token[1:], "wrong secret": withWrongSecret(token), "unknown": sample,
		} {
			fresh, err := m.Renew(t.Context(), shown)
			if wantErr(t, name, err, coatcheck.ErrNotFound); fresh != "" {
				t.Errorf("%s: token %v", name, fresh)
			}
		}
		store.before = failing(coatcheck.ErrUnavailable, "Load", "Update")
		_, err := m.Renew(t.Context(), token)
		wantErr(t, "no store", err, coatcheck.ErrUnavailable)
		store.before = failing(nil)
		renew(t, m, token)
		wantErr(t, "Close", m.Close(), nil)
		_, err = m.Renew(t.Context(), token)
		wantErr(t, "closed", err, coatcheck.ErrClosed)
	})
}

// Two of the holder's requests must not both get a token: the first would lose
// its own without knowing.
func TestOfManyRenewalsOneWins(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		for name, c := range map[string]struct {
			opts []coatcheck.RenewOption
			lost error
		}{
			"at once":      {nil, coatcheck.ErrNotFound},
			"a login":      {[]coatcheck.RenewOption{coatcheck.ForSubject("ada")}, coatcheck.ErrNotFound},
			"with a grace": {[]coatcheck.RenewOption{coatcheck.WithGrace()}, coatcheck.ErrRenewed},
		} {
			m, store, _ := desk(t, n, config{})
			token := generate(t, m, profile{Name: "ada"})
			nodes := []*coatcheck.Manager[profile]{m, across(t, store, n)}
			var mu sync.Mutex
			var fresh []coatcheck.Token
			var all sync.WaitGroup
			for i := range 12 {
				all.Go(func() {
					got, err := nodes[i%2].Renew(t.Context(), token, c.opts...)
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						fresh = append(fresh, got)
					} else if wantErr(t, name, err, c.lost); got != "" {
						t.Errorf("%s: lost, and has %v", name, got)
					}
				})
			}
			all.Wait()
			if len(fresh) != 1 || load(t, store, token).Rev != 2 {
				t.Fatalf("%s: %d won, revision %d", name, len(fresh), load(t, store, token).Rev)
			}
			for _, m := range nodes {
				wantValue(t, m, fresh[0], profile{Name: "ada"})
				if n := m.Stats().TokensReused; n != 0 {
					t.Errorf("%s: %d of them taken for thieves", name, n)
				}
			}
		}
	})
}

// lossy is a store that makes changes and says that it failed.
type lossy struct{ *hooked }

func (l lossy) Update(ctx context.Context, r coatcheck.Record) error {
	return errors.Join(l.hooked.Update(ctx, r), coatcheck.ErrUnavailable)
}

func TestRenewalThatMayHaveBeenMadeClaimsNothing(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		store := hook(t)
		m, _, told := desk(t, n, config{Store: lossy{store}})
		token := generate(t, m, profile{})
		wantValue(t, m, token, profile{})
		told.wantKinds(t, coatcheck.SessionCreated)
		info := coatcheck.Info{ID: "untouched"}
		fresh, err := m.Renew(t.Context(), token, coatcheck.WithInfo(&info))
		wantErr(t, "Renew", err, coatcheck.ErrUnavailable)
		if fresh != "" || info.ID != "untouched" {
			t.Errorf("token %v, info %+v", fresh, info)
		}
		told.wantKinds(t)
		wantShut(t, m, store, token) // as it was made
	})
}

func TestRenewExtendsTheIdleDeadline(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, store, _ := desk(t, n, config{})
		token := generate(t, m, profile{})
		for range 3 {
			time.Sleep(29 * minute)
			token = renew(t, m, token)
		}
		wantEnd(t, store, token, 30*minute)
	})
}
