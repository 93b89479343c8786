package nearcache

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// bear caches a record that was created just now.
func bear(t *testing.T, c *Cache[int], id string) *Entry[int] {
	t.Helper()
	o := found(1)
	o.Unwatched, o.Newborn = true, true
	if !c.End(c.Begin(id), o) {
		t.Fatalf("%s: a new record was not cached", id)
	}
	return o.Entry
}

func newbornIn(c *Cache[int], id string) *Entry[int] {
	name := newWords(id)
	e := c.state.Load().otter.newborns.get(name.key())
	if e == nil || e.id.words() != name {
		return nil
	}
	return e
}

func TestNewbornIsServedForMaxStaleness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{Newborns: 8})
		bear(t, c, "a")
		wait(staleness)
		wantServed(t, c, "a", true)
		wait(moment)
		c.CaughtUp(time.Now()) // which says nothing of what is not watched
		wantServed(t, c, "a", false)
	})
}

func TestNewbornsTakeNobodysPlace(t *testing.T) {
	const old = 48
	c := open(t, Config{MaxEntries: 64, Newborns: 16})
	for i := range old {
		fill(t, c, fmt.Sprint("old ", i), 1)
	}
	for i := range 1000 {
		bear(t, c, fmt.Sprint("new ", i))
	}
	settle(c)
	for i := range old {
		wantCached(t, c, fmt.Sprint("old ", i), 1)
	}
}

func TestNewbornsAreAmongMaxEntries(t *testing.T) {
	c := open(t, Config{MaxEntries: 20, Newborns: 5})
	fillMany(t, c, 500)
	for i := range 500 {
		bear(t, c, fmt.Sprint("new ", i))
	}
	settle(c)
	if n := c.Stats().Entries; n != 20 {
		t.Errorf("%d entries, want MaxEntries, 20", n)
	}
}

func TestNewbornsCountAsEntries(t *testing.T) {
	c := open(t, Config{Newborns: 8})
	bear(t, c, "a")
	if n := c.Stats().Entries; n != 1 {
		t.Errorf("%d entries, want 1", n)
	}
	if n := c.Clear(); n != 1 {
		t.Errorf("Clear dropped %d entries, want 1", n)
	}
	wantServed(t, c, "a", false)
}

func TestChangeDropsNewborn(t *testing.T) {
	for _, rev := range []uint64{0, 2} {
		c := open(t, Config{Newborns: 8})
		bear(t, c, "a")
		if !c.Changed("a", rev) {
			t.Errorf("revision %d: nothing was dropped", rev)
		}
		wantServed(t, c, "a", false)
	}
}

// TestChangeDuringCreation: who lists the sessions of a subject may end one that its
// creator does not have yet.
func TestChangeDuringCreation(t *testing.T) {
	c := open(t, Config{Newborns: 8})
	ticket := c.Begin("a")
	c.Changed("a", 0)
	o := found(1)
	o.Unwatched, o.Newborn = true, true
	if c.End(ticket, o) {
		t.Error("a new record that had ended was cached")
	}
	wantServed(t, c, "a", false)
}

func TestReadTakesPlaceOfNewborn(t *testing.T) {
	c := open(t, Config{Newborns: 8})
	bear(t, c, "a")
	fill(t, c, "a", 1)
	wantServed(t, c, "a", true)
	if newbornIn(c, "a") != nil {
		t.Error("it is among the newborns still")
	}
}

// TestReadNewbornStays: the first read decodes it, which has it replaced. After that it
// gives way no sooner than others.
func TestReadNewbornStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{Newborns: 8})
		e := bear(t, c, "a")
		derived := e.With(7, Never)
		c.Replace(e, derived)
		if newbornIn(c, "a") != nil {
			t.Error("it is among the newborns still")
		}
		for i := range 100 {
			bear(t, c, fmt.Sprint(i))
		}
		if got, _ := c.Get("a", ours); got != derived {
			t.Errorf("got %v, want what replaced it", got)
		}
		wait(staleness + moment)
		c.CaughtUp(time.Now())
		wantServed(t, c, "a", false)
	})
}

// TestNewbornsGiveWay to those that come later, and to nobody else.
func TestNewbornsGiveWay(t *testing.T) {
	c := open(t, Config{Newborns: nestSlots}) // all of them are in one nest
	var ids []string
	for i := range nestSlots {
		ids = append(ids, fmt.Sprint(i))
		bear(t, c, ids[i])
	}
	c.Changed("another", 0)
	fill(t, c, "another", 1)
	for _, id := range ids {
		wantServed(t, c, id, true)
	}
	c.Changed(ids[1], 0)
	bear(t, c, "later") // where there is room
	wantServed(t, c, ids[1], false)
	for _, id := range []string{ids[0], "later", ids[2], ids[3]} {
		wantServed(t, c, id, true)
	}
	e := bear(t, c, "latest")
	wantServed(t, c, "latest", true)
	if n := c.state.Load().otter.newborns.len(); n != nestSlots {
		t.Errorf("%d newborns, want %d", n, nestSlots)
	}
	c.Drop(e)
	wantServed(t, c, "latest", false)
}

// TestCreationUnderAnOldID replaces what is known of the record before.
func TestCreationUnderAnOldID(t *testing.T) {
	c := open(t, Config{Newborns: 8})
	fill(t, c, "a", 5)
	o := found(1)
	o.Unwatched = true
	c.End(c.Begin("a"), o)
	wantCached(t, c, "a", 1)
}

func TestNoNewborns(t *testing.T) {
	for name, eviction := range evictions {
		t.Run(name, func(t *testing.T) {
			config := Config{Eviction: eviction, Newborns: 8}
			if eviction == TinyLFU {
				config.Newborns = 0
			}
			c := open(t, config)
			bear(t, c, "a")
			wantServed(t, c, "a", true)
			c.Changed("a", 0)
			wantServed(t, c, "a", false)
		})
	}
}
