package coatcheck_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
)

// near is a configuration that the rules of a session are tried in.
type near struct {
	coatcheck.NearCache
	reads []string // what a read asks the store that asks it first
}

// caches runs a test with a near cache and without: the rules are the same.
func caches(t *testing.T, test func(*testing.T, near)) {
	t.Helper()
	t.Run("near cache", func(t *testing.T) { test(t, near{}) })
	t.Run("store only", func(t *testing.T) { test(t, near{storeOnly, []string{"Load"}}) })
}

// cachesInTime is caches in a bubble where an hour takes no time.
func cachesInTime(t *testing.T, test func(*testing.T, near)) {
	t.Helper()
	caches(t, func(t *testing.T, n near) {
		synctest.Test(t, func(t *testing.T) { test(t, n) })
	})
}

// journal is what a store was asked for since somebody last looked.
type journal struct {
	mu    sync.Mutex
	calls []string
}

func keepJournal(store *hooked) *journal {
	j := new(journal)
	store.before = func(method string) error {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.calls = append(j.calls, method)
		return nil
	}
	return j
}

func (j *journal) want(t testing.TB, what string, calls ...string) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	if !slices.Equal(j.calls, calls) {
		t.Errorf("%s asked the store for %v, want %v", what, j.calls, calls)
	}
	j.calls = nil
}

// count returns a change that counts a key up.
func count(key string) func(*bag) error {
	return func(b *bag) error {
		if *b == nil {
			*b = bag{}
		}
		(*b)[key]++
		return nil
	}
}

// with has each of the keys counted up by the session, in private.
func with(t testing.TB, s *coatcheck.Session[bag], keys ...string) {
	t.Helper()
	for _, key := range keys {
		wantErr(t, "Change", s.Change(t.Context(), count(key)), nil)
	}
}

func flush[T any](t testing.TB, s *coatcheck.Session[T]) {
	t.Helper()
	wantErr(t, "Flush", s.Flush(t.Context()), nil)
}

// wantSeen checks what the session's Get returns, and returns it.
func wantSeen(t testing.TB, what string, s *coatcheck.Session[bag], want bag) bag {
	t.Helper()
	got, err := s.Get(t.Context())
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%s: the session sees %v, %v; want %v", what, got, err, want)
	}
	return got
}

// wantBehind checks what others get for the token.
func wantBehind(t testing.TB, what string, m *coatcheck.Manager[bag], token coatcheck.Token, want bag) {
	t.Helper()
	got, err := m.Get(t.Context(), token)
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%s: others see %v, %v; want %v", what, got, err, want)
	}
}

// wantNew checks that the session has a token of its own, other than shown.
func wantNew(t testing.TB, s *coatcheck.Session[bag], shown coatcheck.Token) coatcheck.Token {
	t.Helper()
	token := s.Token()
	if token.ID() == "" || token.ID() == shown.ID() || s.ID() != token.ID() {
		t.Errorf("token %v, ID %q, after %v was shown; want a new one", token, s.ID(), shown)
	}
	return token
}

// elsewhere is another process on the same store.
func elsewhere(t testing.TB, store *hooked, n near) *coatcheck.Manager[bag] {
	t.Helper()
	return newManager(t, coatcheck.Config[bag]{Store: store.Store, NearCache: n.NearCache})
}

// wantSessions checks how many sessions the store holds.
func wantSessions(t testing.TB, store *hooked, want int) {
	t.Helper()
	n := 0
	for _, err := range store.List(t.Context()) {
		wantErr(t, "List", err, nil)
		n++
	}
	if n != want {
		t.Errorf("the store holds %d sessions, want %d", n, want)
	}
}

func TestOpenAsksNothing(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, store, token := bags(t, n.NearCache)
		asked := keepJournal(store)
		s := m.Open(token)
		if s.Token() != token || s.ID() != token.ID() {
			t.Errorf("token %v, ID %q; want those of %v", s.Token(), s.ID(), token)
		}
		s.Reload()
		s.Renew()
		wantErr(t, "SetSubject", s.SetSubject("ada"), nil)
		s.FixToken(true)
		s.Status()
		_ = s.String()
		asked.want(t, "a session that was not read")
	})
}

// noSession are tokens with nothing behind them.
var noSession = map[string]coatcheck.Token{"no token": "", "malformed": malformed, "unknown": sample}

