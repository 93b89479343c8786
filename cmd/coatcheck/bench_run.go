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

	storeName string
	file      string // of SQLite, if it is one
	stores    []closableStore
	managers  []*coatcheck.Manager[loadgen.Value]
	load      *loadgen.Load
}

// open opens the nodes. It makes no sessions.
func (c *benchCommand) open(ctx context.Context, screen *screen) (_ *bench, err error) {
	b := &bench{command: c, screen: screen}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if b.file, err = newDatabase(c.Store); err != nil {
		return nil, err
	}
	logger := slog.New(slog.NewTextHandler(screen, &slog.HandlerOptions{Level: slog.LevelWarn}))
	for range c.Nodes {
		store, name, err := c.openStore(ctx, c.Store, c.RedisPrefix, logger)
		if err != nil {
			return nil, err
		}
		b.stores, b.storeName = append(b.stores, store), name
		manager, err := coatcheck.New(coatcheck.Config[loadgen.Value]{
			Store:         store,
			IdleTimeout:   c.lifetime(),
			MaxValueBytes: c.MaxValueBytes,
			NearCache:     c.nearCache(),
			Logger:        logger,
		})
		if err != nil {
			return nil, inFlags(err)
		}
		b.managers = append(b.managers, manager)
	}
	b.load = loadgen.New(loadgen.Config{
		Nodes: b.managers, Goroutines: c.Goroutines, Sessions: c.Sessions, ValueBytes: c.ValueBytes,
		Mix: c.Mix, Zipf: c.Zipf, Rate: c.Rate,
	})
	return b, nil
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
	roundTrip, err := loadgen.RoundTrip(ctx, b.stores[0])
	if err != nil {
		return nil, err
	}
	b.screen.during("filling", b.load, ofCount(c.Sessions), func() { err = b.load.Fill(ctx) })
	if err != nil {
		return nil, beforeMeasuring(ctx, err)
	}
	b.screen.during("warming up", b.load, ofTime(c.Warmup), func() { err = nothingWorks(b.load.Run(ctx, c.Warmup)) })
	if err == nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, beforeMeasuring(ctx, err)
	}
	var result loadgen.Result
	b.screen.during("measuring", b.load, ofTime(c.Duration), func() { result = b.load.Run(ctx, c.Duration) })
	return newBenchReport(b, result, roundTrip, ctx.Err() != nil), nothingWorks(result)
}

func beforeMeasuring(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("interrupted before anything was measured")
	}
	return err
}

// nothingWorks returns an error if all operations have failed.
func nothingWorks(r loadgen.Result) error {
	if r.Succeeded() > 0 || r.Failed() == 0 {
		return nil
	}
	return fmt.Errorf("all %d operations have failed: %s", r.Failed(), r.Failures[0].First)
}

// clear deletes the sessions, also after an interrupt: its context is another one.
func (b *bench) clear() error {
	size := b.load.Size()
	if b.command.Keep || size == 0 {
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
