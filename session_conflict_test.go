package coatcheck_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
)

// The complaint that there is about all session systems: last write wins.
func TestSessionsThatChangeDifferentKeysBothSurvive(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, store, token := bags(t, n.NearCache)
		for name, other := range map[string]*coatcheck.Manager[bag]{"one manager": m, "two managers": elsewhere(t, store, n)} {
			before, err := m.Get(t.Context(), token)
			wantErr(t, "Get", err, nil)
			conflicts := m.Stats().Conflicts + other.Stats().Conflicts
			first, second := m.Open(token), other.Open(token)
			with(t, first, "b", "both")
			with(t, second, "c", "both")
			flush(t, first)
			flush(t, second)
			want := bag{"a": 1, "b": before["b"] + 1, "c": before["c"] + 1, "both": before["both"] + 2}
			wantBehind(t, name, m, token, want)
			wantBehind(t, name, other, token, want)
			wantSeen(t, "who flushed last", second, want)
			if n.reads != nil && m.Stats().Conflicts+other.Stats().Conflicts == conflicts {
				t.Errorf("%s: no conflict", name)
			}
		}
	})
}

func TestFlushUnderFireRunsChangesOnTheNewerValue(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		const overtakes = 3
		m, store, token := bags(t, n.NearCache)
		other := elsewhere(t, store, n)
		left := overtakes
		store.before = func(method string) error {
			if method == "Update" && left > 0 {
				left--
				return other.Change(t.Context(), token, count("a"))
			}
			return nil
		}
		s := m.Open(token)
		var saw []int
		wantErr(t, "Change", s.Change(t.Context(), func(b *bag) error {
			saw = append(saw, (*b)["a"])
			return count("b")(b)
		}), nil)
		flush(t, s)
		if fmt.Sprint(saw) != "[1 2 3 4]" {
			t.Errorf("the change saw %v, want 1 to 4", saw)
		}
		wantBehind(t, "in the end", m, token, bag{"a": 4, "b": 1})
		wantSeen(t, "in the end", s, bag{"a": 4, "b": 1})
		if n := m.Stats().Conflicts; n != overtakes {
			t.Errorf("Conflicts is %d, want %d", n, overtakes)
		}
	})
}

// A session of the same ID, at the same revision, is another one.
func TestFlushSparesANewSessionUnderTheSameID(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, _, _ := bags(t, n.NearCache)
		old := generate(t, m, bag{"old": 1}, coatcheck.WithID(sampleID))
		s := m.Open(old)
		with(t, s, "b")
		wantErr(t, "Delete", m.Delete(t.Context(), old), nil)
		next := generate(t, m, bag{"new": 1}, coatcheck.WithID(sampleID))
		wantErr(t, "Flush", s.Flush(t.Context()), coatcheck.ErrNotFound)
		wantBehind(t, "the new one", m, next, bag{"new": 1})
	})
}

// Errors of a function that look like ours are its own all the same.
func TestErrorOfAReplayIsReturnedAndAllStays(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		for _, mine := range []error{errors.New("my own"), coatcheck.ErrNotFound, coatcheck.ErrConflict, coatcheck.ErrDecode} {
			m, store, token := bags(t, n.NearCache)
			other := elsewhere(t, store, n)
			s := m.Open(token)
			with(t, s, "b")
			wantErr(t, "Change", s.Change(t.Context(), func(b *bag) error {
				(*b)["c"] = 100
				if (*b)["a"] == 2 {
					return mine
				}
				return nil
			}), nil)
			wantErr(t, "Change", other.Change(t.Context(), token, count("a")), nil)
			for range 2 {
				if err := s.Flush(t.Context()); err != mine {
					t.Errorf("Flush: %v, want %v as it is", err, mine)
				}
				if s.Token() != token || !s.Status().Pending {
					t.Errorf("token %v, %+v", s.Token(), s.Status())
				}
				wantBehind(t, "after the error", m, token, bag{"a": 2})
			}
			if n := m.Stats().DecodeFailures; n != 0 {
				t.Errorf("%v: %d decode failures", mine, n)
			}
			wantErr(t, "Change", other.Change(t.Context(), token, count("a")), nil)
			flush(t, s)
			wantBehind(t, "in the end", m, token, bag{"a": 3, "b": 1, "c": 100})
		}
	})
}

func TestFlushGivesUp(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, store, token := bags(t, n.NearCache)
		s := m.Open(token)
		with(t, s, "b")
		store.before = failing(coatcheck.ErrConflict, "Update")
		err := s.Flush(t.Context())
		wantErr(t, "Flush", err, coatcheck.ErrConflict)
		if err != nil && !strings.Contains(err.Error(), token.ID()) {
			t.Errorf("the error does not name the session: %v", err)
		}
		store.before = failing(nil)
		flush(t, s)
		wantBehind(t, "in the end", m, token, bag{"a": 1, "b": 1})
	})
}

