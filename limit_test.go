package coatcheck_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
)

// entrances are the ways in which a subject comes to have one session more. They
// return the token of it, or of what there is if it is refused.
var entrances = map[string]func(testing.TB, *coatcheck.Manager[profile], string) (coatcheck.Token, error){
	"Generate": func(t testing.TB, m *coatcheck.Manager[profile], subject string) (coatcheck.Token, error) {
		return m.Generate(t.Context(), profile{Visits: 1}, coatcheck.ForSubject(subject))
	},
	"Renew": func(t testing.TB, m *coatcheck.Manager[profile], subject string) (coatcheck.Token, error) {
		guest := generate(t, m, profile{Visits: 1})
		token, err := m.Renew(t.Context(), guest, coatcheck.ForSubject(subject))
		if err != nil {
			return guest, err
		}
		return token, nil
	},
	"SetSubject": func(t testing.TB, m *coatcheck.Manager[profile], subject string) (coatcheck.Token, error) {
		s := m.Open(generate(t, m, profile{Visits: 1}))
		wantErr(t, "SetSubject", s.SetSubject(subject), nil)
		err := s.Flush(t.Context())
		return s.Token(), err
	},
	"SetSubject of a new one": func(t testing.TB, m *coatcheck.Manager[profile], subject string) (coatcheck.Token, error) {
		s := m.Open("")
		wantErr(t, "Change", s.Change(t.Context(), addVisit), nil)
		wantErr(t, "SetSubject", s.SetSubject(subject), nil)
		err := s.Flush(t.Context())
		return s.Token(), err
	},
}

func TestEndOldestMakesRoom(t *testing.T) {
	for name, enter := range entrances {
		t.Run(name, func(t *testing.T) {
			cachesInTime(t, func(t *testing.T, n near) {
				m, store, told := desk(t, n, config{MaxSessions: 3})
				other := across(t, store, n)
				var tokens []coatcheck.Token
				for range 3 {
					token, err := enter(t, m, "ada")
					wantErr(t, name, err, nil)
					tokens = append(tokens, token)
					time.Sleep(time.Second)
				}
				for range 4 { // others have a limit of their own, and nobody has none
					_, err := enter(t, m, "bob")
					wantErr(t, name, err, nil)
					generate(t, m, profile{})
					time.Sleep(time.Second)
				}
				for _, token := range tokens {
					wantValue(t, other, token, profile{Visits: 1})
				}
				tokens[0] = renew(t, m, tokens[0], coatcheck.WithGrace()) // so it is the latest
				time.Sleep(time.Second)
				told.take(t)
				fourth, err := enter(t, m, "ada")
				wantErr(t, name, err, nil)
				for i, token := range append(tokens, fourth) {
					if i == 1 {
						wantGone(t, m, token)
						wantGone(t, other, token)
						continue
					}
					wantValue(t, m, token, profile{Visits: 1})
				}
				revoked := 0
				for _, e := range told.take(t) {
					if e.Kind == coatcheck.SessionRevoked {
						revoked++
						if e.SessionID != tokens[1].ID() || e.Subject != "ada" {
							t.Errorf("revoked %+v", e)
						}
					}
				}
				if revoked != 1 {
					t.Errorf("told of %d that were revoked", revoked)
				}
				if n := len(strings.Fields(idsOf(t, m, "bob"))); n != 3 {
					t.Errorf("bob has %d", n)
				}
			})
		})
	}
}

