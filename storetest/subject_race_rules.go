package storetest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coatcheck/coatcheck"
)

func subjectMissesNoneMeanwhile(c *checker) {
	x := c.mustSubjectIndex()
	c.listBesideHeirs(x)
	c.listPagesBesideChanges(x)
}

// listBesideHeirs has many list a subject whose records come and go under the
// same few IDs. What finds a name in the index and no record behind it, and
// then strikes it out, must not strike out what has been created meanwhile.
func (c *checker) listBesideHeirs(x coatcheck.SubjectIndex) {
	const rounds, each = 60, 3
	subject := newSubject()
	c.together(func(int) {
		o := owner{c: c, index: x, subject: subject, living: make(map[string]coatcheck.Record), meanwhile: func() {}}
		var ids [each]string
		for i := range ids {
			ids[i] = newRecord().ID
		}
		for i := range rounds {
			id, way := ids[i%each], comings[i%len(comings)]
			if err := way.come(&o, id); err != nil {
				c.broken("a record that %s: unexpected error: %v", way.name, err)
				return
			}
			if !o.findsItsOwn("the last of them " + way.name) {
				return
			}
		}
	})()
}

// owner is one of those who work on the records of a subject. Its IDs are its
// own, so that it knows which of them must be listed, and how.
type owner struct {
	c       *checker
	index   coatcheck.SubjectIndex
	subject string
	living  map[string]coatcheck.Record

	meanwhile func() // called for each record that is listed
}

// comings are the ways in which a subject comes by a record under an ID that was
// another's, or its own before.
var comings = []struct {
	name string
	come func(o *owner, id string) error
}{
	{"was created after a deletion", func(o *owner, id string) error {
		r := o.heir(id)
		return errors.Join(o.c.Store.Delete(o.c.ctx, id), o.c.Store.Create(o.c.ctx, clone(r)))
	}},
	{"was created after another had expired", func(o *owner, id string) error {
		short := o.heir(id)
		short.ExpiresAt = soon(time.Millisecond)
		err := errors.Join(o.c.Store.Delete(o.c.ctx, id), o.c.Store.Create(o.c.ctx, clone(short)))
		if err != nil {
			return err
		}
		r := o.heir(id)
		for {
			late := !time.Now().Before(short.ExpiresAt)
			err = o.c.Store.Create(o.c.ctx, clone(r))
			if late || !errors.Is(err, coatcheck.ErrExists) {
				return err
			}
		}
	}},
	{"was anonymous at first", func(o *owner, id string) error {
		r := o.heir(id)
		r.Subject = ""
		err := errors.Join(o.c.Store.Delete(o.c.ctx, id), o.c.Store.Create(o.c.ctx, clone(r)))
		return errors.Join(err, o.update(r, o.subject))
	}},
	{"was another subject's meanwhile", func(o *owner, id string) error {
		err := o.update(o.living[id], newSubject())
		return errors.Join(err, o.update(o.living[id], o.subject))
	}},
}

// heir returns a record that is the owner's next under the ID.
func (o *owner) heir(id string) coatcheck.Record {
	r := newRecord()
	r.ID, r.Subject = id, o.subject
	o.living[id] = r
	return r
}

func (o *owner) update(r coatcheck.Record, subject string) error {
	r = next(r, fmt.Sprint("of ", subject))
	r.Subject = subject
	o.living[r.ID] = r
	return o.c.Store.Update(o.c.ctx, clone(r))
}

// findsItsOwn returns false, and notes a violation, if the listing lacks what
// the owner knows to be there.
func (o *owner) findsItsOwn(what string) bool {
	times := make(map[string]int)
	for got, err := range o.index.ListSubject(o.c.ctx, o.subject) {
		if err != nil {
			o.c.broken("ListSubject beside changes yields %s", name(err))
			return false
		}
		if got.Subject != o.subject {
			o.c.broken("ListSubject beside changes yields a record that is another subject's by now, %s", abridged([]byte(got.Subject)))
			return false
		}
		times[got.ID]++
		o.meanwhile()
		want, mine := o.living[got.ID]
		if !mine {
			continue
		}
		if all := differences(got, listed(want)); len(all) > 0 {
			o.c.broken("ListSubject beside changes: %s", strings.Join(all, "; "))
			return false
		}
	}
	for id := range o.living {
		if times[id] != 1 {
			o.c.broken("ListSubject beside changes yields a record %d times that has been there all the time, want once (of %d such records %s)", times[id], len(o.living), what)
			return false
		}
	}
	return true
}

// listPagesBesideChanges has other records of a subject come, go, and become
// another's between the pages of its listing.
func (c *checker) listPagesBesideChanges(x coatcheck.SubjectIndex) {
	const living, listings, guests = 450, 4, 40
	o, other := owner{c: c, index: x, subject: newSubject(), living: make(map[string]coatcheck.Record)}, newSubject()
	for range living {
		r := c.createFor(o.subject)
		o.living[r.ID] = r
	}
	var present []coatcheck.Record
	come := func() {
		for range guests {
			present = append(present, c.createFor(o.subject))
		}
	}
	come()
	yielded := 0
	o.meanwhile = func() {
		yielded++
		if len(present) == 0 { // fewer and fewer, for what comes may hide what goes
			come()
		}
		switch guest := present[0]; yielded % 20 {
		case 0:
			c.must("Delete during ListSubject", c.Store.Delete(c.ctx, guest.ID))
			present = present[1:]
		case 10:
			guest = next(guest, "another's")
			guest.Subject = other
			c.must("Update during ListSubject", c.Store.Update(c.ctx, guest))
			present = present[1:]
		}
	}
	for range listings {
		if !o.findsItsOwn("on several pages") {
			return
		}
	}
}
