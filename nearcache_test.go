package coatcheck_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/memstore"
)

// mute is a store that does not report changes.
type mute struct {
	coatcheck.Store
	coatcheck.Toucher
}

func muted(s *hooked) mute { return mute{s, s} }

// cached returns a manager on a store of its own, and a session that its near
// cache holds, decoded.
func cached(t testing.TB, c config) (*coatcheck.Manager[profile], *hooked, coatcheck.Token) {
	t.Helper()
	store := hook(t)
	if c.Store == nil {
		c.Store = store
	}
	m := newManager(t, c)
	token := generate(t, m, profile{Name: "ada"})
	wantValue(t, m, token, profile{Name: "ada"})
	return m, store, token
}

func TestCachedReadsAskNoStore(t *testing.T) {
	m, store, token := cached(t, config{})
	store.before = failing(coatcheck.ErrUnavailable, "Load", "Touch")
	before := m.Stats().NearCache.Hits
	for range 100 {
		wantValue(t, m, token, profile{Name: "ada"})
	}
	if hits := m.Stats().NearCache.Hits - before; hits != 100 {
		t.Errorf("%d hits, want 100", hits)
	}
}

func TestCachedGetAllocatesNothing(t *testing.T) {
	m, _, token := cached(t, config{})
	ctx := t.Context()
	n := testing.AllocsPerRun(1000, func() {
		if _, err := m.Get(ctx, token); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// What this process has written it need not read.
func TestOwnWritesStayCached(t *testing.T) {
	store := hook(t)
	m := newManager(t, config{Store: store})
	store.before = failing(coatcheck.ErrUnavailable, "Load")
	token := generate(t, m, profile{Name: "ada"})
	wantValue(t, m, token, profile{Name: "ada"})
	wantErr(t, "Update", m.Update(t.Context(), token, profile{Name: "bob"}), nil)
	wantValue(t, m, token, profile{Name: "bob"})
	wantErr(t, "Change", m.Change(t.Context(), token, addVisit), nil)
	wantErr(t, "Change of a decoded value", m.Change(t.Context(), token, addVisit), nil)
	wantErr(t, "Change of an encoded value", m.Change(t.Context(), token, addVisit), nil)
	wantValue(t, m, token, profile{Name: "bob", Visits: 3})
}

// What was only created is not watched: it is read once more, after
// MaxStaleness, and then no more.
func TestCreatedSessionsAreReadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, store, token := cached(t, config{})
		loads := 0
		store.before = func(method string) error {
			if method == "Load" {
				loads++
			}
			return nil
		}
		time.Sleep(coatcheck.DefaultMaxStaleness)
		wantValue(t, m, token, profile{Name: "ada"})
		if loads != 0 {
			t.Errorf("read %d times within MaxStaleness", loads)
		}
		for range 10 {
			time.Sleep(coatcheck.DefaultMaxStaleness)
			wantValue(t, m, token, profile{Name: "ada"})
		}
		if loads != 1 {
			t.Errorf("read %d times after MaxStaleness, want once", loads)
		}
	})
}

// A caller may go on to change what it has handed over.
func TestCacheSharesNoMemoryWithWriters(t *testing.T) {
	type bag = map[string]int
	m := newManager(t, coatcheck.Config[bag]{Store: openStore(t)})
	mine := bag{"a": 1}
	want := func(what string, token coatcheck.Token, n int) {
		t.Helper()
		mine["a"] = -1
		got, err := m.Get(t.Context(), token)
		if err != nil || got["a"] != n {
			t.Errorf("after %s: %v, %v", what, got, err)
		}
	}
	token := generate(t, m, mine)
	want("Generate", token, 1)
	mine["a"] = 2
	wantErr(t, "Update", m.Update(t.Context(), token, mine), nil)
	want("Update", token, 2)
	mine["a"] = 3
	wantErr(t, "Change", m.Change(t.Context(), token, func(b *bag) error { *b = mine; return nil }), nil)
	want("Change", token, 3)
}

