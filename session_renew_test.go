package coatcheck_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
)

// wantDead checks that nobody gets, or does, anything with the token.
func wantDead(t testing.TB, m *coatcheck.Manager[bag], store *hooked, token coatcheck.Token) {
	t.Helper()
	ctx := t.Context()
	before := load(t, store.Store, token)
	_, err := m.Get(ctx, token)
	wantErr(t, "Get with the old token", err, coatcheck.ErrNotFound)
	_, _, err = m.Lookup(ctx, token)
	wantErr(t, "Lookup with the old token", err, coatcheck.ErrNotFound)
	wantErr(t, "Update with the old token", m.Update(ctx, token, bag{"thief": 1}), coatcheck.ErrNotFound)
	wantErr(t, "Change with the old token", m.Change(ctx, token, count("thief")), coatcheck.ErrNotFound)
	wantErr(t, "Refresh with the old token", m.Refresh(ctx, token), coatcheck.ErrNotFound)
	s := m.Open(token)
	wantSeen(t, "a session of the old token", s, nil)
	if after := load(t, store.Store, token); after.Rev != before.Rev || string(after.Value) != string(before.Value) {
		t.Errorf("the holder of the old token made %s at revision %d of %s at %d", after.Value, after.Rev, before.Value, before.Rev)
	}
}

var renewals = map[string]func(testing.TB, *coatcheck.Session[bag]){
	"Renew":      func(_ testing.TB, s *coatcheck.Session[bag]) { s.Renew() },
	"SetSubject": func(t testing.TB, s *coatcheck.Session[bag]) { wantErr(t, "SetSubject", s.SetSubject("ada"), nil) },
	"no subject": func(t testing.TB, s *coatcheck.Session[bag]) { wantErr(t, "SetSubject", s.SetSubject(""), nil) },
}

func TestRenewalReplacesTheTokenAndNothingElse(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		for name, renew := range renewals {
			for _, changed := range []bool{false, true} {
				store := hook(t)
				m := newManager(t, coatcheck.Config[bag]{Store: store, NearCache: n.NearCache})
				token := generate(t, m, bag{"a": 1}, coatcheck.WithAbsoluteTimeout(hour))
				before := load(t, store, token)
				want := bag{"a": 1}
				time.Sleep(minute)
				wantBehind(t, "before", m, token, want) // and in the near cache

				s := m.Open(token)
				if changed {
					with(t, s, "a")
					want["a"]++
				}
				renew(t, s)
				if s.Token() != token {
					t.Errorf("%s: the token changed before Flush", name)
				}
				wantBehind(t, "before Flush", m, token, bag{"a": 1})
				flush(t, s)

				fresh := s.Token()
				if fresh == token || fresh.ID() != token.ID() || s.ID() != token.ID() {
					t.Errorf("%s: token %v after %v; want another one of the same ID", name, fresh, token)
				}
				wantDead(t, m, store, token)
				wantBehind(t, "after Flush", m, fresh, want)
				wantSeen(t, "after Flush", s, want)
				r := load(t, store, fresh)
				if r.Rev != 2 || r.Incarnation != before.Incarnation || !r.CreatedAt.Equal(before.CreatedAt) ||
					r.IdleTimeout != before.IdleTimeout {
					t.Errorf("%s made %+v of %+v", name, r, before)
				}
				deadline := before.AbsoluteDeadline
				if name == "SetSubject" { // a login: the time begins anew
					deadline = time.Now().Add(hour)
				}
				if !r.AbsoluteDeadline.Equal(deadline) {
					t.Errorf("%s: the session ends at %v, want %v", name, r.AbsoluteDeadline, deadline)
				}
				if subject := map[string]string{"SetSubject": "ada"}[name]; r.Subject != subject {
					t.Errorf("%s: subject %q, want %q", name, r.Subject, subject)
				}

				// The unit of work goes on with the new token.
				with(t, s, "b")
				flush(t, s)
				want["b"]++
				wantBehind(t, "a later change", m, fresh, want)
				if s.Token() != fresh {
					t.Errorf("%s: a later change renewed the token again", name)
				}
				wantErr(t, "Destroy", s.Destroy(t.Context()), nil)
				wantSessions(t, store, 0)
			}
		}
	})
}

