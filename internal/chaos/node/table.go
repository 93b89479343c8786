package main

import (
	"math/rand/v2"
	"sync"

	"github.com/coatcheck/coatcheck/internal/chaos"
)

const (
	// formerKept is how many sessions are remembered after they have lost their
	// place, to see whether any of them comes back.
	formerKept = 64

	// oldKept is how many tokens of a place are remembered after others have
	// followed them, to see what they open.
	oldKept = 3
)

// table holds the sessions in use, and some that were, with their tokens.
type table struct {
	mu     sync.RWMutex
	places [chaos.Places]place
	former [formerKept]chaos.Session
	next   int // index into former
}

// place holds a session, of which the token is empty if there is none.
type place struct {
	session chaos.Session
	old     [oldKept]chaos.Session // with earlier tokens, or none
	next    int                    // index into old
}

// put takes a session over, or a token of one, and returns the session with the
// token that this one follows, if it does. They may come in any order.
func (t *table) put(s chaos.Session) (renewed chaos.Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := &t.places[s.Place]
	other := s
	if s.Later(p.session) {
		other, p.session = p.session, s
	}
	switch {
	case other.Token == "":
	case other.Number == p.session.Number:
		p.old[p.next] = other
		p.next = (p.next + 1) % oldKept
		return other
	default:
		t.former[t.next] = other
		t.next = (t.next + 1) % formerKept
		if other.Number < s.Number {
			p.old = [oldKept]chaos.Session{}
		}
	}
	return chaos.Session{}
}

func (t *table) at(place int) chaos.Session {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.places[place].session
}

// anyOld returns the place's session with an earlier token, if there is one:
// mostly with the last, of which the most may still be in memory.
func (t *table) anyOld(place int, random *rand.Rand) chaos.Session {
	t.mu.RLock()
	defer t.mu.RUnlock()
	p := &t.places[place]
	if random.IntN(3) == 0 {
		return p.old[random.IntN(oldKept)]
	}
	return p.old[(p.next+oldKept-1)%oldKept]
}

func (t *table) anyFormer(random *rand.Rand) chaos.Session {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.former[random.IntN(formerKept)]
}