func TestManagersOnOneStoreHearOfEachOther(t *testing.T) {
	store := openStore(t)
	a, b := newManager(t, config{Store: store}), newManager(t, config{Store: store})
	token := generate(t, a, profile{})
	for i := range 100 {
		wantValue(t, b, token, profile{Visits: i})
		wantErr(t, "Change", a.Change(t.Context(), token, addVisit), nil)
		wantValue(t, b, token, profile{Visits: i + 1})
	}
	wantErr(t, "Delete", a.Delete(t.Context(), token), nil)
	wantGone(t, b, token)
}

// Of changes that nobody reports, a read misses those of MaxStaleness at most.
func TestStalenessIsBoundedWithoutReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, store, token := cached(t, config{NearCache: coatcheck.NearCache{MaxStaleness: 200 * time.Millisecond}})
		quiet := newManager(t, config{Store: muted(store), NearCache: coatcheck.NearCache{MaxStaleness: 200 * time.Millisecond}})
		wantValue(t, quiet, token, profile{Name: "ada"})
		wantErr(t, "Update", m.Update(t.Context(), token, profile{Name: "bob"}), nil)
		time.Sleep(200 * time.Millisecond)
		wantValue(t, quiet, token, profile{Name: "ada"})
		time.Sleep(time.Millisecond)
		wantValue(t, quiet, token, profile{Name: "bob"})
	})
}

// What is in memory may be behind: it is no reason to refuse a change.
func TestChangesAreDecidedByTheStore(t *testing.T) {
	errNobody := errors.New("no such name")
	rename := func(from, to string) func(*profile) error {
		return func(p *profile) error {
			if p.Name != from {
				return errNobody
			}
			p.Name = to
			return nil
		}
	}
	for name, c := range map[string]struct {
		call func(*coatcheck.Manager[profile], coatcheck.Token) error
		want error
	}{
		"a function that only likes the newest value": {func(m *coatcheck.Manager[profile], token coatcheck.Token) error {
			return m.Change(t.Context(), token, rename("bob", "eve"))
		}, nil},
		"a function that only likes the old value": {func(m *coatcheck.Manager[profile], token coatcheck.Token) error {
			return m.Change(t.Context(), token, rename("ada", "eve"))
		}, errNobody},
		"IfRev with the newest revision": {func(m *coatcheck.Manager[profile], token coatcheck.Token) error {
			return m.Update(t.Context(), token, profile{Name: "eve"}, coatcheck.IfRev(2))
		}, nil},
		"IfRev with the old revision": {func(m *coatcheck.Manager[profile], token coatcheck.Token) error {
			return m.Update(t.Context(), token, profile{Name: "eve"}, coatcheck.IfRev(1))
		}, coatcheck.ErrConflict},
	} {
		t.Run(name, func(t *testing.T) {
			m, store, token := cached(t, config{})
			behind := newManager(t, config{Store: muted(store), NearCache: coatcheck.NearCache{MaxStaleness: hour}})
			wantValue(t, behind, token, profile{Name: "ada"})
			wantErr(t, "Update", m.Update(t.Context(), token, profile{Name: "bob"}), nil)
			wantErr(t, name, c.call(behind, token), c.want)
			want := "eve"
			if c.want != nil {
				want = "bob"
			}
			wantValue(t, behind, token, profile{Name: want})
		})
	}
}

func TestDeletedElsewhereCannotBeChanged(t *testing.T) {
	for _, v := range []verb{update, change, refresh} {
		t.Run(v.name, func(t *testing.T) {
			m, store, token := cached(t, config{IdleTimeout: coatcheck.Never})
			behind := newManager(t, config{Store: muted(store), NearCache: coatcheck.NearCache{MaxStaleness: hour}})
			wantValue(t, behind, token, profile{Name: "ada"})
			wantErr(t, "Delete", m.Delete(t.Context(), token), nil)
			wantErr(t, v.name, v.call(t.Context(), behind, token), coatcheck.ErrNotFound)
			wantGone(t, behind, token) // it knows, now
		})
	}
}

