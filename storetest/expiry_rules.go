package storetest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/coatcheck/coatcheck"
)

// lifetime is how long the records of the cases about expiry live.
const lifetime = 50 * time.Millisecond

func soon(life time.Duration) time.Time {
	return time.Now().UTC().Truncate(time.Millisecond).Add(life)
}

// shortLived files a record that expires soon.
func (c *checker) shortLived() coatcheck.Record {
	return c.create(func(r *coatcheck.Record) { r.ExpiresAt = soon(lifetime) })
}

// prolong files a record that expires soon and has op give it a longer life.
// If the machine was too slow for that to happen in time, it tries again with
// one that lives longer. It returns the record as it was filed.
func (c *checker) prolong(op func(coatcheck.Record) error) coatcheck.Record {
	for life := lifetime; ; life *= 2 {
		r := c.create(func(r *coatcheck.Record) { r.ExpiresAt, r.AbsoluteDeadline = soon(life), never })
		err := op(r)
		if err == nil || time.Now().Before(r.ExpiresAt) {
			c.must("prolonging the life of a record", err)
			return r
		}
	}
}

// outlive returns when the wall clock has reached the deadline.
func (c *checker) outlive(deadline time.Time) {
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return
		}
		select {
		case <-time.After(left):
		case <-c.ctx.Done():
			c.must("waiting for a record to expire", c.ctx.Err())
		}
	}
}

func expiredIsAbsent(c *checker) {
	r := c.shortLived()
	for {
		_, err := c.Store.Load(c.ctx, r.ID)
		if !time.Now().Before(r.ExpiresAt) {
			break
		}
		if err != nil {
			c.want("Load before the deadline", err, nil)
			break
		}
	}
	c.outlive(r.ExpiresAt)
	c.wantGone("expired", r.ID)
	later := next(r, "too late")
	later.ExpiresAt = time.Now().Add(time.Hour)
	c.want("Update of an expired record", c.Store.Update(c.ctx, later), coatcheck.ErrNotFound)
	c.wantGone("after that update", r.ID)
	if l, ok := c.lister(); ok {
		for got, err := range l.List(c.ctx) {
			c.must("List", err)
			if got.ID == r.ID {
				c.broken("List yields an expired record")
			}
		}
	}
	heir := newRecord()
	heir.ID = r.ID
	c.want("Create under the ID of an expired record", c.Store.Create(c.ctx, clone(heir)), nil)
	c.wantRecord("the new record", heir)
	c.want("Delete of it", c.Store.Delete(c.ctx, heir.ID), nil)

	// An update may shorten the life of a record, down to nothing.
	r = next(c.create(nil), "last")
	r.ExpiresAt = soon(0)
	c.want("Update to a deadline that has come", c.Store.Update(c.ctx, clone(r)), nil)
	c.wantGone("after that update", r.ID)
}

func updateSetsTheDeadline(c *checker) {
	var r coatcheck.Record
	first := c.prolong(func(short coatcheck.Record) error {
		r = next(short, "lives longer")
		r.ExpiresAt = r.ExpiresAt.Add(time.Hour)
		return c.Store.Update(c.ctx, clone(r))
	}).ExpiresAt
	c.outlive(first)
	c.wantRecord("when the earlier deadline has passed", r)

	r = next(r, "lives shorter")
	r.ExpiresAt = soon(lifetime)
	c.must("Update to an earlier deadline", c.Store.Update(c.ctx, clone(r)))
	c.outlive(r.ExpiresAt)
	c.wantGone("when the earlier deadline has passed", r.ID)
	heir := newRecord()
	heir.ID = r.ID
	c.want("Create under the ID of the expired record", c.Store.Create(c.ctx, clone(heir)), nil)
}

func neverExpires(c *checker) {
	r := c.create(func(r *coatcheck.Record) { r.ExpiresAt, r.AbsoluteDeadline = never, never })
	c.wantRecord("created without a deadline", r)

	withDeadline := c.prolong(func(short coatcheck.Record) error {
		r = next(short, "without one")
		r.ExpiresAt = never
		return c.Store.Update(c.ctx, clone(r))
	}).ExpiresAt
	c.outlive(withDeadline)
	c.wantRecord("when the deadline that was taken away has passed", r)

	r = next(r, "and with one")
	r.ExpiresAt = soon(lifetime)
	c.must("Update", c.Store.Update(c.ctx, clone(r)))
	c.outlive(r.ExpiresAt)
	c.wantGone("when the deadline that was given has passed", r.ID)
}

// mustTouch ends the case if the store cannot touch.
func (c *checker) mustTouch() coatcheck.Toucher {
	t, ok := c.toucher()
	if !ok {
		c.notApplicable("the store is no Toucher")
	}
	return t
}

