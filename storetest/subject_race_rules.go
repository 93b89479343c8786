package storetest

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
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
			if !o.replace(ids[i%each], heirs[i%len(heirs)]) {
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

// heir is a way in which a subject loses what it has under an ID, leaving perhaps
// a dead name in the index, and comes by a record under it again.
type heir struct {
	name       string
	lose, come func(o *owner, id string) error
}

var heirs = []heir{
	{"was created after a deletion",
		func(o *owner, id string) error { return o.c.Store.Delete(o.c.ctx, id) },
		func(o *owner, id string) error { return o.create(id, o.subject) }},
	{"was created after another had expired",
		func(o *owner, id string) error {
			short := newRecord()
			short.ID, short.Subject, short.ExpiresAt = id, o.subject, soon(time.Millisecond)
			err := errors.Join(o.c.Store.Delete(o.c.ctx, id), o.c.Store.Create(o.c.ctx, clone(short)))
			for err == nil && time.Now().Before(short.ExpiresAt) {
				err = o.c.ctx.Err()
			}
			return err
		},
		func(o *owner, id string) error { return o.create(id, o.subject) }},
	{"was anonymous at first",
		func(o *owner, id string) error { return o.c.Store.Delete(o.c.ctx, id) },
		func(o *owner, id string) error { return errors.Join(o.create(id, ""), o.give(id, o.subject)) }},
	{"was another subject's meanwhile",
		func(o *owner, id string) error { return o.give(id, newSubject()) },
		func(o *owner, id string) error { return o.give(id, o.subject) }},
}

// replace returns false, and notes a violation, if the listing lacks a record
// that came while another listing was under way.
func (o *owner) replace(id string, h heir) bool {
	err := h.lose(o, id)
	var listing sync.WaitGroup
	begun := make(chan struct{}) // else a busy machine runs one after the other
	listing.Go(func() {
		defer func() {
			if p := recover(); p != nil {
				o.c.broken("panics: %v", p)
			}
		}()
		close(begun)
		for range o.index.ListSubject(o.c.ctx, o.subject) {
		}
	})
	<-begun
	for range rand.N(2000) { // some way into the listing
		_ = o.c.ctx.Err()
	}
	err = errors.Join(err, h.come(o, id))
	listing.Wait()
	if err != nil {
		o.c.broken("a record that %s: unexpected error: %v", h.name, err)
		return false
	}
	return o.findsItsOwn("the last of them " + h.name)
}

func (o *owner) create(id, subject string) error {
	r := newRecord()
	r.ID, r.Subject = id, subject
	o.living[id] = r
	return o.c.Store.Create(o.c.ctx, clone(r))
}

func (o *owner) give(id, subject string) error {
	r := next(o.living[id], "of "+subject)
	r.Subject = subject
	o.living[id] = r
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
