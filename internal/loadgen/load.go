// Package loadgen puts load on managers and measures how long their operations
// take. It touches no sessions but those that it has made.
package loadgen

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/coatcheck/coatcheck"
)

// Config says what load there is to be. All of it is required but for Zipf and
// Rate.
type Config struct {
	// Nodes are the managers, which share a store. The goroutines are dealt to
	// them as cards are.
	Nodes []*coatcheck.Manager[Value]

	// Goroutines is how many operations are under way at once, at most.
	Goroutines int

	// Sessions is how many there are to be read and changed.
	Sessions int

	// ValueBytes is how long their values are: at least MinValueBytes.
	ValueBytes int

	// Mix says what is done.
	Mix Mix

	// Zipf is how much some sessions are used more than others: the k-th most
	// popular is used in proportion to k^-Zipf. It is above 1, or 0 for all alike.
	Zipf float64

	// Rate is how many operations are due a second, by all goroutines together,
	// however long they take (open loop). With 0 each goroutine begins the next when
	// it has finished the last (closed loop).
	Rate float64
}

// Load is a set of sessions, and the goroutines that use them. Its methods are
// called one after the other, but for Progress.
type Load struct {
	config   Config
	value    Value
	sessions []coatcheck.Token // "" where there is none
	workers  []*worker
}

// New returns a load of no sessions so far.
func New(config Config) *Load {
	l := &Load{config: config, value: newValue(config.ValueBytes), sessions: make([]coatcheck.Token, config.Sessions)}
	for i := range config.Goroutines {
		l.workers = append(l.workers, &worker{
			load:      l,
			number:    i,
			node:      config.Nodes[i%len(config.Nodes)],
			pick:      config.picker(),
			maxSpares: max(config.Sessions/config.Goroutines, 1),
		})
	}
	return l
}

// picker returns a function that draws the number of a session.
func (c *Config) picker() func() int {
	if c.Zipf == 0 {
		return func() int { return rand.IntN(c.Sessions) }
	}
	zipf := rand.NewZipf(rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())), c.Zipf, 1, uint64(c.Sessions-1))
	return func() int { return int(zipf.Uint64()) }
}

// Fill makes the sessions. It stops at the first error, or when ctx ends: Clear
// then ends those that were made.
func (l *Load) Fill(ctx context.Context) error {
	return l.each(ctx, func(ctx context.Context, w *worker) error {
		for i := w.number; i < len(l.sessions) && ctx.Err() == nil; i += len(l.workers) {
			token, err := w.node.Generate(context.WithoutCancel(ctx), l.value)
			if err != nil {
				return err
			}
			l.sessions[i] = token
			w.done.Add(1)
		}
		return nil
	})
}

// Clear ends all sessions that there are. It stops at the first error, or when ctx
// ends, and may be called again.
func (l *Load) Clear(ctx context.Context) error {
	return l.each(ctx, func(ctx context.Context, w *worker) error {
		for i := w.number; i < len(l.sessions) && ctx.Err() == nil; i += len(l.workers) {
			if l.sessions[i] == "" {
				continue
			}
			if err := w.node.Delete(context.WithoutCancel(ctx), l.sessions[i]); err != nil {
				return err
			}
			l.sessions[i] = ""
			w.done.Add(1)
		}
		for len(w.spares) > 0 && ctx.Err() == nil {
			if err := w.endSpare(context.WithoutCancel(ctx)); err != nil {
				return err
			}
			w.done.Add(1)
		}
		return nil
	})
}

// Size returns how many sessions there are.
func (l *Load) Size() int {
	size := 0
	for _, token := range l.sessions {
		if token != "" {
			size++
		}
	}
	for _, w := range l.workers {
		size += len(w.spares)
	}
	return size
}

// each has all workers do something at once. Their context ends with ctx, or with
// the first error, which is returned. An operation that has begun is not cut off: it
// might have made a session that nobody knows of.
func (l *Load) each(ctx context.Context, do func(context.Context, *worker) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	for _, w := range l.workers {
		group.Go(func() {
			if err := do(ctx, w); err != nil {
				cancel(err)
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}

// Progress returns how many operations were carried out so far, by all of the
// methods, and how many have failed. It may be called at any time.
func (l *Load) Progress() (done, failed uint64) {
	for _, w := range l.workers {
		done += w.done.Load()
		failed += w.failed.Load()
	}
	return done, failed
}

// Value is what the sessions hold. It stays as long as it is however often it is
// changed.
type Value struct {
	Changes int    `json:"changes"` // from firstChange on
	Filler  string `json:"filler"`
}

const firstChange = 1_000_000_000

// MinValueBytes is how long the JSON of a value is at least.
const MinValueBytes = len(`{"changes":1000000000,"filler":""}`)

func newValue(bytes int) Value {
	return Value{Changes: firstChange, Filler: strings.Repeat("x", bytes-MinValueBytes)}
}
