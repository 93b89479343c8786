package coatcheck_test

import (
	"context"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
)

func TestRenewIfDueWaitsUntilItIs(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, store, _ := desk(t, n, aged())
		token := generate(t, m, profile{})
		request := func(what string, due bool) {
			t.Helper()
			s := m.Open(token)
			_, err := s.Get(t.Context())
			wantErr(t, what, err, nil)
			s.RenewIfDue()
			s.RenewIfDue()
			if s.Pending() != due {
				t.Errorf("%s: pending is %t", what, s.Pending())
			}
			flush(t, s)
			if (s.Token() != token) != due {
				t.Errorf("%s: token %v after %v", what, s.Token(), token)
			}
			token = s.Token()
		}
		for _, what := range []string{"the first", "the second"} {
			request(what+" at once", false)
			time.Sleep(hour - time.Millisecond)
			request(what+" a millisecond too early", false)
			time.Sleep(time.Millisecond)
			request(what+" in time", true)
		}
		// A change does not make it younger.
		time.Sleep(hour - time.Millisecond)
		wantErr(t, "Change", m.Change(t.Context(), token, addVisit), nil)
		time.Sleep(time.Millisecond)
		request("after a change", true)
		if r := load(t, store, token); len(r.Retired) != 3 {
			t.Errorf("%d renewals", len(r.Retired))
		}
	})
}

func TestRenewIfDueLeavesAlone(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		for name, c := range map[string]struct {
			config config
			open   func(*coatcheck.Manager[profile], coatcheck.Token) *coatcheck.Session[profile]
		}{
			"what was not read": {aged(), (*coatcheck.Manager[profile]).Open},
			"what is not there": {aged(), func(m *coatcheck.Manager[profile], _ coatcheck.Token) *coatcheck.Session[profile] {
				s := m.Open("")
				_, err := s.Get(t.Context())
				wantErr(t, "Get", err, nil)
				return s
			}},
			"what cannot be told the client": {aged(), func(m *coatcheck.Manager[profile], token coatcheck.Token) *coatcheck.Session[profile] {
				s := m.Open(token)
				_, err := s.Get(t.Context())
				wantErr(t, "Get", err, nil)
				s.FixToken(true)
				return s
			}},
			"all, without RenewEvery": {config{IdleTimeout: 2 * hour}, func(m *coatcheck.Manager[profile], token coatcheck.Token) *coatcheck.Session[profile] {
				s := m.Open(token)
				_, err := s.Get(t.Context())
				wantErr(t, "Get", err, nil)
				return s
			}},
		} {
			m, store, _ := desk(t, n, c.config)
			token := generate(t, m, profile{})
			time.Sleep(hour)
			s := c.open(m, token)
			before := s.Status()
			s.RenewIfDue()
			if s.Status() != before {
				t.Errorf("%s: %+v, then %+v", name, before, s.Status())
			}
			flush(t, s)
			if load(t, store, token).Rev != 1 {
				t.Errorf("%s was renewed", name)
			}
		}
	})
}

// Of two requests that find the token old one renews it. The other one's client
// would hold a token too many.
func TestTwoThatAreDueRenewOnce(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		for name, c := range map[string]struct {
			change bool
			rev    uint64
		}{"with changes": {true, 3}, "without": {false, 2}} {
			store := hook(t)
			m := newManager(t, coatcheck.Config[bag]{Store: store, NearCache: n.NearCache, RenewEvery: hour, IdleTimeout: 2 * hour})
			token := generate(t, m, bag{"a": 1})
			time.Sleep(hour)
			first, second := m.Open(token), m.Open(token)
			want := bag{"a": 1}
			for i, s := range []*coatcheck.Session[bag]{first, second} {
				wantSeen(t, name, s, bag{"a": 1})
				if c.change {
					with(t, s, []string{"first", "second"}[i])
					want[[]string{"first", "second"}[i]] = 1
				}
				s.RenewIfDue()
			}
			flush(t, first)
			before := load(t, store, token)
			flush(t, second)
			wantHanded(t, name, store, token, before)
			if first.Token() == token || second.Token() != token || second.Pending() {
				t.Errorf("%s: %v and %v of %v, pending %t", name, first.Token(), second.Token(), token, second.Pending())
			}
			if r := load(t, store, token); r.Rev != c.rev {
				t.Errorf("%s: revision %d, want %d", name, r.Rev, c.rev)
			}
			wantBehind(t, name, m, first.Token(), want)
			wantBehind(t, name, m, token, want)
			wantSeen(t, name+", the second", second, want)

			// Both go on.
			for _, s := range []*coatcheck.Session[bag]{second, first} {
				with(t, s, "on")
				want["on"]++
				flush(t, s)
				wantHanded(t, name, store, token, before)
			}
			wantBehind(t, name, m, first.Token(), want)
		}
	})
}