func touchExtends(c *checker) {
	t := c.mustTouch()
	touched := func(short coatcheck.Record) coatcheck.Record {
		short.ExpiresAt = short.ExpiresAt.Add(2 * time.Hour)
		return short
	}
	r := c.prolong(func(short coatcheck.Record) error {
		r := touched(short)
		return t.Touch(c.ctx, coatcheck.Record{ID: r.ID, Incarnation: r.Incarnation, ExpiresAt: r.ExpiresAt})
	})
	c.wantRecord("touched", touched(r))
	c.outlive(r.ExpiresAt)
	c.wantRecord("after the deadline that was raised", touched(r))
	c.want("Update loaded before the Touch", c.Store.Update(c.ctx, next(touched(r), "update under way")), nil)

	r = c.prolong(func(short coatcheck.Record) error {
		short.ExpiresAt = never
		return t.Touch(c.ctx, short)
	})
	c.outlive(r.ExpiresAt)
	r.ExpiresAt = never
	c.wantRecord("touched to never", r)
}

func touchNeverShortens(c *checker) {
	t := c.mustTouch()
	r := c.create(nil)
	touch := r
	touch.ExpiresAt = r.ExpiresAt.Add(-time.Minute)
	c.want("Touch with an earlier deadline", t.Touch(c.ctx, touch), nil)
	c.wantRecord("after Touch with an earlier deadline", r)

	r = c.create(func(r *coatcheck.Record) { r.ExpiresAt, r.AbsoluteDeadline = never, never })
	touch = r
	touch.ExpiresAt = soon(lifetime)
	c.want("Touch of a record that never expires", t.Touch(c.ctx, touch), nil)
	c.outlive(touch.ExpiresAt)
	c.wantRecord("after Touch of a record that never expires", r)
}

func touchStopsAtAbsoluteDeadline(c *checker) {
	t := c.mustTouch()
	for what, deadline := range map[string]time.Time{"later": time.Now().Add(240 * time.Hour), "never": never} {
		r := c.create(nil)
		touch := r
		touch.AbsoluteDeadline, touch.ExpiresAt = never, deadline // the stored one counts
		c.want("Touch", t.Touch(c.ctx, touch), nil)
		r.ExpiresAt = r.AbsoluteDeadline
		c.wantRecord("touched to "+what+" than the absolute deadline", r)
	}
}

func touchUndoesNothing(c *checker) {
	t := c.mustTouch()
	for range 10 {
		r := c.create(nil)
		touch := r
		touch.ExpiresAt = r.ExpiresAt.Add(time.Hour)
		var done atomic.Bool
		var touches atomic.Int64
		wait := c.together(func(int) {
			for !done.Load() {
				touch := touch
				touch.ExpiresAt = touch.ExpiresAt.Add(rand.N(time.Hour))
				if err := t.Touch(c.ctx, touch); err != nil {
					c.want("Touch beside updates and Delete", err, coatcheck.ErrNotFound)
				}
				touches.Add(1)
			}
		})
		func() {
			defer wait()
			defer done.Store(true)
			for i := 0; touches.Load() < 4*writers && c.ctx.Err() == nil; i++ {
				r = next(r, fmt.Sprintf("update %d", i))
				c.want("Update beside touches", c.Store.Update(c.ctx, clone(r)), nil)
				got, err := c.Store.Load(c.ctx, r.ID)
				c.want("Load beside touches", err, nil)
				if got.Rev != r.Rev || !bytes.Equal(got.Value, r.Value) {
					c.broken("a Touch undid an update: revision %d with %s, want %d with %s",
						got.Rev, abridged(got.Value), r.Rev, abridged(r.Value))
					panic(endOfCase)
				}
			}
			c.want("Delete beside touches", c.Store.Delete(c.ctx, r.ID), nil)
			c.wantGone("after Delete beside touches", r.ID)
		}()
		c.wantGone("when the touches have ended", r.ID)
	}
}

func touchNeverRevives(c *checker) {
	t := c.mustTouch()
	longer := func(r coatcheck.Record) coatcheck.Record {
		r.ExpiresAt = soon(2 * time.Hour)
		return r
	}
	r := newRecord()
	c.want("Touch of a record that never was", t.Touch(c.ctx, longer(r)), coatcheck.ErrNotFound)
	c.wantGone("after that Touch", r.ID)

	r = c.create(nil)
	c.must("Delete", c.Store.Delete(c.ctx, r.ID))
	c.want("Touch of a deleted record", t.Touch(c.ctx, longer(r)), coatcheck.ErrNotFound)
	c.wantGone("after that Touch", r.ID)

	heir := c.create(func(h *coatcheck.Record) { h.ID = r.ID })
	c.want("Touch of another incarnation", t.Touch(c.ctx, longer(r)), coatcheck.ErrNotFound)
	c.wantRecord("the other incarnation, after that Touch", heir)

	r = c.shortLived()
	c.outlive(r.ExpiresAt)
	c.want("Touch of an expired record", t.Touch(c.ctx, longer(r)), coatcheck.ErrNotFound)
	c.wantGone("after that Touch", r.ID)
}
