package storetest

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coatcheck/coatcheck"
)

func watchBeginsWithLost(c *checker) {
	w := c.watcher()
	defer c.keepBusy()()
	for range 5 {
		l := c.listen(w)
		l.end()
		if first := l.calls(0)[0]; !first.isLost() {
			c.broken("a watch begins with %+v, want Lost", first)
			return
		}
	}
}

// keepBusy has changes made, and reported, all the time until stop.
func (c *checker) keepBusy() (stop func()) {
	var done atomic.Bool
	wait := c.together(func(int) {
		r := newRecord()
		err := c.Store.Create(c.ctx, clone(r))
		for err == nil && !done.Load() {
			r = next(r, "changed")
			err = c.Store.Update(c.ctx, clone(r))
		}
		c.want("a change beside a watch", err, nil)
	})
	return func() {
		done.Store(true)
		wait()
	}
}

func watchReportsUpdateAndDelete(c *checker) {
	l := c.listen(c.watcher())
	defer l.end()
	r := c.create(nil)
	c.wantRecord("created", r)
	for range 10 {
		r = c.updateAndHear(l, r)
	}
	t, ok := c.toucher()
	if ok {
		r.ExpiresAt = r.ExpiresAt.Add(time.Minute)
		c.must("Touch", t.Touch(c.ctx, r))
		r = c.updateAndHear(l, r)
	}
	mark := l.mark()
	c.must("Delete", c.Store.Delete(c.ctx, r.ID))
	if got := reports(l.calls(mark), r.ID); len(got) == 0 {
		c.broken("Delete has returned, and no report of it was made")
	} else if last := got[len(got)-1]; last.Rev != 0 {
		c.broken("the deletion of a record is reported as its revision %d, want 0", last.Rev)
	} else if last.Expired {
		c.broken("the deletion of a record is reported as its expiry")
	}
}

// updateAndHear changes a record through the store, whose watch must hear of it.
func (c *checker) updateAndHear(l *listener, r coatcheck.Record) coatcheck.Record {
	r = next(r, "changed")
	mark := l.mark()
	c.must("Update", c.Store.Update(c.ctx, clone(r)))
	got := reports(l.calls(mark), r.ID)
	if len(got) == 0 {
		c.broken("Update has returned, and no report of it was made")
	}
	for _, change := range got {
		if change.Expired {
			c.broken("an update is reported as expiry")
		}
		if change.Rev != 0 && change.Rev != r.Rev {
			c.broken("an update to revision %d is reported as revision %d", r.Rev, change.Rev)
		}
	}
	return r
}

func watchReportsCancelledChanges(c *checker) {
	l := c.listen(c.watcher())
	defer l.end()
	r := c.create(nil)
	mark := l.mark()
	for range 300 {
		ctx, cancel := context.WithCancel(c.ctx)
		var wg sync.WaitGroup
		wg.Go(func() {
			for range rand.N(2000) { // some way into the change
				_ = ctx.Err()
			}
			cancel()
		})
		err := c.Store.Update(ctx, next(r, "changed"))
		calls, then := l.calls(mark), l.mark()
		wg.Wait()
		if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, coatcheck.ErrConflict) {
			c.want("Update that is cancelled under way", err, context.Canceled)
		}
		got, loadErr := c.Store.Load(c.ctx, r.ID)
		c.must("Load", loadErr)
		if got.Rev == r.Rev {
			continue // and perhaps made later, while the next attempt is not even begun
		}
		if !tell(calls, r.ID, got.Rev) {
			c.broken("Update has returned %s and was made, and no report of it was made", name(err))
			return
		}
		r, mark = got, then
	}
}

func caughtUpIsNeverAhead(c *checker) {
	w := c.watcher()
	l := c.listen(w)
	defer l.end()
	if l.synchronous() {
		if c.Other != nil {
			c.otherIsHeardAtOnce(l)
		}
		return
	}
	for range 5 {
		l.catchUp() // again and again, though nothing happens
	}
	for _, h := range l.calls(0) {
		if h.asOf.After(h.at) {
			c.broken("CaughtUp is ahead of the clock by %v", h.asOf.Sub(h.at))
			return
		}
	}
}

