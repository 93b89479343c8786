package nearcache

import (
	"errors"
	"testing"
)

// TestFillGuard: what is reported while a ticket is out decides whether its
// entry, at revision 5, is cached. It is the same for reads and writes.
func TestFillGuard(t *testing.T) {
	for _, test := range []struct {
		name    string
		reports []uint64
		cached  bool
	}{
		{"nothing", nil, true},
		{"unknown", []uint64{0}, false},
		{"lower", []uint64{4}, true},
		{"same", []uint64{5}, true},
		{"higher", []uint64{6}, false},
		{"unknown, then lower", []uint64{0, 4}, false},
		{"higher, then lower", []uint64{6, 4}, false},
		{"lower, then higher", []uint64{4, 6}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := open(t, Config{})
			ticket := c.Begin("id")
			if ticket.ID() != "id" {
				t.Errorf("the ticket is for %q", ticket.ID())
			}
			for _, rev := range test.reports {
				c.Changed("id", rev)
			}
			if cached := c.End(ticket, found(5)); cached != test.cached {
				t.Errorf("cached is %v, want %v", cached, test.cached)
			}
			wantServed(t, c, "id", test.cached)
			if n := c.Stats().Overtaken; (n == 0) != test.cached {
				t.Errorf("counted %d overtaken", n)
			}
			wantNoTickets(t, c)
			// It is no matter for the next.
			fill(t, c, "id", 5)
			wantServed(t, c, "id", true)
		})
	}
}

func TestReportsOfOthersOrBeforehandAreNoMatter(t *testing.T) {
	c := open(t, Config{})
	c.Changed("id", 0)
	ticket := c.Begin("id")
	for _, other := range []string{"other", "i", "idd", ""} {
		c.Changed(other, 0)
	}
	if !c.End(ticket, found(5)) {
		t.Error("not cached")
	}
}

// TestReportsReachEveryTicket wherever it stands in the list, and whichever
// have been handed back.
func TestReportsReachEveryTicket(t *testing.T) {
	for first := range 3 {
		for second := range 3 {
			if first == second {
				continue
			}
			third := 3 - first - second
			c := open(t, Config{})
			tickets := []*Ticket[int]{c.Begin("id"), c.Begin("id"), c.Begin("id")}
			c.End(tickets[first], Outcome[int]{})
			c.Changed("id", 5)
			if c.End(tickets[second], found(4)) {
				t.Errorf("ticket %d: not told, after %d", second, first)
			}
			c.Changed("id", 6)
			if c.End(tickets[third], found(5)) {
				t.Errorf("ticket %d: not told, after %d and %d", third, first, second)
			}
			wantNoTickets(t, c)
		}
	}
}

func TestOutcomeCountsAsAReport(t *testing.T) {
	failed := errors.New("failed")
	for _, test := range []struct {
		name    string
		outcome Outcome[int]
		left    uint64 // in a cache that held 5
	}{
		{"gone", gone(), 0},
		{"maybe written", Outcome[int]{Known: true, Err: failed}, 0},
		{"not known", Outcome[int]{Err: failed}, 5},
		{"higher, of another's secret", Outcome[int]{Known: true, Rev: 6}, 0},
		{"same, of another's secret", Outcome[int]{Known: true, Rev: 5}, 5},
		{"lower, of another's secret", Outcome[int]{Known: true, Rev: 4}, 5},
		{"higher", found(6), 6},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := open(t, Config{})
			fill(t, c, "id", 5)
			fill(t, c, "other", 5)
			cached := c.End(c.Begin("id"), test.outcome)
			if cached != (test.outcome.Entry != nil) {
				t.Errorf("cached is %v", cached)
			}
			wantCached(t, c, "id", test.left)
			wantCached(t, c, "other", 5)
		})
	}
}

// TestOverlappingLoads return revisions 4 and 5. Whatever their order, 4 is not
// in the cache once 5 was returned.
func TestOverlappingLoads(t *testing.T) {
	for _, olderFirst := range []bool{true, false} { // who draws the first ticket
		for _, olderEnds := range []bool{true, false} { // who ends first
			c := open(t, Config{})
			var older, newer *Ticket[int]
			if olderFirst {
				older, newer = c.Begin("id"), c.Begin("id")
			} else {
				newer, older = c.Begin("id"), c.Begin("id")
			}
			if olderEnds {
				c.End(older, found(4))
				wantCached(t, c, "id", 4)
				c.End(newer, found(5))
			} else {
				c.End(newer, found(5))
				if c.End(older, found(4)) {
					t.Error("4 was cached after 5")
				}
			}
			wantCached(t, c, "id", 5)
			wantNoTickets(t, c)
		}
	}
}

// TestALoadThatIsNotCachedTellsAllTheSame what revision there is.
func TestALoadThatIsNotCachedTellsAllTheSame(t *testing.T) {
	c := open(t, Config{ServeStaleFor: stalely})
	fill(t, c, "id", 4)
	before := c.Begin("id")
	c.Lost()
	older := c.Begin("id")
	if c.End(before, found(5)) {
		t.Error("cached what was read before a loss")
	}
	wantCached(t, c, "id", 0)
	if c.End(older, found(4)) {
		t.Error("4 was cached after 5 was returned")
	}
}

func TestALoadThatFindsNothingBarsOlderOnes(t *testing.T) {
	c := open(t, Config{})
	older, newer := c.Begin("id"), c.Begin("id")
	c.End(newer, gone())
	if c.End(older, found(5)) {
		t.Error("a record was cached after it was known to be gone")
	}
	wantCached(t, c, "id", 0)
}

func TestAWriteThatMayHaveBeenMadeBarsOlderLoads(t *testing.T) {
	c := open(t, Config{})
	load, write := c.Begin("id"), c.Begin("id")
	c.End(write, Outcome[int]{Known: true, Err: errors.New("no answer")})
	if c.End(load, found(5)) {
		t.Error("what was read before the write was cached")
	}
}

func TestChanged(t *testing.T) {
	for _, test := range []struct {
		rev     uint64
		dropped bool
	}{{0, true}, {4, false}, {5, false}, {6, true}} {
		c := open(t, Config{})
		fill(t, c, "id", 5)
		fill(t, c, "other", 5)
		if dropped := c.Changed("id", test.rev); dropped != test.dropped {
			t.Errorf("revision %d: dropped is %v, want %v", test.rev, dropped, test.dropped)
		}
		wantServed(t, c, "id", !test.dropped)
		wantServed(t, c, "other", true)
		if n := c.Stats().Invalidations; (n == 1) != test.dropped {
			t.Errorf("revision %d: counted %d invalidations", test.rev, n)
		}
		if c.Changed("unknown", test.rev) {
			t.Error("dropped what was not there")
		}
	}
}
