package coatcheck

import (
	"context"
	"sync"
	"time"
)

// patience is how long a change waits for its turn before it goes ahead
// regardless: a change function that hangs, or one that changes its own
// session, must not block the others for ever.
const patience = 250 * time.Millisecond

// turnstile lets the changes of one session through one by one. It is an
// optimisation and not a lock: whoever loses patience passes all the same. The
// zero value is ready for use.
type turnstile struct {
	mu   sync.Mutex
	gate map[string]*gate // of the sessions that are being changed
	free sync.Pool        // of gates that were used before
}

type gate struct {
	turn  chan struct{} // holds one token when the gate is free
	users int           // inside or waiting
}

func (t *turnstile) freeGate() *gate {
	if g, ok := t.free.Get().(*gate); ok {
		return g
	}
	g := &gate{turn: make(chan struct{}, 1)}
	g.turn <- struct{}{}
	return g
}

// turn is the right to go ahead.
type turn struct {
	stile *turnstile
	id    string
	gate  *gate
	lost  bool // patience was, and the gate is another's
}

func (t *turn) leave() {
	t.stile.mu.Lock()
	defer t.stile.mu.Unlock()
	if !t.lost {
		t.gate.turn <- struct{}{}
	}
	if t.gate.users--; t.gate.users == 0 {
		delete(t.stile.gate, t.id)
		t.stile.free.Put(t.gate)
	}
}

// enter waits for the turn of the caller, who must leave afterwards. The only error is
// that of ctx.
func (t *turnstile) enter(ctx context.Context, id string) (turn, error) {
	t.mu.Lock()
	g := t.gate[id]
	if g == nil {
		g = t.freeGate()
		if t.gate == nil {
			t.gate = make(map[string]*gate)
		}
		t.gate[id] = g
	}
	g.users++
	t.mu.Unlock()

	mine := turn{stile: t, id: id, gate: g}
	select {
	case <-g.turn:
		return mine, nil
	default:
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-g.turn:
		return mine, nil
	case <-timer.C:
		mine.lost = true
		return mine, nil
	case <-ctx.Done():
		mine.lost = true
		mine.leave()
		return turn{}, ctx.Err()
	}
}
