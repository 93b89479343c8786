package coatcheck_test

import (
	"reflect"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
)

const grace = coatcheck.DefaultRenewGrace

// ageing is how tokens are renewed for nothing but their age.
var ageing = map[string]func(testing.TB, *coatcheck.Manager[profile], coatcheck.Token) coatcheck.Token{
	"WithGrace": func(t testing.TB, m *coatcheck.Manager[profile], token coatcheck.Token) coatcheck.Token {
		return renew(t, m, token, coatcheck.WithGrace())
	},
	"RenewIfDue": func(t testing.TB, m *coatcheck.Manager[profile], token coatcheck.Token) coatcheck.Token {
		s := m.Open(token)
		_, err := s.Get(t.Context())
		wantErr(t, "Get", err, nil)
		time.Sleep(time.Hour)
		s.RenewIfDue()
		flush(t, s)
		if s.Token() == token || s.ID() != token.ID() {
			t.Errorf("token %v after %v", s.Token(), token)
		}
		return s.Token()
	},
}

// aged is the configuration of those.
func aged() config { return config{RenewEvery: hour, IdleTimeout: 2 * hour} }

// wantHanded checks that a record still is that of a token, and remembers what it
// did, but for what a use may change.
func wantHanded(t testing.TB, what string, store coatcheck.Store, token coatcheck.Token, before coatcheck.Record) {
	t.Helper()
	after := load(t, store, token)
	if after.SecretHash != before.SecretHash || !reflect.DeepEqual(after.Retired, before.Retired) || after.Subject != before.Subject {
		t.Errorf("%s made\n%+v of\n%+v", what, after, before)
	}
}

func TestOldTokenServesForTheGrace(t *testing.T) {
	for how, age := range ageing {
		t.Run(how, func(t *testing.T) {
			cachesInTime(t, func(t *testing.T, n near) {
				for _, v := range []verb{get, lookup, update, change, refresh, opening} {
					for where := range 2 {
						c := aged()
						c.OnReuse = coatcheck.ReportReuse
						m, store, _ := desk(t, n, c)
						use := []*coatcheck.Manager[profile]{m, newManager(t, config{
							Store: store, NearCache: n.NearCache, OnReuse: coatcheck.ReportReuse,
						})}[where]
						token := generate(t, m, profile{Visits: 7})
						fresh := age(t, m, token)
						before := load(t, store, fresh)

						for range 3 {
							wantErr(t, v.name+" in the grace", v.call(t.Context(), use, token), nil)
							wantHanded(t, v.name, store, fresh, before)
						}
						value, err := use.Get(t.Context(), token)
						wantErr(t, "Get with the old token", err, nil)
						wantValue(t, m, fresh, value)
						wantValue(t, use, fresh, value)

						time.Sleep(grace - time.Millisecond)
						wantErr(t, v.name+" in its last millisecond", v.call(t.Context(), use, token), nil)
						wantHanded(t, v.name, store, fresh, before)
						time.Sleep(time.Millisecond)
						wantErr(t, v.name+" after it", v.call(t.Context(), use, token), coatcheck.ErrNotFound)
						wantErr(t, "the new token", v.call(t.Context(), use, fresh), nil)
						if s := use.Stats(); s.TokensReused != 0 || s.WrongSecrets != 0 {
							t.Errorf("%s: %+v", v.name, s)
						}
					}
				}
			})
		})
	}
}

func TestOldTokenEndsTheSessionInTheGrace(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		for how, age := range ageing {
			for name, end := range map[string]func(*coatcheck.Manager[profile], coatcheck.Token) error{
				"Delete": func(m *coatcheck.Manager[profile], token coatcheck.Token) error { return m.Delete(t.Context(), token) },
				"Destroy": func(m *coatcheck.Manager[profile], token coatcheck.Token) error {
					return m.Open(token).Destroy(t.Context())
				},
			} {
				m, store, told := desk(t, n, aged())
				token := generate(t, m, profile{}, coatcheck.ForSubject("ada"))
				fresh := age(t, m, token)
				time.Sleep(grace - time.Millisecond)
				told.take(t)
				wantErr(t, how+", "+name, end(m, token), nil)
				wantSessions(t, store, 0)
				wantGone(t, m, fresh)
				told.want(t, coatcheck.Event{Kind: coatcheck.SessionDeleted, SessionID: token.ID(), Subject: "ada"})
			}
		}
	})
}

// Under the old secret nothing is kept in memory: there it would outlive the
// grace, and drive the new token's entry out.
func TestOldTokenIsNotServedFromMemory(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, store, _ := desk(t, n, config{})
		token := generate(t, m, profile{})
		wantValue(t, m, token, profile{})
		fresh := renew(t, m, token, coatcheck.WithGrace())
		asked := keepJournal(store)
		for range 5 {
			wantValue(t, m, token, profile{})
			asked.want(t, "the old token", "Load")
			wantValue(t, m, fresh, profile{})
			asked.want(t, "the new token", n.reads...)
			wantErr(t, "Refresh", m.Refresh(t.Context(), token), nil)
			asked.want(t, "Refresh by the old token", "Load")
			wantErr(t, "Open", opening.call(t.Context(), m, token), nil)
			asked.want(t, "a session of the old token", "Load")
			wantValue(t, m, fresh, profile{})
			asked.want(t, "the new token once more", n.reads...)
		}
		for visits := range 3 {
			wantErr(t, "Change", m.Change(t.Context(), token, addVisit), nil)
			asked.want(t, "a change by the old token", "Load", "Update")
			wantValue(t, m, token, profile{Visits: visits + 1})
			asked.want(t, "the old token after it", "Load")
			wantValue(t, m, fresh, profile{Visits: visits + 1})
			asked.want(t, "the new token after it", "Load")
			wantValue(t, m, fresh, profile{Visits: visits + 1})
			asked.want(t, "the new token then", n.reads...)
		}
	})
}