// Else a request that was under way during a login would have its client hold the
// token of a new session in place of the one that the login has given it.
func TestOldTokenBeginsNoSession(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		for name, readBefore := range map[string]bool{"not read before": false, "read before": true} {
			m, store, token := bags(t, n.NearCache)
			late := m.Open(token)
			if readBefore {
				wantSeen(t, name, late, bag{"a": 1})
			}
			s := m.Open(token)
			s.Renew()
			flush(t, s)

			with(t, late, "b")
			wantErr(t, name+": Flush", late.Flush(t.Context()), coatcheck.ErrNotFound)
			flush(t, late) // it has dropped the change
			with(t, late, "b")
			wantErr(t, name+": the next Flush", late.Flush(t.Context()), coatcheck.ErrNotFound)
			wantErr(t, name+": Change", late.Change(t.Context(), func(*bag) error { return nil }), nil)
			flush(t, late) // of what makes no difference
			if late.Token() != token {
				t.Errorf("%s: it has another token", name)
			}
			wantSessions(t, store, 1)
			wantBehind(t, name, m, s.Token(), bag{"a": 1})

			// But who proves who he is gets in, and can then go on.
			wantErr(t, name+": SetSubject", late.SetSubject("ada"), nil)
			flush(t, late)
			wantNew(t, late, token)
			with(t, late, "c")
			flush(t, late)
			wantBehind(t, name, m, late.Token(), bag{"c": 1})
			wantErr(t, name+": Destroy", late.Destroy(t.Context()), nil)
			with(t, late, "d")
			flush(t, late)
			wantSessions(t, store, 2)
		}
	})
}

func TestEachRenewalIsAnother(t *testing.T) {
	m, store, token := bags(t, storeOnly)
	s := m.Open(token)
	seen := map[string]bool{string(token): true}
	for range 10 {
		s.Renew()
		s.Renew() // which is one
		flush(t, s)
		seen[string(s.Token())] = true
	}
	if rev := load(t, store, token).Rev; len(seen) != 11 || rev != 11 {
		t.Errorf("%d tokens, revision %d; want 11 and 11", len(seen), rev)
	}
}

// Of what this version of the program does not know a renewal loses nothing.
func TestRenewalKeepsForeignJSON(t *testing.T) {
	const foreign = `{ "Name": "ada", "Visits": 3, "Invented": "later" }`
	for name, near := range map[string]coatcheck.NearCache{"near cache": {}, "store only": storeOnly} {
		t.Run(name, func(t *testing.T) {
			store := hook(t)
			m := newManager(t, config{Store: store, NearCache: near})
			token := generate(t, m, profile{})
			r := load(t, store, token)
			r.Rev, r.Value = 2, []byte(foreign)
			wantErr(t, "Update", store.Update(t.Context(), r), nil)
			wantValue(t, m, token, profile{"ada", 3})
			s := m.Open(token)
			s.Renew()
			flush(t, s)
			if r := load(t, store, token); string(r.Value) != foreign || r.Rev != 3 {
				t.Errorf("the store has %s at revision %d", r.Value, r.Rev)
			}
			wantValue(t, m, s.Token(), profile{"ada", 3})
		})
	}
}

func TestBadSubjectIsRefusedAtOnce(t *testing.T) {
	m, store, token := bags(t, storeOnly)
	s := m.Open(token)
	asked := keepJournal(store)
	for _, subject := range []string{strings.Repeat("x", coatcheck.MaxSubjectBytes+1), "secret\xff"} {
		err := s.SetSubject(subject)
		wantErr(t, "SetSubject", err, coatcheck.ErrInvalid)
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error shows the subject: %v", err)
		}
	}
	flush(t, s)
	asked.want(t, "Flush")
	wantErr(t, "SetSubject", s.SetSubject(strings.Repeat("x", coatcheck.MaxSubjectBytes)), nil)
	flush(t, s)
}

func TestOfTwoRenewalsOneWins(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, store, token := bags(t, n.NearCache)
		managers := []*coatcheck.Manager[bag]{m, elsewhere(t, store, n)}
		var won, lost atomic.Int32
		var winner atomic.Pointer[coatcheck.Session[bag]]
		var begin, end sync.WaitGroup
		const units = 20
		begin.Add(units)
		for i := range units {
			end.Go(func() {
				s := managers[i%len(managers)].Open(token)
				wantSeen(t, "at first", s, bag{"a": 1})
				s.Renew()
				begin.Done()
				begin.Wait()
				switch err := s.Flush(t.Context()); err {
				case nil:
					won.Add(1)
					winner.Store(s)
				default:
					lost.Add(1)
					wantErr(t, "Flush", err, coatcheck.ErrNotFound)
					if s.Token() != token {
						t.Error("a loser has a token that nobody else knows of")
					}
				}
			})
		}
		end.Wait()
		if won.Load() != 1 || lost.Load() != units-1 {
			t.Fatalf("%d won, %d lost; want 1 and %d", won.Load(), lost.Load(), units-1)
		}
		for _, m := range managers {
			wantDead(t, m, store, token)
			wantBehind(t, "the winner's token", m, winner.Load().Token(), bag{"a": 1})
		}
	})
}

// A change that a holder of the old token makes just before the renewal is kept.
func TestRenewalKeepsChangesInFlight(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, store, token := bags(t, n.NearCache)
		other := elsewhere(t, store, n)
		once := true
		store.before = func(method string) error {
			if method == "Update" && once {
				once = false
				return other.Change(t.Context(), token, count("late"))
			}
			return nil
		}
		s := m.Open(token)
		with(t, s, "b")
		s.Renew()
		flush(t, s)
		for _, m := range []*coatcheck.Manager[bag]{m, other} {
			wantDead(t, m, store, token)
			wantBehind(t, "after both", m, s.Token(), bag{"a": 1, "b": 1, "late": 1})
		}
	})
}

