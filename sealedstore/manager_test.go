package sealedstore_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/memstore"
	"github.com/coatcheck/coatcheck/sealedstore"
)

type cart struct{ Items int }

// asked counts what a store is asked.
type asked struct {
	*memstore.Store
	loads, updates atomic.Int64
}

func (a *asked) Load(ctx context.Context, id string) (coatcheck.Record, error) {
	a.loads.Add(1)
	return a.Store.Load(ctx, id)
}

func (a *asked) Update(ctx context.Context, r coatcheck.Record) error {
	a.updates.Add(1)
	return a.Store.Update(ctx, r)
}

func manage(t testing.TB, store coatcheck.Store) *coatcheck.Manager[cart] {
	t.Helper()
	m, err := coatcheck.New(coatcheck.Config[cart]{Store: store})
	must(t, err)
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// watched waits until the manager has begun to watch.
func watched(m *coatcheck.Manager[cart]) *coatcheck.Manager[cart] {
	for m.Stats().NearCache.MarkAge < 0 {
		runtime.Gosched()
	}
	return m
}

func wantItems(t testing.TB, m *coatcheck.Manager[cart], token coatcheck.Token, want int) {
	t.Helper()
	if c, err := m.Get(t.Context(), token); err != nil || c.Items != want {
		t.Errorf("Get: %v, %v; want %d items", c, err, want)
	}
}

func addItem(c *cart) error { c.Items++; return nil }

func TestNearCacheOverSealedValues(t *testing.T) {
	inner := &asked{Store: memory(t)}
	s := open(t, inner, sealedstore.NewKeyring())
	m, elsewhere := watched(manage(t, s)), watched(manage(t, s))
	ctx := t.Context()
	token, err := m.Generate(ctx, cart{1})
	must(t, err)
	wantItems(t, m, token, 1)
	wantItems(t, elsewhere, token, 1)
	loads := inner.loads.Load()

	must(t, m.Change(ctx, token, addItem), m.Change(ctx, token, addItem))
	wantItems(t, m, token, 3)
	must(t, m.Change(ctx, token, addItem)) // of a value that was decoded by now
	must(t, m.Update(ctx, token, cart{10}), m.Change(ctx, token, addItem))
	wantItems(t, m, token, 11)
	if got := inner.loads.Load() - loads; got != 0 {
		t.Errorf("changes of what is in memory have loaded it %d times", got)
	}
	if inner.updates.Load() != 5 {
		t.Errorf("%d updates, want 5", inner.updates.Load())
	}
	wantItems(t, elsewhere, token, 11) // it was told: an update passes through the watch
	if got := inner.loads.Load() - loads; got != 1 {
		t.Errorf("another manager has loaded the session %d times, want once", got)
	}

	hits := m.Stats().NearCache.Hits
	n := testing.AllocsPerRun(1000, func() {
		if _, err := m.Get(ctx, token); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 || m.Stats().NearCache.Hits-hits < 1000 || inner.loads.Load()-loads != 1 {
		t.Errorf("cached reads: %v allocations, %d hits, %d loads", n, m.Stats().NearCache.Hits-hits, inner.loads.Load()-loads)
	}
}

// TestSessionIsExtendedOnAStoreThatCannotTouch: by Load and Update, through the
// wrapper.
func TestSessionIsExtendedOnAStoreThatCannotTouch(t *testing.T) {
	inner := memory(t)
	s := open(t, struct{ coatcheck.Store }{inner}, sealedstore.NewKeyring())
	must(t, s.Create(t.Context(), record(one)))
	r := load(t, s, one)
	r.ExpiresAt = r.ExpiresAt.Add(time.Minute)
	touched, err := coatcheck.Touch(t.Context(), s, r)
	if err != nil || touched.Rev != 2 || string(touched.Value) != plain {
		t.Errorf("Touch: revision %d with %q, %v", touched.Rev, touched.Value, err)
	}
	if got := load(t, s, one); got.Rev != 2 || !got.ExpiresAt.Equal(r.ExpiresAt) || string(got.Value) != plain {
		t.Errorf("touched: revision %d with %q until %v", got.Rev, got.Value, got.ExpiresAt)
	}
	must(t, coatcheck.Ping(t.Context(), s))
	m := manage(t, s)
	token, err := m.Generate(t.Context(), cart{1})
	must(t, err)
	must(t, m.Refresh(t.Context(), token), m.Change(t.Context(), token, addItem))
	wantItems(t, m, token, 2)
}
