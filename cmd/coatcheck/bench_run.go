package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/loadgen"
)

// bench is a load, and what it is put on.
type bench struct {
	command *benchCommand
	screen  *screen
	logger  *slog.Logger

	storeName string
	file      string // of SQLite, if it is one
	stores    []closableStore
	managers  []*coatcheck.Manager[loadgen.Value]
	load      *loadgen.Load
}

// open opens the nodes. It makes no sessions.
func (c *benchCommand) open(ctx context.Context, screen *screen) (_ *bench, err error) {
	logger := slog.New(slog.NewTextHandler(screen, &slog.HandlerOptions{Level: slog.LevelWarn}))
	b := &bench{command: c, screen: screen, logger: logger}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if b.file, err = newDatabase(c.Store); err != nil {
		return nil, err
	}
	for range c.Nodes {
		store, name, err := c.openStore(ctx, c.Store, c.RedisPrefix, logger)
		if err != nil {
			return nil, err
		}
		b.stores, b.storeName = append(b.stores, store), name
		manager, err := b.newManager(store, nil)
		if err != nil {
			return nil, err
		}
		b.managers = append(b.managers, manager)
	}
	b.load = loadgen.New(loadgen.Config{
		Nodes: b.managers, Goroutines: c.Goroutines, Sessions: c.Sessions, ValueBytes: c.ValueBytes,
		Mix: c.Mix, Zipf: c.Zipf, Rate: c.Rate,
	})
	return b, nil
}

func (b *bench) newManager(store coatcheck.Store, onEvent func(coatcheck.Event)) (*coatcheck.Manager[loadgen.Value], error) {
	manager, err := coatcheck.New(coatcheck.Config[loadgen.Value]{
		Store:           store,
		IdleTimeout:     b.command.lifetime(),
		AbsoluteTimeout: coatcheck.Never, // which the default is too short for at times
		MaxValueBytes:   b.command.MaxValueBytes,
		NearCache:       b.command.nearCache(),
		OnEvent:         onEvent,
		Logger:          b.logger,
	})
	if err != nil {
		return nil, inFlags(err)
	}
	return manager, nil
}

// newDatabase makes the file that --store names, if it names one, and returns its
// path. One that exists is refused: a service may have it open, and would share its
// only writer, and have its memory cleared again and again.
func newDatabase(store string) (string, error) {
	kind, rest, _ := strings.Cut(store, ":")
	if kind != "sqlite" {
		return "", nil
	}
	path, err := sqlitePath(rest)
	if err != nil {
		return "", err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("--store: %s exists: name a new file beside it, which takes as long: its sessions are left alone", path)
	}
	if err != nil {
		return "", fmt.Errorf("--store: %w", err)
	}
	return path, f.Close()
}

// measure makes the sessions, and puts the load on. The report is nil if it came to
// nothing.
func (b *bench) measure(ctx context.Context) (*benchReport, error) {
	c := b.command
	roundTrip, err := b.roundTrip(ctx)
	if err == nil {
		err = b.fill(ctx)
	}
	if err != nil {
		return nil, beforeMeasuring(ctx, err)
	}
	b.screen.during("warming up", b.load, ofTime(c.Warmup), func() { _, err = b.load.Run(ctx, c.Warmup) })
	if err == nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, beforeMeasuring(ctx, err)
	}
	var result loadgen.Result
	b.screen.during("measuring", b.load, ofTime(c.Duration), func() { result, err = b.load.Run(ctx, c.Duration) })
	report := newBenchReport(b, result, roundTrip, ctx.Err() != nil)
	if err != nil {
		return report, err
	}
	if report.Elsewhere, err = b.elsewhere(ctx); err != nil {
		err = fmt.Errorf("measure when a change is served elsewhere: %w", err)
	}
	return report, err
}

// roundTrip is 0 for a store in this process.
func (b *bench) roundTrip(ctx context.Context) (time.Duration, error) {
	if b.command.storeKind() == "memory" {
		return 0, nil
	}
	return loadgen.RoundTrip(ctx, b.stores[0])
}

var errSlowFilling = fmt.Errorf("the sessions were not made within %v, and the first would expire before the end: ask for fewer --sessions, or more --goroutines", maxFilling)

// fill makes the sessions, in a part of the time that they have.
func (b *bench) fill(ctx context.Context) (err error) {
	limited, cancel := context.WithTimeoutCause(ctx, maxFilling, errSlowFilling)
	defer cancel()
	b.screen.during("filling", b.load, ofCount(b.command.Sessions), func() { err = b.load.Fill(limited) })
	return err
}

// elsewhere measures when a change is served by another node, if there is one and it
// holds sessions. The result is nil if no change was counted. Its manager is one more:
// to hear of events would have slowed down those that were under load.
func (b *bench) elsewhere(ctx context.Context) (*benchElsewhere, error) {
	if len(b.stores) == 1 || b.command.NearCacheEntries == 0 || ctx.Err() != nil {
		return nil, nil
	}
	heard := make(chan struct{}, 1)
	reader, err := b.newManager(b.stores[1], loadgen.Hear(heard))
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	h, err := loadgen.Elsewhere(ctx, b.managers[0], reader, heard)
	if err != nil || h.Count() == 0 {
		return nil, err
	}
	return &benchElsewhere{Changes: h.Count(), P50: h.Quantile(0.5), P90: h.Quantile(0.9), P99: h.Quantile(0.99), Max: h.Max()}, nil
}

func beforeMeasuring(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("interrupted before anything was measured")
	}
	return err
}

// clear deletes the sessions, unless they end with the process or with the file. It
// does so also after an interrupt: its context is another one.
func (b *bench) clear() error {
	size, kind := b.load.Size(), b.command.storeKind()
	if b.command.Keep || size == 0 || kind == "memory" || kind == "sqlite" {
		return nil
	}
	var err error
	b.screen.during("deleting", b.load, ofCount(size), func() { err = b.load.Clear(context.Background()) })
	if err == nil {
		return nil
	}
	return fmt.Errorf("%d of the sessions are left, until they expire, by %s: %w",
		b.load.Size(), time.Now().Add(b.command.lifetime()).Format(time.TimeOnly), err)
}

// close releases what open has acquired so far.
func (b *bench) close() error {
	var errs []error
	for _, manager := range b.managers {
		errs = append(errs, manager.Close())
	}
	for _, store := range b.stores {
		errs = append(errs, store.Close())
	}
	if b.file != "" && !b.command.Keep {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if err := os.Remove(b.file + suffix); !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}
