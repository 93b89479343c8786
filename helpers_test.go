package coatcheck_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/memstore"
)

// profile is the value that most tests keep behind their tokens.
type profile struct {
	Name   string
	Visits int
}

type config = coatcheck.Config[profile]

// openStore opens a memory store that closes with the test, in a synctest
// bubble before the bubble ends. It all but never sweeps: that an expired
// session is gone must not depend on it, and a bubble's years pass faster.
func openStore(t testing.TB) *memstore.Store {
	t.Helper()
	store, err := memstore.New(memstore.Config{SweepInterval: 1 << 62})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

func newManager[T any](t testing.TB, c coatcheck.Config[T]) *coatcheck.Manager[T] {
	t.Helper()
	m, err := coatcheck.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	if _, ok := c.Store.(coatcheck.Watcher); ok && c.NearCache.MaxEntries >= 0 {
		for m.Stats().NearCache.MarkAge < 0 { // the watch has not begun
			runtime.Gosched()
		}
	}
	return m
}

// storeOnly is for tests about what the manager makes of the store's answers,
// which a near cache would spare it.
var storeOnly = coatcheck.NearCache{MaxEntries: -1}

// openStoreOnly is open without a near cache.
func openStoreOnly(t testing.TB) (*coatcheck.Manager[profile], *memstore.Store) {
	t.Helper()
	store := openStore(t)
	return newManager(t, config{Store: store, NearCache: storeOnly}), store
}

// open returns a manager with the default configuration on a store of its own.
func open(t testing.TB) (*coatcheck.Manager[profile], *memstore.Store) {
	t.Helper()
	store := openStore(t)
	return newManager(t, config{Store: store}), store
}

func generate[T any](t testing.TB, m *coatcheck.Manager[T], value T, opts ...coatcheck.GenerateOption) coatcheck.Token {
	t.Helper()
	token, err := m.Generate(t.Context(), value, opts...)
	if err != nil {
		t.Fatalf("Generate: %v", err)
	}
	return token
}

// wantErr checks that err wraps target, or that it is nil if target is.
func wantErr(t testing.TB, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("%s: got error %v, want %v", what, err, target)
	}
}

func wantValue[T comparable](t testing.TB, m *coatcheck.Manager[T], token coatcheck.Token, want T) {
	t.Helper()
	got, err := m.Get(t.Context(), token)
	if err != nil || got != want {
		t.Errorf("Get: got %+v, %v; want %+v", got, err, want)
	}
}

func wantGone[T any](t testing.TB, m *coatcheck.Manager[T], token coatcheck.Token) {
	t.Helper()
	_, err := m.Get(t.Context(), token)
	wantErr(t, "Get", err, coatcheck.ErrNotFound)
}

func load(t testing.TB, store coatcheck.Store, token coatcheck.Token) coatcheck.Record {
	t.Helper()
	r, err := store.Load(t.Context(), token.ID())
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return r
}

func addVisit(p *profile) error {
	p.Visits++
	return nil
}

// withWrongSecret returns a token for the same session that does not prove it.
func withWrongSecret(token coatcheck.Token) coatcheck.Token {
	other := []byte(token)
	last := &other[len(other)-1]
	if *last == 'A' {
		*last = 'B'
	} else {
		*last = 'A'
	}
	return coatcheck.Token(other)
}

// verb is one method of the manager that takes a token.
type verb struct {
	name string
	call func(context.Context, *coatcheck.Manager[profile], coatcheck.Token) error
}

var (
	get = verb{"Get", func(ctx context.Context, m *coatcheck.Manager[profile], token coatcheck.Token) error {
		_, err := m.Get(ctx, token)
		return err
	}}
	lookup = verb{"Lookup", func(ctx context.Context, m *coatcheck.Manager[profile], token coatcheck.Token) error {
		_, _, err := m.Lookup(ctx, token)
		return err
	}}
	update = verb{"Update", func(ctx context.Context, m *coatcheck.Manager[profile], token coatcheck.Token) error {
		return m.Update(ctx, token, profile{Name: "updated"})
	}}
	change = verb{"Change", func(ctx context.Context, m *coatcheck.Manager[profile], token coatcheck.Token) error {
		return m.Change(ctx, token, addVisit)
	}}
	refresh = verb{"Refresh", func(ctx context.Context, m *coatcheck.Manager[profile], token coatcheck.Token) error {
		return m.Refresh(ctx, token)
	}}
	remove = verb{"Delete", func(ctx context.Context, m *coatcheck.Manager[profile], token coatcheck.Token) error {
		return m.Delete(ctx, token)
	}}

	// verbs are all of them, with the one last that ends the session.
	verbs = []verb{get, lookup, update, change, refresh, remove}
)

// miss is what a verb answers if there is nothing behind the token.
func (v verb) miss() error {
	if v.name == remove.name {
		return nil // idempotent
	}
	return coatcheck.ErrNotFound
}

// hooked is a memory store that asks before each call. What the hook returns
// is the result of the call instead, unless it is nil.
type hooked struct {
	*memstore.Store
	before  func(method string) error
	touches atomic.Int64
	updates atomic.Int64
}

func hook(t testing.TB) *hooked {
	t.Helper()
	return &hooked{Store: openStore(t), before: func(string) error { return nil }}
}

// failing returns a hook that has the named methods fail.
func failing(err error, methods ...string) func(string) error {
	return func(method string) error {
		for _, m := range methods {
			if m == method {
				return err
			}
		}
		return nil
	}
}

func (s *hooked) Load(ctx context.Context, id string) (coatcheck.Record, error) {
	if err := s.before("Load"); err != nil {
		return coatcheck.Record{}, err
	}
	return s.Store.Load(ctx, id)
}

func (s *hooked) Create(ctx context.Context, r coatcheck.Record) error {
	if err := s.before("Create"); err != nil {
		return err
	}
	return s.Store.Create(ctx, r)
}

func (s *hooked) Update(ctx context.Context, r coatcheck.Record) error {
	s.updates.Add(1)
	if err := s.before("Update"); err != nil {
		return err
	}
	return s.Store.Update(ctx, r)
}

func (s *hooked) Delete(ctx context.Context, id string) error {
	if err := s.before("Delete"); err != nil {
		return err
	}
	return s.Store.Delete(ctx, id)
}

func (s *hooked) Touch(ctx context.Context, r coatcheck.Record) error {
	s.touches.Add(1)
	if err := s.before("Touch"); err != nil {
		return err
	}
	return s.Store.Touch(ctx, r)
}