// The rights of the holder have changed: only who is told the new token has them.
func TestRenewalAtOnceEndsEveryGrace(t *testing.T) {
	type session = coatcheck.Session[profile]
	for name, c := range map[string]struct {
		due  bool // for a renewal that nothing but age calls for
		work func(testing.TB, *session)
	}{
		"Renew":         {false, func(_ testing.TB, s *session) { s.Renew() }},
		"SetSubject":    {false, func(t testing.TB, s *session) { wantErr(t, "SetSubject", s.SetSubject("ada"), nil) }},
		"Renew, as due": {true, func(_ testing.TB, s *session) { s.Renew(); s.RenewIfDue() }},
		"due, as Renew": {true, func(_ testing.TB, s *session) { s.RenewIfDue(); s.Renew() }},
		"due, and a login": {true, func(t testing.TB, s *session) {
			s.RenewIfDue()
			wantErr(t, "SetSubject", s.SetSubject("ada"), nil)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			cachesInTime(t, func(t *testing.T, n near) {
				for _, byOld := range []bool{false, true} {
					m, store, told := desk(t, n, config{RenewEvery: 2 * minute, RenewGrace: minute})
					first := generate(t, m, profile{})
					second := renew(t, m, first, coatcheck.WithGrace())
					s := m.Open(map[bool]coatcheck.Token{false: second, true: first}[byOld])
					_, err := s.Get(t.Context())
					wantErr(t, "Get", err, nil)
					time.Sleep(10 * time.Second)
					if c.due {
						time.Sleep(2 * minute)
					}
					c.work(t, s)
					flush(t, s)
					for i, old := range load(t, store, first).Retired {
						if old.Until.After(time.Now()) {
							t.Errorf("number %d is accepted until %v", i, old.Until)
						}
					}
					told.take(t)
					for _, m := range []*coatcheck.Manager[profile]{m, across(t, store, n)} {
						wantShut(t, m, store, second)
						if !c.due {
							wantShut(t, m, store, first)
						}
						wantValue(t, m, s.Token(), profile{})
					}
					told.want(t) // it may have been under way
				}
			})
		})
	}
}

func TestManagerRenewEndsEveryGrace(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		for _, byOld := range []bool{false, true} {
			m, store, told := desk(t, n, config{})
			first := generate(t, m, profile{})
			second := renew(t, m, first, coatcheck.WithGrace())
			third := renew(t, m, map[bool]coatcheck.Token{false: second, true: first}[byOld])
			told.take(t)
			wantShut(t, m, store, first)
			wantShut(t, m, store, second)
			wantValue(t, m, third, profile{})
			told.want(t)
		}
	})
}

