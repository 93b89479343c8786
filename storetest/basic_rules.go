package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coatcheck/coatcheck"
)

func recordsComeBackByteForByte(c *checker) {
	everyByte := make([]byte, 256)
	for i := range everyByte {
		everyByte[i] = byte(i)
	}
	edits := map[string]func(*coatcheck.Record){
		"plain":                func(*coatcheck.Record) {},
		"binary value":         func(r *coatcheck.Record) { r.Value = everyByte },
		"empty value":          func(r *coatcheck.Record) { r.Value = nil },
		"1 MiB value":          func(r *coatcheck.Record) { r.Value = bytes.Repeat(everyByte, 1<<12) },
		"no subject":           func(r *coatcheck.Record) { r.Subject = "" },
		"subject in UTF-8":     func(r *coatcheck.Record) { r.Subject = "Ada ✓ \x00'\"\n" },
		"longest subject":      func(r *coatcheck.Record) { r.Subject = strings.Repeat("x", coatcheck.MaxSubjectBytes) },
		"largest incarnation":  func(r *coatcheck.Record) { r.Incarnation = 1<<64 - 1 },
		"smallest incarnation": func(r *coatcheck.Record) { r.Incarnation = 0 },
		"no timeouts":          func(r *coatcheck.Record) { r.ExpiresAt, r.AbsoluteDeadline, r.IdleTimeout = never, never, 0 },
		"no absolute deadline": func(r *coatcheck.Record) { r.AbsoluteDeadline = never },
		"timeout of 1 ms":      func(r *coatcheck.Record) { r.IdleTimeout = time.Millisecond },
		"timeout of 290 years": func(r *coatcheck.Record) { r.IdleTimeout = 290 * 365 * 24 * time.Hour },
		"nothing retired":      func(r *coatcheck.Record) { r.Retired = nil },
		"one retired at once":  func(r *coatcheck.Record) { r.Retired[0].Until = r.Retired[0].At },
		"as many as may be retired": func(r *coatcheck.Record) {
			for range coatcheck.MaxRetired - 1 { // the latest first
				oldest := r.Retired[len(r.Retired)-1]
				r.Retired = append(r.Retired, newRetired(oldest.At.Add(-time.Hour)))
			}
			r.Retired[1].Until = r.Retired[1].At
		},
		"retired in year 2300": func(r *coatcheck.Record) { r.Retired[0] = newRetired(time.Date(2300, 1, 1, 0, 0, 0, 1e6, time.UTC)) },
		"no client":            func(r *coatcheck.Record) { r.Client = coatcheck.Client{} },
		"address only":         func(r *coatcheck.Record) { r.Client.UserAgent = "" },
		"user agent only":      func(r *coatcheck.Record) { r.Client.Address = "" },
		"client in UTF-8": func(r *coatcheck.Record) {
			r.Client = coatcheck.Client{Address: "✓ \x00'\"\n", UserAgent: "\"\x00 ü"}
		},
		"longest client": func(r *coatcheck.Record) {
			r.Client.Address = strings.Repeat("x", coatcheck.MaxClientBytes)
			r.Client.UserAgent = strings.Repeat("✓", coatcheck.MaxClientBytes/len("✓"))
		},
		"deadline in year 2300": func(r *coatcheck.Record) { r.ExpiresAt = time.Date(2300, 1, 1, 0, 0, 0, 1e6, time.UTC) },
	}
	for what, edit := range edits {
		r := c.create(edit)
		c.wantRecord(what+", created", r)
		r.Rev++
		r.Subject, r.SecretHash[0] = "grace", r.SecretHash[0]+1
		c.must("Update", c.Store.Update(c.ctx, clone(r)))
		c.wantRecord(what+", updated", r)

		r.Rev++
		r.Client = coatcheck.Client{Address: r.Client.UserAgent, UserAgent: "another"}
		r.Retired = slices.Insert(r.Retired, 0, newRetired(r.CreatedAt.Add(time.Minute)))
		r.Retired = r.Retired[:min(len(r.Retired), coatcheck.MaxRetired)]
		c.must("Update", c.Store.Update(c.ctx, clone(r)))
		c.wantRecord(what+", renewed by another client", r)

		r.Rev++
		r.Client, r.Retired = coatcheck.Client{}, nil
		c.must("Update", c.Store.Update(c.ctx, clone(r)))
		c.wantRecord(what+", with client and retired secrets taken away", r)
	}
}

var never time.Time

// spoil changes what the slices of a record refer to.
func spoil(r coatcheck.Record) {
	if len(r.Value) > 0 {
		r.Value[0] ^= 0xff
	}
	if len(r.Retired) > 0 {
		r.Retired[0].Hash[0] ^= 0xff
		r.Retired[0].Until = never
	}
}

func memoryIsNotShared(c *checker) {
	r := newRecord()
	given := clone(r)
	c.must("Create", c.Store.Create(c.ctx, given))
	spoil(given)
	c.wantRecord("after the slices given to Create were changed", r)

	r = next(r, "updated")
	given = clone(r)
	c.must("Update", c.Store.Update(c.ctx, given))
	spoil(given)
	c.wantRecord("after the slices given to Update were changed", r)

	got, err := c.Store.Load(c.ctx, r.ID)
	c.must("Load", err)
	spoil(got)
	c.wantRecord("after the slices that Load returned were changed", r)

	if l, ok := c.lister(); ok {
		for got, err := range l.List(c.ctx) {
			c.must("List", err)
			if got.ID == r.ID {
				spoil(got)
			}
		}
		c.wantRecord("after the slices that List yielded were changed", r)
	}
	if x, ok := c.subjectIndex(); ok {
		for got, err := range x.ListSubject(c.ctx, r.Subject) {
			c.must("ListSubject", err)
			spoil(got)
		}
		c.wantRecord("after the slices that ListSubject yielded were changed", r)
	}
}