// otherIsHeardAtOnce holds a store to its claim that it cannot miss a change.
func (c *checker) otherIsHeardAtOnce(l *listener) {
	other, closeOther := c.openOther()
	defer closeOther()
	r := c.create(nil)
	c.wantRecord("created", r)
	mark := l.mark()
	c.must("Update through another store", other.Update(c.ctx, next(r, "changed elsewhere")))
	if !tell(l.calls(mark), r.ID, r.Rev+1) {
		c.broken("CaughtUp claims that no change is ever missed, but one through another store has returned and was not reported")
	}
}

func watchEndsWithContext(c *checker) {
	w := c.watcher()
	other := c.listen(w)
	defer other.end()
	ended, cancel := context.WithCancel(c.ctx)
	cancel()
	c.want("Watch with a cancelled context", c.startWatch(ended, w).result(), context.Canceled)

	l := c.listen(w)
	r := c.create(nil)
	var mark int
	func() {
		defer c.keepBusy()()
		c.want("Watch whose context is cancelled", l.end(), context.Canceled)
		mark = l.mark()
	}()
	c.updateAndHear(other, r)
	for range 3 {
		other.catchUp() // time for the other to be called again
	}
	if late := l.calls(mark); len(late) > 0 {
		c.broken("%d calls reach the sink when Watch has returned, such as %+v", len(late), late[0])
	}
}

func watchEndsWithClose(c *checker) {
	w := c.watcher()
	closer, ok := c.Store.(io.Closer)
	if !ok {
		c.notApplicable("the store is no io.Closer")
	}
	l := c.listen(w)
	defer l.end()
	c.must("Close", closer.Close())
	c.want("Watch of a store that is closed meanwhile", l.result(), coatcheck.ErrClosed)
	c.want("Watch of a closed store", c.startWatch(c.ctx, w).result(), coatcheck.ErrClosed)
}

func manyWatches(c *checker) {
	w := c.watcher()
	var all []*listener
	defer func() {
		for _, l := range all {
			l.end()
		}
	}()
	for range 3 {
		all = append(all, c.listen(w))
	}
	r := c.create(nil)
	for len(all) > 0 {
		for _, l := range all {
			r = c.updateAndHear(l, r)
			l.catchUp()
		}
		all[0].end() // which leaves the others alone
		all = all[1:]
	}
}

func watchSurvivesOutage(c *checker) {
	w := c.watcher()
	if c.Outage == nil {
		c.notApplicable("the target has no Outage")
	}
	l := c.listen(w)
	defer l.end()
	r := c.create(nil)
	l.catchUp()

	restore, err := c.Outage()
	c.must("Outage", err)
	down := time.Now()
	isNews := func(h heard) bool { return h.asOf.After(down) }
	c.outlive(down.Add(10 * watchInterval)) // nothing can be waited for: nothing may come
	mark := l.mark()
	c.must("restoring the backend", restore())
	if slices.ContainsFunc(l.calls(0)[:mark], isNews) {
		c.broken("CaughtUp with a moment at which the backend was unreachable")
		return
	}
	caughtUp := l.find("CaughtUp after the outage", mark, isNews)
	if !slices.ContainsFunc(l.calls(mark)[:caughtUp-mark], heard.isLost) {
		c.broken("CaughtUp after an outage comes before Lost, though changes may have been missed")
	}
	for c.ctx.Err() == nil {
		if _, err = c.Store.Load(c.ctx, r.ID); !errors.Is(err, coatcheck.ErrUnavailable) {
			break
		}
	}
	c.must("Load after the outage", err)
	c.updateAndHear(l, r)
	if c.Other != nil {
		other, closeOther := c.openOther()
		defer closeOther()
		c.changeElsewhere(l, other, holdings[0], true)
	}
}