func TestRefuseNewestLeavesAllAsItWas(t *testing.T) {
	for name, enter := range entrances {
		t.Run(name, func(t *testing.T) {
			cachesInTime(t, func(t *testing.T, n near) {
				m, store, told := desk(t, n, config{MaxSessions: 2, WhenFull: coatcheck.RefuseNewest})
				var tokens []coatcheck.Token
				for range 2 {
					token, err := enter(t, m, "ada")
					wantErr(t, name, err, nil)
					tokens = append(tokens, token)
					time.Sleep(time.Second)
				}
				told.take(t)
				left, err := enter(t, m, "ada")
				wantErr(t, name, err, coatcheck.ErrTooManySessions)
				if !strings.Contains(err.Error(), "MaxSessions is 2") {
					t.Error(err)
				}
				want := 2
				if left != "" { // the guest has kept the cart
					want = 3
					wantValue(t, m, left, profile{Visits: 1})
					if r := load(t, store, left); r.Rev != 1 || r.Subject != "" {
						t.Errorf("%+v", r)
					}
				}
				wantSessions(t, store, want)
				for _, token := range tokens {
					wantValue(t, m, token, profile{Visits: 1})
				}
				for _, e := range told.take(t) {
					if e.Kind != coatcheck.SessionCreated || e.Subject != "" {
						t.Errorf("told %+v", e)
					}
				}
				_, err = enter(t, m, "bob")
				wantErr(t, "bob", err, nil)
				wantErr(t, "Delete", m.Delete(t.Context(), tokens[0]), nil)
				_, err = enter(t, m, "ada")
				wantErr(t, "once there is room", err, nil)
			})
		})
	}
}

// Who signs in where he is signed in needs no room.
func TestOwnSessionCountsOnce(t *testing.T) {
	for _, full := range []coatcheck.FullPolicy{coatcheck.EndOldest, coatcheck.RefuseNewest} {
		cachesInTime(t, func(t *testing.T, n near) {
			for by, login := range logins {
				m, store, _ := desk(t, n, config{MaxSessions: 2, WhenFull: full})
				mine := generate(t, m, profile{}, coatcheck.ForSubject("ada"))
				time.Sleep(time.Second)
				generate(t, m, profile{}, coatcheck.ForSubject("ada"))
				for range 3 {
					time.Sleep(time.Second)
					mine = login(t, m, mine, "ada")
					wantValue(t, m, mine, profile{})
				}
				if t.Failed() {
					t.Logf("by %s", by)
				}
				wantSessions(t, store, 2)
			}
		})
	}
}

// Of those that come at the same moment as many stay as may, wherever they come.
func TestLoginsThatMeetKeepToTheLimit(t *testing.T) {
	for _, full := range []coatcheck.FullPolicy{coatcheck.EndOldest, coatcheck.RefuseNewest} {
		for name, enter := range entrances {
			cachesInTime(t, func(t *testing.T, n near) {
				const most = 3
				store := hook(t)
				c := config{Store: store, NearCache: n.NearCache, MaxSessions: most, WhenFull: full}
				nodes := []*coatcheck.Manager[profile]{newManager(t, c), newManager(t, c)}
				for round := range 3 {
					var mu sync.Mutex
					var in []coatcheck.Token
					var all sync.WaitGroup
					for i := range 10 {
						all.Go(func() {
							time.Sleep(time.Duration(i*round/4) * time.Millisecond)
							token, err := enter(t, nodes[i%2], "ada")
							if err == nil {
								mu.Lock()
								in = append(in, token)
								mu.Unlock()
							} else {
								wantErr(t, name, err, coatcheck.ErrTooManySessions)
							}
						})
					}
					all.Wait()
					if n := len(strings.Fields(idsOf(t, nodes[0], "ada"))); n != most {
						t.Errorf("%v, %s: %d remain of %d that came in", full, name, n, len(in))
					}
					if full == coatcheck.RefuseNewest {
						_, err := nodes[0].RevokeAll(t.Context(), "ada")
						wantErr(t, "RevokeAll", err, nil)
					}
				}
			})
		}
	}
}

