package loadgen

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/coatcheck/coatcheck"
)

const (
	// errorPause is how long a goroutine leaves a store alone that cannot be reached.
	errorPause = 10 * time.Millisecond

	// patience is for how long a goroutine tries a store that cannot be reached: long
	// enough for a replica to take over.
	patience = 30 * time.Second
)

// worker is what one goroutine works with.
type worker struct {
	load   *Load
	number int
	node   *coatcheck.Manager[Value]
	pick   func() int

	// spares are the sessions that it has created while it measured, and has not
	// deleted: no others are deleted then, so that all sessions that are read exist.
	spares    []coatcheck.Token
	maxSpares int

	done, failed atomic.Uint64
}

// work does one operation after the other until ctx ends, or returns why it has given
// up.
func (w *worker) work(ctx context.Context, s *schedule, t *tally) error {
	calls := context.WithoutCancel(ctx)
	var failingSince time.Time // zero while the store can be reached
	for ctx.Err() == nil {
		kind := w.load.config.Mix.draw()
		err := w.prepare(calls, kind)
		from, due := s.await(ctx)
		if !due {
			return nil
		}
		t.begun++
		if err == nil {
			err = w.do(calls, kind)
		}
		if err == nil {
			t.latency(kind).Record(time.Since(from))
			w.done.Add(1)
			failingSince = time.Time{}
			continue
		}
		w.failed.Add(1)
		t.errors[kind]++
		t.failures.add(err)
		switch {
		case !errors.Is(err, coatcheck.ErrUnavailable):
			failingSince = time.Time{}
		case failingSince.IsZero():
			failingSince = time.Now()
			pause(ctx, errorPause)
		case time.Since(failingSince) > patience:
			return fmt.Errorf("gave up after %v without the store: %w", patience, err)
		default:
			pause(ctx, errorPause)
		}
	}
	return nil
}

// prepare makes room for a session to be created, or one to be deleted, so that the
// store holds no more of them the longer it takes. It is not measured.
func (w *worker) prepare(ctx context.Context, kind Kind) error {
	switch {
	case kind == Create && len(w.spares) >= w.maxSpares:
		return w.endSpare(ctx)
	case kind == Delete && len(w.spares) == 0:
		return w.makeSpare(ctx)
	default:
		return nil
	}
}

func (w *worker) do(ctx context.Context, kind Kind) error {
	token := w.load.sessions[w.pick()]
	switch kind {
	case Read:
		_, err := w.node.Get(ctx, token)
		return err
	case Change:
		return w.node.Change(ctx, token, func(v *Value) error { v.Changes++; return nil })
	case Update:
		return w.node.Update(ctx, token, w.load.value)
	case Refresh:
		return w.node.Refresh(ctx, token)
	case Create:
		return w.makeSpare(ctx)
	default:
		return w.endSpare(ctx)
	}
}

func (w *worker) makeSpare(ctx context.Context) error {
	token, err := w.node.Generate(ctx, w.load.value)
	if err == nil {
		w.spares = append(w.spares, token)
	}
	return err
}

func (w *worker) endSpare(ctx context.Context) error {
	last := len(w.spares) - 1
	err := w.node.Delete(ctx, w.spares[last])
	if err == nil {
		w.spares = w.spares[:last]
	}
	return err
}