// The other complaint: a logout that a request in flight undoes.
func TestEndedSessionStaysEnded(t *testing.T) {
	ends := map[string]func(*testing.T, *coatcheck.Manager[bag], *hooked, coatcheck.Token){
		"here": func(t *testing.T, m *coatcheck.Manager[bag], _ *hooked, token coatcheck.Token) {
			wantErr(t, "Delete", m.Delete(t.Context(), token), nil)
		},
		"by another session": func(t *testing.T, m *coatcheck.Manager[bag], _ *hooked, token coatcheck.Token) {
			wantErr(t, "Destroy", m.Open(token).Destroy(t.Context()), nil)
		},
		"in the store": func(t *testing.T, _ *coatcheck.Manager[bag], store *hooked, token coatcheck.Token) {
			wantErr(t, "Delete", store.Store.Delete(t.Context(), token.ID()), nil)
		},
		"by its deadline": func(*testing.T, *coatcheck.Manager[bag], *hooked, coatcheck.Token) { time.Sleep(hour) },
		"in flight": func(t *testing.T, _ *coatcheck.Manager[bag], store *hooked, token coatcheck.Token) {
			store.before = func(method string) error {
				if method == "Update" {
					return store.Store.Delete(t.Context(), token.ID())
				}
				return nil
			}
		},
	}
	caches(t, func(t *testing.T, n near) {
		for name, end := range ends {
			for _, renewed := range []bool{false, true} {
				inTime(t, fmt.Sprintf("%s, renewed %t", name, renewed), func(t *testing.T) {
					m, store, token := bags(t, n.NearCache)
					s := m.Open(token)
					with(t, s, "b")
					if renewed {
						wantErr(t, "SetSubject", s.SetSubject("ada"), nil)
					}
					end(t, m, store, token)
					err := s.Flush(t.Context())
					wantErr(t, "Flush", err, coatcheck.ErrNotFound)
					if err != nil && !strings.Contains(err.Error(), token.ID()) {
						t.Errorf("the error does not name the session: %v", err)
					}

					asked := keepJournal(store)
					flush(t, s)
					wantSeen(t, "after the end", s, nil)
					if info, err := s.Info(t.Context()); err != nil || info != (coatcheck.Info{}) {
						t.Errorf("Info: %+v, %v; want the zero Info", info, err)
					}
					if s.Token() != token || s.Status().Pending {
						t.Errorf("token %v, %+v", s.Token(), s.Status())
					}
					asked.want(t, "a session that is known to have ended")
					wantSessions(t, store, 0)

					with(t, s, "c")
					flush(t, s)
					wantBehind(t, "a later change", m, wantNew(t, s, token), bag{"c": 1})
					if r := load(t, store, s.Token()); r.Subject != "" {
						t.Errorf("the subject of the dropped login is there: %q", r.Subject)
					}
					_, err = m.Get(t.Context(), token)
					wantErr(t, "Get with the old token", err, coatcheck.ErrNotFound)
				})
			}
		}
	})
}

// That the changes were made already does not keep a retry from making them
// again: the caller was told so. But nothing is recreated.
func TestFlushAfterALostAnswer(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		for _, renew := range []bool{false, true} {
			m, store, token := bags(t, n.NearCache)
			s := m.Open(token)
			with(t, s, "b")
			if renew {
				s.Renew()
			}
			store.before = func(method string) error {
				if method != "Update" {
					return nil
				}
				r := load(t, store.Store, token)
				r.Rev, r.Value = 2, []byte(`{"a":1,"b":1}`)
				if renew {
					r.SecretHash[0]++ // somebody's, who was never told
				}
				wantErr(t, "Update", store.Store.Update(t.Context(), r), nil)
				return coatcheck.ErrUnavailable
			}
			wantErr(t, "Flush", s.Flush(t.Context()), coatcheck.ErrUnavailable)
			store.before = failing(nil)
			if !renew {
				flush(t, s)
				wantBehind(t, "the retry", m, token, bag{"a": 1, "b": 2})
				continue
			}
			wantErr(t, "Flush", s.Flush(t.Context()), coatcheck.ErrNotFound)
			if r := load(t, store, token); r.Rev != 2 || string(r.Value) != `{"a":1,"b":1}` {
				t.Errorf("the store has %s at revision %d", r.Value, r.Rev)
			}
		}
	})
}

func TestManySessionsLoseNoChange(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, store, token := bags(t, n.NearCache)
		managers := []*coatcheck.Manager[bag]{m, elsewhere(t, store, n)}
		const units, changes = 50, 4
		var wg sync.WaitGroup
		for i := range units {
			wg.Go(func() {
				s := managers[i%len(managers)].Open(token)
				for range changes {
					with(t, s, "all", fmt.Sprint("unit ", i))
					flush(t, s)
				}
			})
		}
		wg.Wait()
		got, info, err := m.Lookup(t.Context(), token)
		wantErr(t, "Lookup", err, nil)
		if got["all"] != units*changes || len(got) != units+2 || info.Rev != 1+units*changes {
			t.Errorf("%d changes of %d keys at revision %d, want %d of %d at %d",
				got["all"], len(got), info.Rev, units*changes, units+2, 1+units*changes)
		}
		for i := range units {
			if got[fmt.Sprint("unit ", i)] != changes {
				t.Errorf("unit %d: %d changes, want %d", i, got[fmt.Sprint("unit ", i)], changes)
			}
		}
	})
}

// So it does when a change has to ask the store for the value, since what is in
// memory was written in another way: that the session has ended is for Flush to tell.
func TestEndedSessionStaysEndedWhateverItsJSON(t *testing.T) {
	inTime(t, "foreign JSON", func(t *testing.T) {
		m, store, token := bags(t, coatcheck.NearCache{})
		r := load(t, store, token)
		r.Rev, r.Value = 2, []byte(`{ "a": 1 }`)
		wantErr(t, "Update", store.Update(t.Context(), r), nil)
		s := m.Open(token)
		wantSeen(t, "before the end", s, bag{"a": 1})
		wantErr(t, "Delete", m.Delete(t.Context(), token), nil)
		with(t, s, "c")
		wantErr(t, "Flush", s.Flush(t.Context()), coatcheck.ErrNotFound)
		wantSessions(t, store, 0)
		flush(t, s)
		wantSeen(t, "after the end", s, nil)
		with(t, s, "d")
		flush(t, s)
		wantBehind(t, "a later change", m, wantNew(t, s, token), bag{"d": 1})
	})
}
