package compare

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// contest is a tournament in a time that passes only when a side plays.
type contest struct {
	tournament
	at     time.Time
	played []string
}

func newContest(rounds int) *contest {
	c := &contest{}
	c.tournament = tournament{rounds: rounds, roundTime: 50 * time.Millisecond, now: func() time.Time { return c.at }}
	return c
}

// add has a side take part that takes cost for each operation.
func (c *contest) add(name string, cost func() time.Duration) *side {
	nothing := func() error { return nil }
	s := &side{name: name, ops: 8, unit: 8, before: nothing, after: nothing}
	s.play = func(ops int) error {
		c.played = append(c.played, name)
		c.at = c.at.Add(time.Duration(ops) * cost())
		return nil
	}
	c.sides = append(c.sides, s)
	return s
}

func always(cost time.Duration) func() time.Duration { return func() time.Duration { return cost } }

// TestOrderChanges, and in each round each side plays once.
func TestOrderChanges(t *testing.T) {
	c := newContest(30)
	for _, name := range []string{"a", "b", "c"} {
		c.add(name, always(time.Millisecond)).unit = 0
	}
	if _, err := c.play(); err != nil {
		t.Fatal(err)
	}
	played := strings.TrimPrefix(strings.Join(c.played, ""), "aabbcc") // the warm-up
	orders := map[string]bool{}
	for ; played != ""; played = played[3:] {
		orders[played[:3]] = true
	}
	if got := slices.Sorted(maps.Keys(orders)); !slices.Equal(got, []string{"abc", "acb", "bac", "bca", "cab", "cba"}) {
		t.Errorf("the orders are %v", got)
	}
}

func TestRoundsTakeTheirTime(t *testing.T) {
	c := newContest(2)
	slow, fast := c.add("slow", always(time.Millisecond)), c.add("fast", always(3*time.Microsecond))
	longest := time.Duration(0)
	for _, s := range c.sides {
		play := s.play
		s.play = func(ops int) error {
			start := c.at
			if err := play(ops); err != nil {
				return err
			}
			longest = max(longest, c.at.Sub(start))
			if len(c.played) == 1 {
				c.at = c.at.Add(time.Second) // to fill a cache
			}
			return nil
		}
	}
	if _, err := c.play(); err != nil {
		t.Fatal(err)
	}
	if longest > c.roundTime {
		t.Errorf("a round took %v, want %v at most", longest, c.roundTime)
	}
	for s, cost := range map[*side]time.Duration{slow: time.Millisecond, fast: 3 * time.Microsecond} {
		if took := time.Duration(s.ops) * cost; s.ops%s.unit != 0 || took > c.roundTime || took < c.roundTime*9/10 {
			t.Errorf("%d operations take %v, want a multiple of %d that takes about %v", s.ops, took, s.unit, c.roundTime)
		}
		ops := s.ops
		if c.fit(s, lap{ns: 1e9}); s.ops != ops {
			t.Errorf("after a round that was disturbed the next has %d operations, want %d", s.ops, ops)
		}
	}
}

// TestRatiosAreOfARound has a machine that is ten times as slow in every other
// round: what differs by a factor of four does so still.
func TestRatiosAreOfARound(t *testing.T) {
	c := newContest(4)
	slowdown := time.Duration(1)
	ours, rival := c.add("ours", func() time.Duration { return slowdown * time.Microsecond }),
		c.add("rival", func() time.Duration { return slowdown * 4 * time.Microsecond })
	ours.unit, rival.unit = 0, 0
	rounds := 0
	both := func() error {
		if rounds++; rounds%2 == 0 {
			slowdown = 11 - slowdown
		}
		return nil
	}
	ours.after, rival.after = both, both
	laps, err := c.play()
	if err != nil {
		t.Fatal(err)
	}
	all, err := standings(c.sides, laps, "ours")
	if err != nil {
		t.Fatal(err)
	}
	if got := all[1]; got.Times != (Quartiles{4, 4, 4}) || got.Nanoseconds.Q1 == got.Nanoseconds.Q3 {
		t.Errorf("the rival takes %+v, want four times as long in each of unlike rounds", got)
	}
	if all[0].Times != (Quartiles{1, 1, 1}) {
		t.Errorf("the yardstick takes %v times as long as itself", all[0].Times)
	}
	if _, err := standings(c.sides, laps, "nobody"); err == nil {
		t.Error("a yardstick that does not take part is accepted")
	}
}

// TestOnlyPlayCounts has allocations, commands and time around the round.
func TestOnlyPlayCounts(t *testing.T) {
	c := newContest(1)
	var kept [][]byte
	commands := int64(0)
	s := c.add("ours", always(time.Microsecond))
	s.ops, s.unit = 100, 0
	around := func() error {
		kept = append(kept, make([]byte, 1<<20))
		commands += 1000
		c.at = c.at.Add(time.Hour)
		return nil
	}
	s.before, s.after = around, around
	play := s.play
	s.play = func(ops int) error {
		for range ops {
			kept = append(kept, make([]byte, 1000))
		}
		commands += int64(2 * ops)
		return play(ops)
	}
	s.commands = func() (int64, error) { return commands, nil }
	kept = slices.Grow(kept, 1000)
	laps, err := c.play()
	if err != nil {
		t.Fatal(err)
	}
	l := laps[0][0]
	if l.ns != 1000 || l.commands != 2 || l.allocs < 1 || l.allocs > 2 || l.bytes < 1000 || l.bytes > 2000 {
		t.Errorf("an operation of 1 µs with 2 commands and 1000 bytes took %+v", l)
	}
}

func TestErrorsNameTheSide(t *testing.T) {
	broken := errors.New("broken")
	for name, breaks := range map[string]func(*side){
		"before":   func(s *side) { s.before = func() error { return broken } },
		"play":     func(s *side) { s.play = func(int) error { return broken } },
		"after":    func(s *side) { s.after = func() error { return broken } },
		"commands": func(s *side) { s.commands = func() (int64, error) { return 0, broken } },
	} {
		c := newContest(1)
		c.add("fine", always(time.Millisecond))
		breaks(c.add("rival", always(time.Millisecond)))
		if _, err := c.play(); !errors.Is(err, broken) || !strings.Contains(err.Error(), "rival") {
			t.Errorf("%s: error %v, want that of the rival", name, err)
		}
	}
}