// One that is on its way when another comes, and goes, may be the older of the two
// without the other having seen it.
func TestLoginThatIsOvertakenKeepsToTheLimit(t *testing.T) {
	for _, full := range []coatcheck.FullPolicy{coatcheck.EndOldest, coatcheck.RefuseNewest} {
		for name, enter := range entrances {
			cachesInTime(t, func(t *testing.T, n near) {
				m, store, _ := desk(t, n, config{MaxSessions: 1, WhenFull: full})
				other := newManager(t, config{Store: store.Store, NearCache: n.NearCache, MaxSessions: 1, WhenFull: full})
				method := map[bool]string{true: "Update", false: "Create"}[name == "Renew" || name == "SetSubject"]
				store.before = func(now string) error {
					if now == method {
						store.before = failing(nil)
						time.Sleep(time.Second)
						_, err := other.Generate(t.Context(), profile{}, coatcheck.ForSubject("ada"))
						wantErr(t, "the one that overtakes", err, nil)
					}
					return nil
				}
				token, err := enter(t, m, "ada")
				if full == coatcheck.EndOldest { // which it is
					wantErr(t, name, err, coatcheck.ErrTooManySessions)
				} else if wantErr(t, name, err, nil); err == nil {
					wantValue(t, m, token, profile{Visits: 1})
				}
				if n := len(strings.Fields(idsOf(t, m, "ada"))); n != 1 {
					t.Errorf("%v, %s: %d remain", full, name, n)
				}
			})
		}
	}
}

// Who is not known to keep to the limit is not let in, nor is anything of it left.
func TestLoginWhoseLimitIsNotKnownIsUndone(t *testing.T) {
	for name, enter := range entrances {
		cachesInTime(t, func(t *testing.T, n near) {
			for why, fails := range map[string]func(*listing, *hooked, func()){
				"listing": func(l *listing, _ *hooked, _ func()) {
					l.during = func(int) error { return coatcheck.ErrUnavailable }
				},
				"ending the oldest": func(_ *listing, s *hooked, _ func()) {
					once := false
					s.before = func(method string) error {
						if method == "Delete" && !once {
							once = true
							return coatcheck.ErrUnavailable
						}
						return nil
					}
				},
			} {
				store := list(t)
				m, hooked, _ := desk(t, n, config{Store: store, MaxSessions: 1})
				old := generate(t, m, profile{}, coatcheck.ForSubject("ada"))
				time.Sleep(time.Second)
				fails(store, hooked, nil)
				_, err := enter(t, m, "ada")
				wantErr(t, name+", "+why, err, coatcheck.ErrUnavailable)
				if err != nil && strings.Contains(err.Error(), "not undone") {
					t.Error(err)
				}
				store.during, hooked.before = func(int) error { return nil }, failing(nil)
				wantSessions(t, hooked, 1)
				wantValue(t, m, old, profile{})
			}
		})
	}
}

func TestLoginThatCannotBeUndoneSaysSo(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		store := list(t)
		m, hooked, _ := desk(t, n, config{Store: store, MaxSessions: 1})
		cause := errors.New("no room in the log")
		store.during = func(int) error { return coatcheck.ErrUnavailable }
		hooked.before = failing(cause, "Delete")
		token, err := m.Generate(t.Context(), profile{}, coatcheck.ForSubject("ada"))
		wantErr(t, "Generate", err, coatcheck.ErrUnavailable)
		wantErr(t, "Generate", err, cause)
		if token != "" || !strings.Contains(err.Error(), "not undone") {
			t.Errorf("%v, %v", token, err)
		}
	})
}

// A caller who gives up in the middle must not leave a session behind.
func TestLimitThatIsGivenUpIsUndone(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		store := list(t)
		m, hooked, _ := desk(t, n, config{Store: store, MaxSessions: 1})
		ctx, giveUp := context.WithCancel(t.Context())
		store.during = func(int) error { giveUp(); return ctx.Err() }
		_, err := m.Generate(ctx, profile{}, coatcheck.ForSubject("ada"))
		wantErr(t, "Generate", err, context.Canceled)
		wantSessions(t, hooked, 0)
	})
}

func TestNoLimitAsksNothing(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		for subject, most := range map[string]int{"ada": 0, "": 1} {
			store := list(t)
			m, _, _ := desk(t, n, config{Store: store, MaxSessions: most, WhenFull: coatcheck.RefuseNewest})
			for name, enter := range entrances {
				_, err := enter(t, m, subject)
				wantErr(t, name, err, nil)
			}
			if n := store.lists.Load(); n != 0 {
				t.Errorf("%q: listed %d times", subject, n)
			}
		}
	})
}
