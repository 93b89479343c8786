package coatcheck_test

import (
	"context"
	"errors"
	"testing"

	"github.com/coatcheck/coatcheck"
)

// Whoever signs in where somebody else has left is not to see what was theirs.
func TestAnotherSubjectBeginsAnew(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		for name, c := range map[string]struct {
			from, to string
			keeps    bool
		}{
			"guest signs in":      {"", "ada", true},
			"the same once more":  {"ada", "ada", true},
			"signs out of a name": {"ada", "", true},
			"somebody else":       {"ada", "bob", false},
		} {
			m, store, _ := bags(t, n.NearCache)
			token := generate(t, m, bag{"a": 1}, coatcheck.ForSubject(c.from))
			s := m.Open(token)
			with(t, s, "b")
			wantErr(t, name, s.SetSubject(c.to), nil)
			flush(t, s)
			want := bag{"b": 1}
			if c.keeps {
				want["a"] = 1
			}
			if kept := s.ID() == token.ID(); kept != c.keeps {
				t.Errorf("%s: kept %t, want %t", name, kept, c.keeps)
			}
			wantSeen(t, name, s, want)
			wantBehind(t, name, m, s.Token(), want)
			if r := load(t, store, s.Token()); r.Subject != c.to {
				t.Errorf("%s: subject %q", name, r.Subject)
			}
			_, err := m.Get(t.Context(), token)
			wantErr(t, name+": the old token", err, coatcheck.ErrNotFound)
			wantSessions(t, store, 2) // with that of bags
		}
	})
}

func TestFailedChangeOfSubjectLosesNothing(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		for method, left := range map[string]int{"Delete": 2, "Create": 1} { // with that of bags
			m, store, _ := bags(t, n.NearCache)
			s := m.Open(generate(t, m, bag{"a": 1}, coatcheck.ForSubject("ada")))
			with(t, s, "b")
			wantErr(t, "SetSubject", s.SetSubject("bob"), nil)
			s.FixToken(true)
			wantErr(t, "Flush with the token fixed", s.Flush(t.Context()), coatcheck.ErrTokenFixed)
			s.FixToken(false)
			store.before = failing(coatcheck.ErrUnavailable, method)
			wantErr(t, method+" fails", s.Flush(t.Context()), coatcheck.ErrUnavailable)
			store.before = failing(nil)
			wantSessions(t, store, left)
			flush(t, s)
			wantBehind(t, "after "+method, m, s.Token(), bag{"b": 1})
			wantSessions(t, store, 2)
		}
	})
}

// A login that is sent twice succeeds twice.
func TestSecondLoginWithTheSameTokenSucceeds(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, store, token := bags(t, n.NearCache)
		first, second := m.Open(token), m.Open(token)
		for _, s := range []*coatcheck.Session[bag]{first, second} {
			wantSeen(t, "before", s, bag{"a": 1})
			wantErr(t, "SetSubject", s.SetSubject("ada"), nil)
		}
		flush(t, first)
		flush(t, second)
		wantBehind(t, "the first", m, first.Token(), bag{"a": 1})
		for _, s := range []*coatcheck.Session[bag]{first, second} {
			if r := load(t, store, s.Token()); r.Subject != "ada" {
				t.Errorf("subject %q", r.Subject)
			}
		}
		if first.ID() == second.ID() {
			t.Error("the second has the session that it could not prove its right to")
		}
	})
}

// A logout with the token from before a renewal must not be a logout of nothing.
func TestLogoutDuringARenewal(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		for name, how := range map[string]struct {
			read bool
			end  func(context.Context, *coatcheck.Manager[bag], *coatcheck.Session[bag], coatcheck.Token) error
		}{
			"Destroy, read before": {true, func(ctx context.Context, _ *coatcheck.Manager[bag], s *coatcheck.Session[bag], _ coatcheck.Token) error {
				return s.Destroy(ctx)
			}},
			"Destroy": {false, func(ctx context.Context, _ *coatcheck.Manager[bag], s *coatcheck.Session[bag], _ coatcheck.Token) error {
				return s.Destroy(ctx)
			}},
			"Delete": {false, func(ctx context.Context, m *coatcheck.Manager[bag], _ *coatcheck.Session[bag], token coatcheck.Token) error {
				return m.Delete(ctx, token)
			}},
		} {
			m, store, token := bags(t, n.NearCache)
			logout := m.Open(token)
			if how.read {
				wantSeen(t, name+", before", logout, bag{"a": 1})
			}
			s := m.Open(token)
			s.Renew()
			flush(t, s)
			wantErr(t, name, how.end(t.Context(), m, logout, token), nil)
			wantSessions(t, store, 0)
			_, err := m.Get(t.Context(), s.Token())
			wantErr(t, name+": Get with the new token", err, coatcheck.ErrNotFound)
		}
	})
}

// The right to end a session is no right to end another one of the same ID.
func TestLogoutSparesALaterSessionOfTheID(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, store, token := bags(t, n.NearCache)
		s := m.Open(token)
		wantSeen(t, "before", s, bag{"a": 1})
		wantErr(t, "Delete", elsewhere(t, store, n).Delete(t.Context(), token), nil)
		later := generate(t, elsewhere(t, store, n), bag{"b": 1}, coatcheck.WithID(token.ID()))
		if err := s.Destroy(t.Context()); err != nil && !errors.Is(err, coatcheck.ErrNotFound) {
			t.Error(err)
		}
		wantBehind(t, "the later session", m, later, bag{"b": 1})
	})
}