// A read in the grace extends the session as any read does.
func TestOldTokenExtendsTheSession(t *testing.T) {
	for _, v := range []verb{get, refresh, change} {
		cachesInTime(t, func(t *testing.T, n near) {
			m, store, _ := desk(t, n, config{RenewGrace: 10 * minute})
			token := generate(t, m, profile{})
			fresh := renew(t, m, token, coatcheck.WithGrace())
			before := load(t, store, fresh)
			time.Sleep(9 * minute)
			wantErr(t, v.name, v.call(t.Context(), m, token), nil)
			wantHanded(t, v.name, store, fresh, before)
			wantEnd(t, store, fresh, 30*minute)
		})
	}
}

// A page asks for many things at once. Whatever its requests carry, and whoever is
// first to renew the session, none is lost and nobody is logged out.
func TestRequestsOfOnePage(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		store := hook(t)
		var nodes []*coatcheck.Manager[bag]
		for range 2 {
			nodes = append(nodes, newManager(t, coatcheck.Config[bag]{
				Store: store, NearCache: n.NearCache, RenewEvery: hour, IdleTimeout: 3 * hour,
			}))
		}
		token, held, want := generate(t, nodes[0], bag{}), map[coatcheck.Token]bool{}, bag{}
		held[token] = true
		for page := range 3 {
			time.Sleep(hour)
			var mu sync.Mutex
			var requests sync.WaitGroup
			got := map[coatcheck.Token]bool{}
			for i := range 20 {
				requests.Go(func() {
					time.Sleep(time.Duration(i%5) * time.Second) // also when others are done
					s := nodes[i%2].Open(token)
					with(t, s, strconv.Itoa(page*100+i), "all")
					s.RenewIfDue()
					flush(t, s)
					mu.Lock()
					defer mu.Unlock()
					got[s.Token()] = true
					want[strconv.Itoa(page*100+i)]++
					want["all"]++
				})
			}
			requests.Wait()
			delete(got, token)
			if len(got) != 1 {
				t.Fatalf("page %d was given %d new tokens", page, len(got))
			}
			for fresh := range got {
				// The old and the new one mixed.
				for i, shown := range []coatcheck.Token{token, fresh, token, fresh} {
					s := nodes[i/2].Open(shown)
					with(t, s, "mixed")
					s.RenewIfDue()
					flush(t, s)
					want["mixed"]++
					if s.Token() != shown {
						t.Errorf("it was renewed again, to %v", s.Token())
					}
				}
				token = fresh
			}
			for _, m := range nodes {
				wantBehind(t, "in the end", m, token, want)
				if s := m.Stats(); s.TokensReused != 0 || s.WrongSecrets != 0 {
					t.Errorf("%+v", s)
				}
			}
		}
	})
}

func TestAtMostMaxRetiredAreRemembered(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, store, told := desk(t, n, config{})
		tokens := []coatcheck.Token{generate(t, m, profile{})}
		const renewals = coatcheck.MaxRetired + 2
		for i := range renewals {
			time.Sleep(time.Second)
			tokens = append(tokens, renew(t, m, tokens[i], coatcheck.WithGrace()))
		}
		r := load(t, store, tokens[0])
		if len(r.Retired) != coatcheck.MaxRetired {
			t.Errorf("%d are remembered", len(r.Retired))
		}
		for i, old := range r.Retired {
			if want := time.Now().UTC().Add(time.Duration(-i) * time.Second); !old.At.Equal(want) || !old.Until.Equal(want.Add(grace)) {
				t.Errorf("number %d was replaced at %v, until %v; want %v", i, old.At, old.Until, want)
			}
		}
		told.take(t)
		for i, token := range tokens {
			want := error(nil)
			if i < renewals-coatcheck.MaxRetired {
				want = coatcheck.ErrNotFound
			}
			_, err := m.Get(t.Context(), token)
			wantErr(t, "token "+strconv.Itoa(i), err, want)
		}
		told.want(t) // what is not remembered is no theft
		if s := m.Stats(); s.WrongSecrets != renewals-coatcheck.MaxRetired || s.TokensReused != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// What is over is not over later because of a renewal.
func TestRenewalAtOnceProlongsNoGrace(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, store, _ := desk(t, n, config{})
		token := generate(t, m, profile{})
		over := time.Now().Add(grace)
		fresh := renew(t, m, token, coatcheck.WithGrace())
		time.Sleep(minute)
		renew(t, m, fresh)
		if old := load(t, store, token).Retired[1]; !old.Until.Equal(over) {
			t.Errorf("the grace was over at %v, and is at %v", over, old.Until)
		}
	})
}

// All times of a record are whole milliseconds, or stores could not keep them.
func TestGraceIsWholeMilliseconds(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, store, _ := desk(t, n, config{RenewGrace: 1500 * time.Microsecond, RenewEvery: minute})
		time.Sleep(700 * time.Microsecond)
		fresh := renew(t, m, generate(t, m, profile{}), coatcheck.WithGrace())
		last := load(t, store, fresh).Retired[0]
		if last.Until.Sub(last.At) != time.Millisecond || !last.At.Equal(last.At.Truncate(time.Millisecond)) {
			t.Errorf("retired at %v, until %v", last.At, last.Until)
		}
	})
}
