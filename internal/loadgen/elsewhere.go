package loadgen

import (
	"context"
	"errors"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/histogram"
)

// How many changes Elsewhere makes at most, and for how long it goes on.
const (
	maxChanges   = 1000
	changingTime = 2 * time.Second

	// unheardPause is when a reader looks again that hears nothing of changes.
	unheardPause = 10 * time.Millisecond
)

// Elsewhere makes changes on one node, one after the other, and measures how long
// after each has returned another node, which held the value before, serves the new
// one, until ctx ends. The reader sends to heard what it hears of changes, see [Hear].
func Elsewhere(ctx context.Context, writer, reader *coatcheck.Manager[Value], heard <-chan struct{}) (h *histogram.Histogram, err error) {
	calls := context.WithoutCancel(ctx) // lest there is a session that nobody knows of
	token, err := writer.Generate(calls, Value{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, writer.Delete(calls, token)) }()
	h = new(histogram.Histogram)
	begin := time.Now()
	for n := 1; n <= maxChanges+1 && time.Since(begin) < changingTime && ctx.Err() == nil; n++ {
		took, err := changeOnce(ctx, writer, reader, token, n, heard)
		switch {
		case ctx.Err() != nil: // which is why it may have failed
			return h, nil
		case err != nil:
			return nil, err
		case n > 1: // the reader may have begun to listen with the first one
			h.Record(took)
		}
	}
	return h, nil
}

// changeOnce makes one change, and returns how long after it the reader has served it.
func changeOnce(ctx context.Context, writer, reader *coatcheck.Manager[Value], token coatcheck.Token, changes int, heard <-chan struct{}) (time.Duration, error) {
	for range 2 { // what was only created is not watched: see coatcheck.Watcher
		if _, err := reader.Get(ctx, token); err != nil {
			return 0, err
		}
	}
	if err := writer.Update(ctx, token, Value{Changes: changes}); err != nil {
		return 0, err
	}
	returned := time.Now()
	err := served(ctx, reader, token, changes, heard)
	return time.Since(returned), err
}

// served returns when the reader serves the value, or ctx ends.
func served(ctx context.Context, reader *coatcheck.Manager[Value], token coatcheck.Token, changes int, heard <-chan struct{}) error {
	ticker := time.NewTicker(unheardPause)
	defer ticker.Stop()
	for {
		value, err := reader.Get(ctx, token)
		if err != nil || value.Changes == changes {
			return err
		}
		select { // rather than ask again at once, which would delay the message on a machine with few processors
		case <-heard:
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Hear returns an OnEvent that sends to the channel, which has room for one, when the
// manager has heard of a change.
func Hear(heard chan<- struct{}) func(coatcheck.Event) {
	return func(e coatcheck.Event) {
		if e.Kind != coatcheck.ChangeReceived && e.Kind != coatcheck.CacheCleared {
			return
		}
		select {
		case heard <- struct{}{}:
		default: // it has not looked since the last one
		}
	}
}