// One that comes after it is refused, and does not bring the old token back.
func TestRenewalBeatsChangesInFlight(t *testing.T) {
	late := map[string]func(context.Context, *coatcheck.Manager[bag], coatcheck.Token) error{
		"Change": func(ctx context.Context, m *coatcheck.Manager[bag], token coatcheck.Token) error {
			return m.Change(ctx, token, count("late"))
		},
		"Update": func(ctx context.Context, m *coatcheck.Manager[bag], token coatcheck.Token) error {
			return m.Update(ctx, token, bag{"late": 1})
		},
		"Flush": func(ctx context.Context, m *coatcheck.Manager[bag], token coatcheck.Token) error {
			s := m.Open(token)
			with(t, s, "late")
			return s.Flush(ctx)
		},
	}
	cachesInTime(t, func(t *testing.T, n near) {
		for name, call := range late {
			m, store, token := bags(t, n.NearCache)
			other := elsewhere(t, store, n)
			s := other.Open(token)
			s.Renew()
			store.before = func(method string) error {
				if method == "Update" {
					return s.Flush(t.Context())
				}
				return nil
			}
			wantErr(t, name, call(t.Context(), m, token), coatcheck.ErrNotFound)
			store.before = failing(nil)
			for _, m := range []*coatcheck.Manager[bag]{m, other} {
				wantDead(t, m, store, token)
				wantBehind(t, name, m, s.Token(), bag{"a": 1})
			}
		}
	})
}

func TestOtherNodesRefuseTheOldToken(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, store, token := bags(t, n.NearCache)
		other := elsewhere(t, store, n)
		wantBehind(t, "before", other, token, bag{"a": 1})
		wantSeen(t, "before", other.Open(token), bag{"a": 1})
		s := m.Open(token)
		wantErr(t, "SetSubject", s.SetSubject("ada"), nil)
		flush(t, s)
		wantDead(t, other, store, token) // the store has reported it by now
		wantBehind(t, "after", other, s.Token(), bag{"a": 1})
	})
}

// A node that no report reaches serves the old token for MaxStaleness, and no
// longer.
func TestOldTokenOutlivesItsRenewalByMaxStaleness(t *testing.T) {
	inTime(t, "unwatched", func(t *testing.T) {
		m, store, token := bags(t, coatcheck.NearCache{})
		deaf := newManager(t, coatcheck.Config[bag]{Store: muted(store)})
		wantBehind(t, "before", deaf, token, bag{"a": 1})
		s := m.Open(token)
		s.Renew()
		flush(t, s)
		time.Sleep(coatcheck.DefaultMaxStaleness + moment)
		wantDead(t, deaf, store, token)
		wantBehind(t, "after", deaf, s.Token(), bag{"a": 1})
	})
}

func TestFixedTokenStaysAsItIs(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, store, token := bags(t, n.NearCache)
		for name, c := range map[string]struct {
			shown coatcheck.Token
			do    func(testing.TB, *coatcheck.Session[bag])
		}{
			"begin":         {"", func(t testing.TB, s *coatcheck.Session[bag]) { with(t, s, "b") }},
			"begin for ada": {sample, renewals["SetSubject"]},
			"renew":         {token, renewals["Renew"]},
			"log in":        {token, renewals["SetSubject"]},
			"change and renew": {token, func(t testing.TB, s *coatcheck.Session[bag]) {
				with(t, s, "b")
				s.Renew()
			}},
		} {
			s := m.Open(c.shown)
			before, err := s.Get(t.Context())
			wantErr(t, "Get", err, nil)
			s.FixToken(true)
			c.do(t, s)
			asked := keepJournal(store)
			for range 2 {
				err := s.Flush(t.Context())
				wantErr(t, name, err, coatcheck.ErrTokenFixed)
				wantDiscreet(t, name, err, token)
				asked.want(t, name)
			}
			if s.Token() != c.shown || !s.Status().Pending {
				t.Errorf("%s: token %v, %+v", name, s.Token(), s.Status())
			}
			wantErr(t, "Get", err, nil)
			if token == c.shown {
				wantBehind(t, name, m, token, before)
			}
		}
		wantSessions(t, store, 1)
	})
}

func TestFixedTokenAllowsChangesAndTheEnd(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, store, token := bags(t, n.NearCache)
		s := m.Open(token)
		s.FixToken(true)
		with(t, s, "b")
		flush(t, s)
		wantBehind(t, "after Flush", m, token, bag{"a": 1, "b": 1})
		wantErr(t, "Destroy", s.Destroy(t.Context()), nil)
		wantSessions(t, store, 0)
		with(t, s, "c")
		wantErr(t, "Flush of a new session", s.Flush(t.Context()), coatcheck.ErrTokenFixed)
		wantSessions(t, store, 0)
	})
}
