package storetest

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/coatcheck/coatcheck"
)

// openOther opens another store on the same records.
func (c *checker) openOther() (_ coatcheck.Store, closeOther func()) {
	other, err := c.Other()
	c.must("Other", err)
	return other, func() {
		if closer, ok := other.(io.Closer); ok {
			c.want("Close of the other store", closer.Close(), nil)
		}
	}
}

// holding is a way to come to know the state of a record, after which changes
// of it must be reported.
type holding struct {
	name string

	// prepare, if any, comes before hold, with time for reports in between.
	prepare func(c *checker, other coatcheck.Store, r coatcheck.Record) coatcheck.Record

	// hold works on a record that the other store has created.
	hold func(c *checker, r coatcheck.Record) coatcheck.Record
}

var holdings = []holding{
	{name: "loaded", hold: load},
	{name: "loaded again after a change elsewhere", prepare: loadAndChangeElsewhere, hold: load},
	{name: "updated", hold: update},
	{name: "loaded and updated", hold: func(c *checker, r coatcheck.Record) coatcheck.Record { return update(c, load(c, r)) }},
	{name: "touched", hold: touch},
	{name: "loaded and touched", hold: func(c *checker, r coatcheck.Record) coatcheck.Record { return touch(c, load(c, r)) }},
}

func load(c *checker, r coatcheck.Record) coatcheck.Record {
	c.wantRecord("to be watched", r)
	return r
}

func update(c *checker, r coatcheck.Record) coatcheck.Record {
	r = next(r, "changed here")
	c.must("Update", c.Store.Update(c.ctx, clone(r)))
	return r
}

func touch(c *checker, r coatcheck.Record) coatcheck.Record {
	if t, ok := c.toucher(); ok {
		r.ExpiresAt = r.ExpiresAt.Add(time.Minute)
		c.must("Touch", t.Touch(c.ctx, r))
		return r
	}
	return load(c, r)
}

func loadAndChangeElsewhere(c *checker, other coatcheck.Store, r coatcheck.Record) coatcheck.Record {
	r = next(load(c, r), "changed elsewhere")
	c.must("Update through another store", other.Update(c.ctx, clone(r)))
	return r
}

func watchReportsOthers(c *checker) {
	w := c.watcher()
	if c.Other == nil {
		c.notApplicable("the target has no Other")
	}
	other, closeOther := c.openOther()
	defer closeOther()
	l := c.listen(w)
	defer l.end()
	for _, h := range holdings {
		c.changeElsewhere(l, other, h, false)
		c.changeElsewhere(l, other, h, true)
	}
}

// changeElsewhere has the store hold a record, and another one change it. The
// pauses in between let reports of what led there arrive, so that they are not
// taken for what is to be shown.
func (c *checker) changeElsewhere(l *listener, other coatcheck.Store, h holding, deletion bool) {
	for c.ctx.Err() == nil {
		r := newRecord()
		c.must("Create through another store", other.Create(c.ctx, clone(r)))
		l.catchUp()
		if h.prepare != nil {
			r = h.prepare(c, other, r)
			l.catchUp()
		}
		held := l.mark()
		r = h.hold(c, r)
		l.catchUp()
		mark := l.mark()
		if slices.ContainsFunc(l.calls(held)[:mark-held], heard.isLost) {
			continue // and with it every duty to report
		}
		what, rev := "a deletion", uint64(0)
		var err error
		if deletion {
			err = other.Delete(c.ctx, r.ID)
		} else {
			r = next(r, "changed elsewhere")
			rev, what = r.Rev, fmt.Sprintf("an update to revision %d", r.Rev)
			err = other.Update(c.ctx, clone(r))
		}
		returned := time.Now()
		c.must("a change through another store", err)
		if calls := l.untilCaughtUp(mark, returned); !tell(calls, r.ID, rev) {
			c.broken("%s through another store, of a record that was %s through this one, is not reported by the CaughtUp after it: of it were reported %v",
				what, h.name, reports(calls, r.ID))
		}
		return
	}
	c.must("finding a moment without Lost", c.ctx.Err())
}
