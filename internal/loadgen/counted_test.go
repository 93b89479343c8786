package loadgen

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/memstore"
)

// counted is a store in memory that counts what it is asked, and fails on demand.
type counted struct {
	*memstore.Store
	loads, creates, updates, touches, deletes atomic.Uint64
	fail                                      atomic.Pointer[error]
}

func (c *counted) called(counter *atomic.Uint64) error {
	counter.Add(1)
	if err := c.fail.Load(); err != nil {
		return *err
	}
	return nil
}

func (c *counted) Load(ctx context.Context, id string) (coatcheck.Record, error) {
	if err := c.called(&c.loads); err != nil {
		return coatcheck.Record{}, err
	}
	return c.Store.Load(ctx, id)
}

func (c *counted) Create(ctx context.Context, r coatcheck.Record) error {
	if err := c.called(&c.creates); err != nil {
		return err
	}
	return c.Store.Create(ctx, r)
}

func (c *counted) Update(ctx context.Context, r coatcheck.Record) error {
	if err := c.called(&c.updates); err != nil {
		return err
	}
	return c.Store.Update(ctx, r)
}

func (c *counted) Touch(ctx context.Context, r coatcheck.Record) error {
	if err := c.called(&c.touches); err != nil {
		return err
	}
	return c.Store.Touch(ctx, r)
}

func (c *counted) Delete(ctx context.Context, id string) error {
	if err := c.called(&c.deletes); err != nil {
		return err
	}
	return c.Store.Delete(ctx, id)
}

// living returns how many records there are.
func (c *counted) living(t *testing.T) (n int) {
	t.Helper()
	for r, err := range c.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Value) != valueBytes {
			t.Errorf("a value has %d bytes, want %d: %s", len(r.Value), valueBytes, r.Value)
		}
		n++
	}
	return n
}

const (
	sessions   = 50
	goroutines = 4
	valueBytes = 60
)

// open returns a load without a near cache, or with one, on a store that counts.
func open(t *testing.T, mix string, near bool, adjust func(*Config)) (*Load, *counted) {
	t.Helper()
	inner, err := memstore.New(memstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = inner.Close() })
	store := &counted{Store: inner}
	config := Config{Goroutines: goroutines, Sessions: sessions, ValueBytes: valueBytes}
	if err := config.Mix.UnmarshalText([]byte(mix)); err != nil {
		t.Fatal(err)
	}
	held := -1
	if near {
		held = 2 * sessions
	}
	for range 2 {
		node, err := coatcheck.New(coatcheck.Config[Value]{Store: store, NearCache: coatcheck.NearCache{MaxEntries: held}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = node.Close() })
		config.Nodes = append(config.Nodes, node)
	}
	if adjust != nil {
		adjust(&config)
	}
	return New(config), store
}
