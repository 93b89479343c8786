package coatcheck_test

import (
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
)

func TestDestroyEndsAtOnce(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		for name, before := range map[string]func(*coatcheck.Session[bag]){
			"not read": func(*coatcheck.Session[bag]) {},
			"read":     func(s *coatcheck.Session[bag]) { wantSeen(t, "before", s, bag{"a": 1}) },
			"changed":  func(s *coatcheck.Session[bag]) { with(t, s, "b") },
			"to be renewed": func(s *coatcheck.Session[bag]) {
				wantErr(t, "SetSubject", s.SetSubject("ada"), nil)
			},
			"to be read anew": func(s *coatcheck.Session[bag]) {
				wantSeen(t, "before", s, bag{"a": 1})
				s.Reload()
			},
		} {
			m, store, token := bags(t, n.NearCache)
			other := elsewhere(t, store, n)
			wantBehind(t, "before", other, token, bag{"a": 1})
			s := m.Open(token)
			before(s)
			wantErr(t, "Destroy", s.Destroy(t.Context()), nil)
			wantSessions(t, store, 0)
			for _, m := range []*coatcheck.Manager[bag]{m, other} {
				_, err := m.Get(t.Context(), token)
				wantErr(t, name+": Get", err, coatcheck.ErrNotFound)
			}

			asked := keepJournal(store)
			for range 2 {
				if status := s.Status(); status != (coatcheck.SessionStatus{TokenChanged: true, Used: true}) || s.Token() != "" || s.ID() != "" {
					t.Errorf("%s: %+v, token %v", name, status, s.Token())
				}
				wantSeen(t, name, s, nil)
				if info, err := s.Info(t.Context()); err != nil || info != (coatcheck.Info{}) {
					t.Errorf("%s: Info: %+v, %v; want the zero Info", name, info, err)
				}
				flush(t, s)
				wantErr(t, "Destroy again", s.Destroy(t.Context()), nil)
			}
			asked.want(t, "a session that was destroyed")

			with(t, s, "c")
			flush(t, s)
			asked.want(t, "a later change", "Create")
			wantBehind(t, name, m, wantNew(t, s, token), bag{"c": 1})
			if r := load(t, store, s.Token()); r.Subject != "" {
				t.Errorf("%s: the subject %q was not dropped", name, r.Subject)
			}
		}
	})
}

func TestDestroyOfNothing(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, store, token := bags(t, n.NearCache)
		for name, shown := range noSession {
			s := m.Open(shown)
			with(t, s, "b")
			wantErr(t, name, s.Destroy(t.Context()), nil)
			flush(t, s)
			if s.Token() != "" || s.Status().Pending {
				t.Errorf("%s: token %v, %+v", name, s.Token(), s.Status())
			}
		}
		wantSessions(t, store, 1) // also the one with another secret
		wantBehind(t, "after all", m, token, bag{"a": 1})
	})
}

func TestFailedDestroyLeavesAllAsItWas(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		for _, method := range []string{"Load", "Delete"} {
			m, store, token := bags(t, n.NearCache)
			s := m.Open(token)
			with(t, s, "b")
			s.Renew()
			store.before = failing(coatcheck.ErrUnavailable, method)
			err := s.Destroy(t.Context())
			wantErr(t, "Destroy", err, coatcheck.ErrUnavailable)
			wantDiscreet(t, "Destroy", err, token)
			if s.Token() != token || !s.Status().Pending {
				t.Errorf("token %v, %+v", s.Token(), s.Status())
			}
			wantSeen(t, "after the failure", s, bag{"a": 1, "b": 1})
			store.before = failing(nil)
			flush(t, s)
			wantBehind(t, "in the end", m, s.Token(), bag{"a": 1, "b": 1})
		}
	})
}

func TestDestroyPassesItsOptionsOn(t *testing.T) {
	inTime(t, "Everywhere", func(t *testing.T) {
		_, store, token := bags(t, storeOnly)
		m := newManager(t, coatcheck.Config[bag]{Store: muted(store)})
		start := time.Now()
		wantErr(t, "Destroy", m.Open(token).Destroy(t.Context(), coatcheck.Everywhere()), nil)
		if waited := time.Since(start); waited != coatcheck.DefaultMaxStaleness {
			t.Errorf("waited %v, want MaxStaleness", waited)
		}
		start = time.Now()
		wantErr(t, "Destroy", m.Open(generate(t, m, bag{})).Destroy(t.Context()), nil)
		if waited := time.Since(start); waited != 0 {
			t.Errorf("without the option waited %v", waited)
		}
	})
}
