package storetest

import (
	"strings"
	"time"

	"github.com/coatcheck/coatcheck"
)

// mustSubjectIndex ends the case if the store cannot list the records of a
// subject.
func (c *checker) mustSubjectIndex() coatcheck.SubjectIndex {
	x, ok := c.subjectIndex()
	if !ok {
		c.notApplicable("the store is no SubjectIndex")
	}
	return x
}

// wantListed notes a violation unless the listing of a subject is these records.
func (c *checker) wantListed(what string, x coatcheck.SubjectIndex, subject string, want ...coatcheck.Record) {
	missing := make(map[string]coatcheck.Record, len(want))
	for _, r := range want {
		missing[r.ID] = listed(r)
	}
	for got, err := range x.ListSubject(c.ctx, subject) {
		if err != nil {
			c.broken("ListSubject of a subject %s yields %s", what, name(err))
			return
		}
		r, ok := missing[got.ID]
		if !ok {
			c.broken("ListSubject of a subject %s yields a record twice, or one that is not its: of subject %s", what, abridged([]byte(got.Subject)))
			return
		}
		delete(missing, got.ID)
		if got.Value != nil {
			c.broken("ListSubject of a subject %s yields a value of %d bytes, want nil", what, len(got.Value))
			return
		}
		if all := differences(got, r); len(all) > 0 {
			c.broken("ListSubject of a subject %s: %s", what, strings.Join(all, "; "))
			return
		}
	}
	if len(missing) > 0 {
		c.broken("ListSubject of a subject %s misses %d of %d records", what, len(missing), len(want))
	}
}

// createFor files a new record of a subject.
func (c *checker) createFor(subject string) coatcheck.Record {
	return c.create(func(r *coatcheck.Record) { r.Subject = subject })
}

func subjectListsItsLivingRecords(c *checker) {
	x := c.mustSubjectIndex()
	c.wantListed("without records", x, newSubject())
	c.listsNoOtherSubjects(x)

	const living = 1100 // more than a page
	subject := newSubject()
	var want, deleted []coatcheck.Record
	var expiry time.Time
	for i := range living {
		want = append(want, c.createFor(subject))
		if i%10 == 0 { // so that pages have gaps
			deleted = append(deleted, c.createFor(subject))
			c.must("Delete", c.Store.Delete(c.ctx, deleted[len(deleted)-1].ID))
			short := c.create(func(r *coatcheck.Record) { r.Subject, r.ExpiresAt = subject, soon(lifetime) })
			expiry = short.ExpiresAt
		}
	}
	ended := next(c.createFor(subject), "ends at once")
	ended.ExpiresAt = soon(0)
	c.must("Update to a deadline that has come", c.Store.Update(c.ctx, clone(ended)))
	c.outlive(expiry)
	c.wantListed("with many records, others deleted and expired,", x, subject, want...)

	seen := 0
	for _, err := range x.ListSubject(c.ctx, subject) {
		c.must("ListSubject", err)
		if seen++; seen == 3 {
			break
		}
	}
	c.wantListed("whose listing was left early before", x, subject, want...)
}