func TestSessionBehindNothingIsEmpty(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, _, token := bags(t, n.NearCache)
		shownTokens := maps.Clone(noSession)
		shownTokens["wrong secret"] = withWrongSecret(token)
		for name, shown := range shownTokens {
			s := m.Open(shown)
			if value, err := s.Get(t.Context()); value != nil || err != nil {
				t.Errorf("%s: Get: %v, %v; want the zero value", name, value, err)
			}
			if info, err := s.Info(t.Context()); info != (coatcheck.Info{}) || err != nil {
				t.Errorf("%s: Info: %+v, %v; want the zero Info", name, info, err)
			}
			if s.Token() != shown || s.ID() != shown.ID() {
				t.Errorf("%s: token %v, ID %q; want those of %v", name, s.Token(), s.ID(), shown)
			}
		}
	})
}

func TestSessionBehindAnExpiredTokenIsEmpty(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, _, token := bags(t, n.NearCache)
		wantSeen(t, "before", m.Open(token), bag{"a": 1})
		time.Sleep(hour)
		wantSeen(t, "after", m.Open(token), nil)
	})
}

func TestMissIsLookedUpOnce(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, store, _ := bags(t, n.NearCache)
		asked := keepJournal(store)
		for name, c := range map[string]struct {
			token coatcheck.Token
			calls []string
		}{"no token": {"", nil}, "malformed": {malformed, nil}, "unknown": {sample, []string{"Load"}}} {
			s := m.Open(c.token)
			for range 3 {
				wantSeen(t, name, s, nil)
			}
			asked.want(t, name, c.calls...)
		}
	})
}

func TestSessionIsReadOnce(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, store, token := bags(t, n.NearCache)
		asked := keepJournal(store)
		for range 2 { // from the near cache encoded, and then decoded
			s := m.Open(token)
			for range 3 {
				wantSeen(t, "Get", s, bag{"a": 1})
				_, err := s.Info(t.Context())
				wantErr(t, "Info", err, nil)
				flush(t, s)
			}
			asked.want(t, "reading", n.reads...)
		}
	})
}

func TestInfoOfASession(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, _, token := bags(t, n.NearCache)
		_, want, err := m.Lookup(t.Context(), token)
		wantErr(t, "Lookup", err, nil)
		s := m.Open(token)
		if got, err := s.Info(t.Context()); got != want || err != nil {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
		wantErr(t, "SetSubject", s.SetSubject("ada"), nil)
		want.Subject = "ada"
		if got, err := s.Info(t.Context()); got != want || err != nil {
			t.Errorf("with a subject that is not flushed: %+v, %v; want %+v", got, err, want)
		}
	})
}

func TestReadingIsRepeatable(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, store, token := bags(t, n.NearCache)
		for name, other := range map[string]*coatcheck.Manager[bag]{"here": m, "elsewhere": elsewhere(t, store, n)} {
			before, err := m.Get(t.Context(), token)
			wantErr(t, "Get", err, nil)
			after := maps.Clone(before)
			after["a"]++

			s := m.Open(token)
			wantSeen(t, "at first", s, before)
			wantErr(t, "Change", other.Change(t.Context(), token, count("a")), nil)
			wantSeen(t, "after a change "+name, s, before)
			rev := func() uint64 {
				info, err := s.Info(t.Context())
				wantErr(t, "Info", err, nil)
				return info.Rev
			}
			old := rev()
			s.Reload()
			wantSeen(t, "after Reload", s, after)
			if rev() != old+1 {
				t.Errorf("Info: revision %d after Reload, want %d", rev(), old+1)
			}
		}
	})
}

func TestReloadKeepsWhatIsPending(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, store, token := bags(t, n.NearCache)
		s := m.Open(token)
		with(t, s, "a", "b")
		wantErr(t, "SetSubject", s.SetSubject("ada"), nil)
		wantErr(t, "Change", elsewhere(t, store, n).Change(t.Context(), token, count("a")), nil)
		wantSeen(t, "before Reload", s, bag{"a": 2, "b": 1})
		s.Reload()
		wantSeen(t, "after Reload", s, bag{"a": 3, "b": 1})
		with(t, s, "c")
		s.Reload()
		flush(t, s)
		want := bag{"a": 3, "b": 1, "c": 1}
		wantSeen(t, "after Flush", s, want)
		wantBehind(t, "after Flush", m, s.Token(), want)
		if r := load(t, store, token); r.Rev != 3 || r.Subject != "ada" {
			t.Errorf("revision %d of %q, want 3 of ada", r.Rev, r.Subject)
		}
	})
}

