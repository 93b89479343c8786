package main

import "fmt"

// Visit is what a session holds. Who has signed in is not part of it: that is
// the subject of the session.
type Visit struct {
	Cart  map[string]int // how many of which good
	Flash string         // to be told on the next page, once
}

// maxOfOne is how many of one good a cart holds at most.
const maxOfOne = 99

// Put puts n of a good into the cart, or takes them out if n is negative.
func (v *Visit) Put(id string, n int) {
	if v.Cart == nil {
		v.Cart = make(map[string]int)
	}
	v.Cart[id] = min(v.Cart[id]+n, maxOfOne)
	if v.Cart[id] <= 0 {
		delete(v.Cart, id)
	}
}

// Line is a line of the bill.
type Line struct {
	Good
	Count int
}

// Sum is what the line costs.
func (l Line) Sum() Cents { return l.Price * Cents(l.Count) }

// Lines returns the cart in the order of the catalogue.
func (v Visit) Lines() []Line {
	var lines []Line
	for _, good := range goods {
		if n := v.Cart[good.ID]; n > 0 {
			lines = append(lines, Line{good, n})
		}
	}
	return lines
}

// Count is how many pieces are in the cart.
func (v Visit) Count() (n int) {
	for _, line := range v.Lines() {
		n += line.Count
	}
	return n
}

// Total is what the cart costs.
func (v Visit) Total() (sum Cents) {
	for _, line := range v.Lines() {
		sum += line.Sum()
	}
	return sum
}

// Good is something that the shop sells. Its picture is static/{ID}.svg.
type Good struct {
	ID, Name, About string
	Price           Cents
}

// Cents is an amount of money.
type Cents int

func (c Cents) String() string { return fmt.Sprintf("€%d.%02d", c/100, c%100) }

var goods = []Good{
	{"coat", "Winter coat", "Brick-red wool, three brass buttons", 18900},
	{"umbrella", "Umbrella", "Teal canopy, chestnut handle", 3450},
	{"hat", "Felt hat", "Charcoal, with a feather", 5900},
	{"scarf", "Long scarf", "Lambswool, striped ends", 2995},
	{"gloves", "Gloves", "A pair, knitted cuffs", 2450},
	{"boots", "Ankle boots", "Oiled leather, laced", 14900},
	{"suitcase", "Suitcase", "For a weekend, two locks", 9950},
	{"watch", "Pocket watch", "Runs eight days", 7425},
}

func isGood(id string) bool {
	for _, good := range goods {
		if good.ID == id {
			return true
		}
	}
	return false
}