// listsNoOtherSubjects has records of subjects that a careless index takes for
// one another.
func (c *checker) listsNoOtherSubjects(x coatcheck.SubjectIndex) {
	base := newSubject()
	long := strings.Repeat("x", coatcheck.MaxSubjectBytes-len(base)-1)
	records := make(map[string][]coatcheck.Record)
	for _, subject := range []string{
		base, base[:len(base)-1], base + "x", base + "xx", " " + base, base + " ", strings.ToUpper(base), strings.ToLower(base),
		base + "/", base + "/x", base + ":", base + ":x", "{" + base + "}", base + "{x}", base + "}x{", base + "*", base + "?", base + "[a-z]", base + "%", base + "_",
		base + `"`, base + `'`, base + `''`, base + `\`, base + "\n", base + "\r\n", base + "\x00", base + "\x00x", "\x00" + base,
		base + "ü", base + "u\u0308", base + "✓",
		base + long + "x", base + long + "y", base + long,
	} {
		records[subject] = []coatcheck.Record{c.createFor(subject), c.createFor(subject)}
	}
	c.createFor("")
	for subject, want := range records {
		c.wantListed("with others that look like it", x, subject, want...)
	}
}

func subjectFollowsUpdates(c *checker) {
	x := c.mustSubjectIndex()
	here, there := newSubject(), newSubject()
	r := c.createFor("")
	move := func(to string) {
		r = next(r, "of "+to)
		r.Subject = to
		c.must("Update", c.Store.Update(c.ctx, clone(r)))
	}
	move(here)
	c.wantListed("that an anonymous record was given", x, here, r)
	move(there)
	c.wantListed("that a record was given", x, there, r)
	c.wantListed("from which a record was taken", x, here)
	stale := r
	stale.Subject = here
	c.want("Update to the revision that is stored", c.Store.Update(c.ctx, stale), coatcheck.ErrConflict)
	c.wantListed("that only a conflicting update names", x, here)
	c.wantListed("from which a conflicting update would take a record", x, there, r)
	move(there)
	c.wantListed("whose record was changed", x, there, r)
	move("")
	c.wantListed("whose record became anonymous", x, there)
	move(here)
	c.wantListed("to which a record returned", x, here, r)
	gone := next(newRecord(), "never created")
	gone.Subject = there
	c.want("Update of a record that never was", c.Store.Update(c.ctx, gone), coatcheck.ErrNotFound)
	c.wantListed("that an update names that found nothing", x, there)
	c.must("Delete", c.Store.Delete(c.ctx, r.ID))
	c.wantListed("whose record was deleted", x, here)

	c.subjectFollowsHeirs(x)
	c.subjectKeepsTheExtended(x)
}

// subjectFollowsHeirs has one record follow another under its ID.
func (c *checker) subjectFollowsHeirs(x coatcheck.SubjectIndex) {
	for what, end := range map[string]func() coatcheck.Record{
		"deleted": func() coatcheck.Record {
			r := c.create(nil)
			c.must("Delete", c.Store.Delete(c.ctx, r.ID))
			return r
		},
		"expired": func() coatcheck.Record {
			r := c.shortLived()
			c.outlive(r.ExpiresAt)
			return r
		},
	} {
		r := end()
		heir := c.create(func(heir *coatcheck.Record) { heir.ID = r.ID })
		c.wantListed("of a record whose ID was that of a "+what+" one", x, heir.Subject, heir)
		c.wantListed("whose "+what+" record was followed by another's", x, r.Subject)

		r = end()
		heir = c.create(func(heir *coatcheck.Record) { heir.ID, heir.Subject = r.ID, r.Subject })
		c.wantListed("whose "+what+" record was followed by one of its own", x, heir.Subject, heir)

		r = end()
		c.create(func(heir *coatcheck.Record) { heir.ID, heir.Subject = r.ID, "" })
		c.wantListed("whose "+what+" record was followed by an anonymous one", x, r.Subject)
	}
}

// subjectKeepsTheExtended has records outlive the deadline that they were
// created with.
func (c *checker) subjectKeepsTheExtended(x coatcheck.SubjectIndex) {
	extensions := map[string]func(coatcheck.Record) error{
		"an update": func(r coatcheck.Record) error { return c.Store.Update(c.ctx, r) },
	}
	if t, ok := c.toucher(); ok {
		extensions["a touch"] = func(r coatcheck.Record) error { return t.Touch(c.ctx, r) }
	}
	for what, extend := range extensions {
		for _, until := range []time.Time{never, soon(time.Hour)} {
			var r coatcheck.Record
			first := c.prolong(func(short coatcheck.Record) error {
				r = short
				if what == "an update" {
					r = next(short, "extended")
				}
				r.ExpiresAt = until
				return extend(clone(r))
			})
			c.outlive(first.ExpiresAt)
			c.wantListed("whose record was extended by "+what, x, r.Subject, r)
		}
	}
}