func missIsNotFound(c *checker) {
	c.wantGone("never created", newRecord().ID)
	r := c.create(nil)
	c.must("Delete", c.Store.Delete(c.ctx, r.ID))
	c.wantGone("deleted", r.ID)
}

func createNeverOverwrites(c *checker) {
	r := c.create(nil)
	other := newRecord()
	other.ID = r.ID
	c.want("Create of a taken ID", c.Store.Create(c.ctx, other), coatcheck.ErrExists)
	c.wantRecord("after Create of a taken ID", r)
}

func oneOfManyCreatesWins(c *checker) {
	for range 20 {
		id := newRecord().ID
		var mu sync.Mutex
		var winners []coatcheck.Record
		c.together(func(int) {
			r := newRecord()
			r.ID = id
			err := c.Store.Create(c.ctx, clone(r))
			if err != nil {
				c.want("Create by one of many", err, coatcheck.ErrExists)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			winners = append(winners, r)
		})()
		if len(winners) != 1 {
			c.broken("%d of %d concurrent calls of Create succeeded, want 1", len(winners), writers)
			return
		}
		c.wantRecord("after concurrent creates", winners[0])
	}
}

func updateIsCompareAndSwap(c *checker) {
	r := c.create(nil)
	for _, rev := range []uint64{0, 1, 3, 1 << 40} {
		wrong := next(r, "not this one")
		wrong.Rev = rev
		c.want(fmt.Sprintf("Update to revision %d of a record at 1", rev), c.Store.Update(c.ctx, wrong), coatcheck.ErrConflict)
		c.wantRecord(fmt.Sprintf("after an update to revision %d", rev), r)
	}
	r = next(r, "second")
	r.ExpiresAt = r.ExpiresAt.Add(-time.Minute) // an update may shorten
	c.must("Update to the next revision", c.Store.Update(c.ctx, clone(r)))
	c.wantRecord("after the update", r)
	c.want("the same Update again", c.Store.Update(c.ctx, clone(r)), coatcheck.ErrConflict)
}

func oneWriterWinsEachRev(c *checker) {
	r := c.create(nil)
	for range 50 {
		var mu sync.Mutex
		var winners []coatcheck.Record
		c.together(func(writer int) { // all have read the same revision
			mine := next(r, fmt.Sprintf("revision %d by writer %d", r.Rev+1, writer))
			err := c.Store.Update(c.ctx, clone(mine))
			if err != nil {
				c.want("Update by one of many", err, coatcheck.ErrConflict)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			winners = append(winners, mine)
		})()
		if len(winners) != 1 {
			c.broken("revision %d was won by %d of %d writers, want 1", r.Rev+1, len(winners), writers)
			return
		}
		r = winners[0]
		c.wantRecord("after concurrent updates", r)
	}
}

func updateNeverRecreates(c *checker) {
	r := newRecord()
	c.want("Update of a record that never was", c.Store.Update(c.ctx, next(r, "x")), coatcheck.ErrNotFound)
	c.wantGone("after that update", r.ID)

	r = c.create(nil)
	c.must("Delete", c.Store.Delete(c.ctx, r.ID))
	c.want("Update of a deleted record", c.Store.Update(c.ctx, next(r, "x")), coatcheck.ErrNotFound)
	c.wantGone("after that update", r.ID)
}

func updateSparesAnotherIncarnation(c *checker) {
	old := c.create(nil)
	c.must("Delete", c.Store.Delete(c.ctx, old.ID))
	heir := c.create(func(r *coatcheck.Record) { r.ID = old.ID })
	c.want("Update loaded from the deleted record", c.Store.Update(c.ctx, next(old, "of the deleted one")), coatcheck.ErrNotFound)
	c.wantRecord("after that update, the new record", heir)
}

func deleteIsIdempotent(c *checker) {
	r, other := c.create(nil), c.create(nil)
	c.want("Delete", c.Store.Delete(c.ctx, r.ID), nil)
	c.wantGone("after Delete", r.ID)
	c.want("Delete again", c.Store.Delete(c.ctx, r.ID), nil)
	c.want("Delete of an ID that never was", c.Store.Delete(c.ctx, newRecord().ID), nil)
	c.wantRecord("a record that was not deleted", other)
}

func deleteBeatsEveryUpdate(c *checker) {
	for range 10 {
		r := c.create(nil)
		c.deleteBesideUpdates(r)
		c.wantGone("when all updates have ended", r.ID)
	}
}

func (c *checker) deleteBesideUpdates(r coatcheck.Record) {
	var deleted atomic.Bool
	underWay := make(chan struct{}, 1)
	report := func() {
		select {
		case underWay <- struct{}{}:
		default:
		}
	}
	wait := c.together(func(int) {
		defer report() // also when the store panics
		seen := r
		for last := false; !last; {
			last = deleted.Load() // one more, loaded before and written after
			err := c.Store.Update(c.ctx, next(seen, "late"))
			if err != nil && !errors.Is(err, coatcheck.ErrConflict) && !errors.Is(err, coatcheck.ErrNotFound) {
				c.want("Update beside Delete", err, nil)
			}
			if found, err := c.Store.Load(c.ctx, r.ID); err == nil {
				seen = found
			}
			report()
		}
	})
	defer wait()
	defer deleted.Store(true)
	<-underWay
	c.want("Delete beside updates", c.Store.Delete(c.ctx, r.ID), nil)
	c.wantGone("when Delete has returned", r.ID)
}