// What the function says of a value that was behind is not passed on when the
// store cannot be asked for the newest.
func TestRefusalOfAnOldValueIsForgotten(t *testing.T) {
	refuse := func(*profile) error { return errors.New("not this one") }
	for name, c := range map[string]struct {
		before func(*hooked, coatcheck.Token)
		want   error
	}{
		"deleted": {func(s *hooked, token coatcheck.Token) {
			wantErr(t, "Delete", s.Store.Delete(t.Context(), token.ID()), nil)
		}, coatcheck.ErrNotFound},
		"outage": {func(s *hooked, _ coatcheck.Token) {
			s.before = failing(coatcheck.ErrUnavailable, "Load")
		}, coatcheck.ErrUnavailable},
	} {
		store := hook(t)
		m, _, token := cached(t, config{Store: muted(store)})
		c.before(store, token)
		wantErr(t, name, m.Change(t.Context(), token, refuse), c.want)
	}
}

func TestWrongSecretIsNotServedFromMemory(t *testing.T) {
	m, store, token := cached(t, config{})
	wrong := withWrongSecret(token)
	for _, v := range verbs {
		wantErr(t, v.name, v.call(t.Context(), m, wrong), v.miss())
	}
	if n := m.Stats().WrongSecrets; n != uint64(len(verbs)) {
		t.Errorf("WrongSecrets is %d, want %d", n, len(verbs))
	}
	store.before = failing(coatcheck.ErrUnavailable, "Load")
	wantValue(t, m, token, profile{Name: "ada"}) // still there, for those who may have it
}

func TestMissesAreNotRemembered(t *testing.T) {
	m, store, token := cached(t, config{})
	before := load(t, store, token)
	wantErr(t, "Delete", store.Store.Delete(t.Context(), token.ID()), nil)
	wantGone(t, m, token)
	wantErr(t, "Create", store.Store.Create(t.Context(), before), nil)
	wantValue(t, m, token, profile{Name: "ada"})
}

// Where the store cannot be reached, reads from memory end after MaxStaleness,
// and begin again when it is back.
func TestOutageEndsCachedReads(t *testing.T) {
	for name, serveStale := range map[string]time.Duration{"fail closed": 0, "ServeStaleFor": 2 * time.Second} {
		inTime(t, name, func(t *testing.T) {
			store := hook(t)
			m, _, token := cached(t, config{Store: muted(store), NearCache: coatcheck.NearCache{ServeStaleFor: serveStale}})
			store.before = failing(coatcheck.ErrUnavailable, "Load")
			time.Sleep(coatcheck.DefaultMaxStaleness)
			wantValue(t, m, token, profile{Name: "ada"})
			if serveStale > 0 {
				time.Sleep(serveStale)
				wantValue(t, m, token, profile{Name: "ada"})
				wantErr(t, "Change", m.Change(t.Context(), token, addVisit), coatcheck.ErrUnavailable)
				wantErr(t, "Get", get.call(t.Context(), m, withWrongSecret(token)), coatcheck.ErrUnavailable)
				if n := m.Stats().NearCache.ServedStale; n != 1 {
					t.Errorf("ServedStale is %d, want 1", n)
				}
			}
			time.Sleep(time.Millisecond)
			wantErr(t, "Get", get.call(t.Context(), m, token), coatcheck.ErrUnavailable)
			store.before = failing(nil)
			wantValue(t, m, token, profile{Name: "ada"})
		})
	}
}

// An entry ends with its session, however fresh it is.
func TestCachedSessionsEndInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _, token := cached(t, config{AbsoluteTimeout: hour})
		for range 59 {
			time.Sleep(minute)
			wantValue(t, m, token, profile{Name: "ada"})
		}
		time.Sleep(minute - time.Millisecond)
		wantValue(t, m, token, profile{Name: "ada"})
		time.Sleep(time.Millisecond)
		wantGone(t, m, token)
	})
}

func TestManyCachedReadsTouchOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, store, token := cached(t, config{})
		time.Sleep(coatcheck.DefaultIdleTimeout / 10)
		reading := make(chan struct{})
		store.before = func(method string) error {
			if method == "Touch" {
				<-reading // nobody waits for it
			}
			return nil
		}
		var group sync.WaitGroup
		group.Go(func() { wantValue(t, m, token, profile{Name: "ada"}) })
		synctest.Wait()
		for range 100 {
			wantValue(t, m, token, profile{Name: "ada"})
		}
		close(reading)
		group.Wait()
		wantValue(t, m, token, profile{Name: "ada"})
		if n := store.touches.Load(); n != 1 {
			t.Errorf("%d touches, want 1", n)
		}
		_, info, err := m.Lookup(t.Context(), token)
		if want := time.Now().Add(coatcheck.DefaultIdleTimeout); err != nil || info.ExpiresAt.Before(want.Add(-time.Second)) {
			t.Errorf("expires at %v, %v; want %v", info.ExpiresAt, err, want)
		}
	})
}

func TestEverywhereReturnsWhenNobodyServesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, store, token := cached(t, config{})
		start := time.Now()
		wantErr(t, "Delete", m.Delete(t.Context(), token, coatcheck.Everywhere()), nil)
		if waited := time.Since(start); waited != 0 {
			t.Errorf("waited %v, though all caches of a memory store are told", waited)
		}

		deleter := newManager(t, config{Store: muted(store)})
		reader := newManager(t, config{Store: muted(store)})
		token = generate(t, deleter, profile{Name: "ada"})
		wantValue(t, reader, token, profile{Name: "ada"})
		wantErr(t, "Delete", deleter.Delete(t.Context(), token, coatcheck.Everywhere()), nil)
		time.Sleep(time.Nanosecond)
		wantGone(t, reader, token)

		// ServeStaleFor counts, too; nothing does for what is no token.
		patient := newManager(t, config{Store: muted(store), NearCache: coatcheck.NearCache{ServeStaleFor: minute}})
		for asked, want := range map[coatcheck.Token]time.Duration{
			generate(t, patient, profile{}): coatcheck.DefaultMaxStaleness + minute,
			malformed:                       0,
		} {
			start := time.Now()
			wantErr(t, "Delete", patient.Delete(t.Context(), asked, coatcheck.Everywhere()), nil)
			if waited := time.Since(start); waited != want {
				t.Errorf("waited %v, want %v", waited, want)
			}
		}

		token = generate(t, deleter, profile{Name: "ada"})
		brief, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		wantErr(t, "Delete", deleter.Delete(brief, token, coatcheck.Everywhere()), context.DeadlineExceeded)
		if _, err := store.Store.Load(t.Context(), token.ID()); !errors.Is(err, coatcheck.ErrNotFound) {
			t.Errorf("the session was not deleted: %v", err)
		}
	})
}

func TestEveryEvictionBoundsTheCache(t *testing.T) {
	for _, eviction := range []coatcheck.Eviction{coatcheck.TinyLFU, coatcheck.LRU, coatcheck.KeepOldest} {
		store, err := memstore.New(memstore.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		m := newManager(t, config{Store: store, NearCache: coatcheck.NearCache{MaxEntries: 50, Eviction: eviction}})
		var tokens []coatcheck.Token
		for range 500 {
			tokens = append(tokens, generate(t, m, profile{Name: "ada"}))
		}
		for _, token := range tokens {
			wantValue(t, m, token, profile{Name: "ada"})
		}
		for begin := time.Now(); m.Stats().NearCache.Entries > 50; { // TinyLFU takes a moment
			if time.Since(begin) > 10*time.Second {
				t.Fatalf("eviction %d: %d entries, want 50 at most", eviction, m.Stats().NearCache.Entries)
			}
		}
	}
}