// What was under way when the grace ended has proven its right before: it is late,
// and no theft.
func TestWorkThatOutlivesTheGraceIsNoTheft(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		work func(testing.TB, *coatcheck.Session[bag])
		left int
	}{
		"Flush": {func(t testing.TB, s *coatcheck.Session[bag]) {
			wantErr(t, "Flush", s.Flush(ctx), coatcheck.ErrNotFound)
			if s.Pending() {
				t.Error("still pending")
			}
		}, 1},
		"Reload, time and again": {func(t testing.TB, s *coatcheck.Session[bag]) {
			s.Discard()
			for range 5 {
				s.Reload()
				wantSeen(t, "Reload", s, nil)
				if info, err := s.Info(ctx); info.ID != "" || err != nil {
					t.Errorf("%+v, %v", info, err)
				}
				time.Sleep(minute)
			}
		}, 1},
		"Reload, then Flush": {func(t testing.TB, s *coatcheck.Session[bag]) {
			s.Reload()
			wantErr(t, "Flush", s.Flush(ctx), coatcheck.ErrNotFound)
		}, 1},
		"a login": {func(t testing.TB, s *coatcheck.Session[bag]) {
			wantErr(t, "SetSubject", s.SetSubject("ada"), nil)
			wantErr(t, "Flush", s.Flush(ctx), nil)
		}, 2},
		"Destroy": {func(t testing.TB, s *coatcheck.Session[bag]) {
			wantErr(t, "Destroy", s.Destroy(ctx), nil)
		}, 0},
		"Reload, then Destroy": {func(t testing.TB, s *coatcheck.Session[bag]) {
			s.Discard()
			s.Reload()
			wantSeen(t, "Reload", s, nil)
			wantErr(t, "Destroy", s.Destroy(ctx), nil)
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			cachesInTime(t, func(t *testing.T, n near) {
				for kind, opts := range map[string][]coatcheck.RenewOption{"with a grace": {coatcheck.WithGrace()}, "at once": nil} {
					for _, began := range []string{"before", "in the grace"} {
						if kind == "at once" && began == "in the grace" {
							continue // there is none
						}
						store, told := hook(t), new(chronicle)
						m := newManager(t, coatcheck.Config[bag]{Store: store, NearCache: n.NearCache, OnEvent: told.note})
						token := generate(t, m, bag{"a": 1})
						s, fresh := m.Open(token), coatcheck.Token("")
						begin := func() {
							wantSeen(t, began, s, bag{"a": 1})
							with(t, s, "b")
						}
						if began == "before" {
							begin()
						}
						fresh, err := m.Renew(t.Context(), token, opts...)
						wantErr(t, "Renew", err, nil)
						if began != "before" {
							begin()
						}
						wantErr(t, "Change", m.Change(t.Context(), fresh, count("other")), nil)
						time.Sleep(2 * grace)
						told.take(t)
						c.work(t, s)
						for _, e := range told.take(t) {
							if e.Kind == coatcheck.TokenReused || e.Kind == coatcheck.SessionRevoked {
								t.Errorf("%s, began %s: %+v", kind, began, e)
							}
						}
						wantSessions(t, store, c.left)
						if c.left > 0 {
							wantBehind(t, kind, m, fresh, bag{"a": 1, "other": 1})
						}
					}
				}
			})
		})
	}
}

// Where nobody else has changed the session, what began in the grace is saved.
func TestWorkOfTheGraceIsSavedAfterIt(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, store, token := bags(t, n.NearCache)
		fresh, err := m.Renew(t.Context(), token, coatcheck.WithGrace())
		wantErr(t, "Renew", err, nil)
		before := load(t, store, fresh)
		s := m.Open(token)
		with(t, s, "b")
		time.Sleep(2 * grace)
		flush(t, s)
		wantHanded(t, "Flush", store, fresh, before)
		wantBehind(t, "in the end", m, fresh, bag{"a": 1, "b": 1})
		wantSeen(t, "the one that is late", s, bag{"a": 1, "b": 1})
	})
}

// A change that took so long that the token is not the session's any more, nor has
// a grace, was given the session when it began.
func TestSlowChangeIsNoTheft(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		for name, inMemory := range map[string]bool{"in memory": true, "not in memory": false} {
			m, store, told := desk(t, n, config{})
			token := generate(t, m, profile{})
			use := m
			if !inMemory {
				told = new(chronicle)
				use = newManager(t, config{Store: store, NearCache: n.NearCache, OnEvent: told.note})
			}
			var fresh coatcheck.Token
			err := use.Change(t.Context(), token, func(p *profile) error {
				if fresh == "" {
					fresh = renew(t, across(t, store, n), token, coatcheck.WithGrace())
					time.Sleep(2 * grace)
				}
				return addVisit(p)
			})
			wantErr(t, name, err, coatcheck.ErrNotFound)
			if told.take(t); use.Stats().TokensReused != 0 {
				t.Errorf("%s: taken for a thief", name)
			}
			wantValue(t, m, fresh, profile{})
		}
	})
}

// What this unit of work was lent, and has changed by mistake, it has to read anew.
func TestReadingAnewAfterTheGraceIsNoTheft(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, store, token := bags(t, n.NearCache)
		s := m.Open(token)
		lent := wantSeen(t, "before", s, bag{"a": 1})
		fresh, err := elsewhere(t, store, n).Renew(t.Context(), token)
		wantErr(t, "Renew", err, nil)
		time.Sleep(2 * grace)
		lent["a"] = 7
		with(t, s, "b")
		wantErr(t, "Flush", s.Flush(t.Context()), coatcheck.ErrNotFound)
		if n := m.Stats().TokensReused; n != 0 {
			t.Errorf("%d taken for thieves", n)
		}
		wantBehind(t, "the holder", m, fresh, bag{"a": 1})
	})
}
