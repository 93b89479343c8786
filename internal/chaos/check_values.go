package chaos

import (
	"fmt"
	"maps"
	"slices"
)

// values is what is known of who made which revision, and what was in it.
type values struct {
	*sessionCheck
	writes map[uint64]*Record // by operation, acknowledged or not
	made   map[uint32]*Record // by revision: the write that made it
	revOf  map[uint64]uint32  // by operation, the revision that it made
}

// checkValues is about NoLostUpdate: that each revision holds what one write,
// and one only, has left there.
func (c *sessionCheck) checkValues() {
	v := values{c, map[uint64]*Record{}, map[uint32]*Record{}, map[uint64]uint32{}}
	updated := false
	for i := range c.records {
		r := &c.records[i]
		if !r.writes() {
			continue
		}
		updated = updated || r.Kind == Update
		if other := v.writes[r.Op]; other != nil {
			c.violation(NoLostUpdate, "is recorded twice: the history is damaged", r, other)
		}
		v.writes[r.Op] = r
	}
	for _, a := range c.acknowledged {
		if other := v.made[a.write.Rev]; other != nil {
			c.violation(NoLostUpdate, "has the revision of another one", a.write, other)
			continue
		}
		v.made[a.write.Rev], v.revOf[a.write.Op] = a.write, a.write.Rev
	}
	for i := range c.records {
		if r := &c.records[i]; r.Kind == Get && r.Outcome == OK {
			v.checkRead(r)
		}
	}
	v.checkCounters(!updated)
}

// checkRead holds what was read against what was written. Where the writer of
// a revision did not hear of its success, the first reader names it.
func (v *values) checkRead(r *Record) {
	write := v.writes[r.Op]
	switch {
	case write == nil:
		v.violation(NoLostUpdate, "reads what nobody wrote", r, nil)
		return
	case write.Outcome != OK && write.Outcome != Failed:
		v.violation(NoLostUpdate, "reads what was answered not to have been written", r, write)
		return
	case r.End < write.Start:
		v.violation(NoLostUpdate, "reads what was written later", r, write)
	case r.N != write.N:
		v.violation(NoLostUpdate, "reads another counter than was written", r, write)
	}
	made, known := v.made[r.Rev]
	rev, placed := v.revOf[r.Op]
	switch {
	case known && made != write:
		v.violation(NoLostUpdate, "reads another value than this write left at its revision", r, made)
	case placed && rev != r.Rev:
		v.violation(NoLostUpdate, fmt.Sprintf("reads a value at another revision than its own, %d", rev), r, write)
	case !known:
		v.made[r.Rev], v.revOf[r.Op] = write, r.Rev
	}
}

// checkCounters demands that each Change and Renew added one to what the revision before
// it held. Where there is no Update, the counter is one less than the revision.
func (v *values) checkCounters(onlyChanges bool) {
	for _, rev := range slices.Sorted(maps.Keys(v.made)) {
		write := v.made[rev]
		before, known := v.made[rev-1]
		switch {
		case onlyChanges && write.N != rev-1:
			v.violation(NoLostUpdate, fmt.Sprintf("left a counter that is not one less than its revision, %d", rev), write, nil)
		case known && (write.Kind == Change || write.Kind == Renew) && write.N != before.N+1:
			v.violation(NoLostUpdate, "did not add one to what the revision before it held", write, before)
		}
	}
}
