package chaos

import (
	"math/rand/v2"
	"time"
)

// Deck deals what happens next: all of its cards in random order, and then all
// of them again, so that even a short run meets each.
type Deck struct {
	cards  []string
	next   int
	random *rand.Rand
}

// NewDeck makes a deck with so many cards of each kind.
func NewDeck(random *rand.Rand, kinds ...Cards) *Deck {
	d := &Deck{random: random}
	for _, k := range kinds {
		for range k.Count {
			d.cards = append(d.cards, k.Kind)
		}
	}
	return d
}

// Cards is a number of equal cards of a Deck.
type Cards struct {
	Kind  string
	Count int
}

// Deal returns the next card, or "" if there are none.
func (d *Deck) Deal() string {
	if len(d.cards) == 0 {
		return ""
	}
	if d.next == 0 {
		d.random.Shuffle(len(d.cards), func(i, j int) { d.cards[i], d.cards[j] = d.cards[j], d.cards[i] })
	}
	card := d.cards[d.next]
	d.next = (d.next + 1) % len(d.cards)
	return card
}

// Span is a random time between two.
type Span struct{ From, To time.Duration }

// Pick returns a time of the span.
func (s Span) Pick(random *rand.Rand) time.Duration {
	return s.From + time.Duration(random.Int64N(int64(s.To-s.From)+1))
}
