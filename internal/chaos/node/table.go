package main

import (
	"math/rand/v2"
	"sync"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/chaos"
)

// session is one that this node may use.
type session struct {
	number uint32
	place  int
	token  coatcheck.Token // empty: none
}

// formerKept is how many sessions are remembered after they have lost their
// place, to see whether any of them comes back.
const formerKept = 64

// table holds the sessions in use, and some that were.
type table struct {
	mu     sync.RWMutex
	places [chaos.Places]session
	former [formerKept]session
	next   int // index into former
}

func (t *table) put(s session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.former[t.next] = t.places[s.place]
	t.next = (t.next + 1) % formerKept
	t.places[s.place] = s
}

func (t *table) at(place int) session {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.places[place]
}

func (t *table) anyFormer(random *rand.Rand) session {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.former[random.IntN(formerKept)]
}
