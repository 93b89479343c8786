package main

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/loadgen"
)

// openBench opens one for as long as it may last, on a store in memory.
func openBench(t *testing.T) *bench {
	t.Helper()
	c := &benchCommand{Store: "memory:", Goroutines: 1, Nodes: 1, Sessions: 1000, ValueBytes: 100, Duration: maxBenchTime, Warmup: maxBenchTime}
	c.MaxValueBytes, c.NearCacheEntries = 100, 10
	if err := c.Mix.UnmarshalText([]byte("read=1")); err != nil {
		t.Fatal(err)
	}
	b, err := c.open(t.Context(), newScreen(new(bytes.Buffer), func() {}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.close() })
	return b
}

// on returns a manager, which becomes its first one.
func on(t *testing.T, b *bench, store coatcheck.Store) *coatcheck.Manager[loadgen.Value] {
	t.Helper()
	m, err := b.newManager(store, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.managers = slices.Insert(b.managers, 0, m)
	return m
}

// slowToCreate is a store that takes a second for each session.
type slowToCreate struct{ closableStore }

func (s slowToCreate) Create(ctx context.Context, r coatcheck.Record) error {
	time.Sleep(time.Second)
	return s.closableStore.Create(ctx, r)
}

// TestBenchRefusesToFillForLong: the first sessions would expire before they are
// measured.
func TestBenchRefusesToFillForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := openBench(t)
		b.load = loadgen.New(loadgen.Config{
			Nodes:      []*coatcheck.Manager[loadgen.Value]{on(t, b, slowToCreate{b.stores[0]})},
			Goroutines: 1, Sessions: 1000, ValueBytes: 100, Mix: b.command.Mix,
		})
		begin := time.Now()
		if err := b.fill(t.Context()); !errors.Is(err, errSlowFilling) || time.Since(begin) > maxFilling+time.Second {
			t.Errorf("error %v after %v", err, time.Since(begin))
		}
	})
}

// forgetsUpdates is a store whose changes no node ever serves.
type forgetsUpdates struct{ closableStore }

func (forgetsUpdates) Update(context.Context, coatcheck.Record) error { return nil }

// TestBenchTellsOfNoChangesServedElsewhere if there were none when it was interrupted.
func TestBenchTellsOfNoChangesServedElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := openBench(t)
		forgetful := forgetsUpdates{b.stores[0]}
		on(t, b, forgetful)
		b.stores = append(b.stores, forgetful)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if e, err := b.elsewhere(ctx); e != nil || err != nil {
			t.Errorf("%+v, error %v", e, err)
		}
	})
}