// A change that cannot be made again on the newer value is for its maker to hear
// of, at each turn, until it can.
func TestReplayAfterReloadMayFail(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, store, token := bags(t, n.NearCache)
		errTaken := errors.New("taken")
		s := m.Open(token)
		wantErr(t, "Change", s.Change(t.Context(), func(b *bag) error {
			if (*b)["seat"] > 0 {
				return errTaken
			}
			return count("seat")(b)
		}), nil)
		other := elsewhere(t, store, n)
		wantErr(t, "Change", other.Change(t.Context(), token, count("seat")), nil)
		s.Reload()
		for range 2 {
			if value, err := s.Get(t.Context()); err != errTaken || value != nil {
				t.Errorf("Get: %v, %v; want nothing, and the error as it is", value, err)
			}
			if err := s.Change(t.Context(), count("b")); err != errTaken {
				t.Errorf("Change: %v; want the error as it is", err)
			}
			if err := s.Flush(t.Context()); err != errTaken {
				t.Errorf("Flush: %v; want the error as it is", err)
			}
		}
		wantErr(t, "Change", other.Change(t.Context(), token, func(b *bag) error { delete(*b, "seat"); return nil }), nil)
		s.Reload()
		flush(t, s)
		wantBehind(t, "in the end", m, token, bag{"a": 1, "seat": 1})
	})
}

func TestReloadSeesThatTheSessionHasEnded(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, store, token := bags(t, n.NearCache)
		s := m.Open(token)
		wantSeen(t, "before", s, bag{"a": 1})
		wantErr(t, "Delete", elsewhere(t, store, n).Delete(t.Context(), token), nil)
		wantSeen(t, "before Reload", s, bag{"a": 1})
		s.Reload()
		wantSeen(t, "after Reload", s, nil)
	})
}

func TestReadErrorsAreReturnedAndForgotten(t *testing.T) {
	calls := map[string]func(context.Context, *coatcheck.Session[bag]) error{
		"Get":         func(ctx context.Context, s *coatcheck.Session[bag]) error { _, err := s.Get(ctx); return err },
		"Change":      func(ctx context.Context, s *coatcheck.Session[bag]) error { return s.Change(ctx, count("b")) },
		"Info":        func(ctx context.Context, s *coatcheck.Session[bag]) error { _, err := s.Info(ctx); return err },
		"Destroy":     func(ctx context.Context, s *coatcheck.Session[bag]) error { return s.Destroy(ctx) },
		"MarshalJSON": func(_ context.Context, s *coatcheck.Session[bag]) error { _, err := s.MarshalJSON(); return err },
		"Flush":       func(ctx context.Context, s *coatcheck.Session[bag]) error { s.Renew(); return s.Flush(ctx) },
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			m, store, token := bags(t, storeOnly)
			s := m.Open(token)
			store.before = failing(coatcheck.ErrUnavailable, "Load")
			for range 2 {
				err := call(t.Context(), s)
				wantErr(t, name, err, coatcheck.ErrUnavailable)
				wantDiscreet(t, name, err, token)
			}
			store.before = failing(nil)
			wantSeen(t, "once the store is back", s, bag{"a": 1})
			wantErr(t, name, call(t.Context(), s), nil)
		})
	}
}

// A value that its receiver changed is found out in a session, too.
func TestCheckSnapshotsInASession(t *testing.T) {
	m, _, token := bags(t, coatcheck.NearCache{CheckSnapshots: true})
	for range 2 {
		mine := wantSeen(t, "at first", m.Open(token), bag{"a": 1})
		wantSeen(t, "what nobody changed", m.Open(token), bag{"a": 1})
		mine["a"] = 2
		_, err := m.Open(token).Get(t.Context())
		wantErr(t, "Get of what somebody changed", err, coatcheck.ErrSnapshotChanged)
	}
}

func TestClosedManagerEndsItsSessions(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, _, token := bags(t, n.NearCache)
		ctx := t.Context()
		unread, changed, begun := m.Open(token), m.Open(token), m.Open("")
		with(t, changed, "b")
		with(t, begun, "b")
		wantErr(t, "Close", m.Close(), nil)
		_, err := unread.Get(ctx)
		wantErr(t, "Get", err, coatcheck.ErrClosed)
		wantErr(t, "Flush of a change", changed.Flush(ctx), coatcheck.ErrClosed)
		wantErr(t, "Flush of a new session", begun.Flush(ctx), coatcheck.ErrClosed)
		wantErr(t, "Destroy", changed.Destroy(ctx), coatcheck.ErrClosed)
		if !changed.Status().Pending || !begun.Status().Pending {
			t.Error("what could not be saved was dropped")
		}
	})
}
