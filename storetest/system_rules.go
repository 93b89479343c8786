package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coatcheck/coatcheck"
)

func listYieldsEachLivingRecordOnce(c *checker) {
	l, ok := c.lister()
	if !ok {
		c.notApplicable("the store is no Lister")
	}
	const living, dead = 2500, 100
	want := make(map[string]coatcheck.Record)
	for range living {
		r := c.create(nil)
		want[r.ID] = r
	}
	gone := make(map[string]bool)
	for range dead {
		r := c.create(nil)
		c.must("Delete", c.Store.Delete(c.ctx, r.ID))
		gone[r.ID] = true
	}
	times := make(map[string]int)
	for got, err := range l.List(c.ctx) {
		c.must("List", err)
		times[got.ID]++
		if gone[got.ID] {
			c.broken("List yields a deleted record")
		}
		if r, ok := want[got.ID]; ok {
			for _, d := range differences(got, r) {
				c.broken("List: %s", d)
			}
		}
	}
	for id := range want {
		if times[id] != 1 {
			c.broken("List yields a living record %d times, want once", times[id])
			break
		}
	}
	seen := 0
	for _, err := range l.List(c.ctx) {
		c.must("List", err)
		if seen++; seen == 3 {
			break
		}
	}
	_, err := c.Store.Load(c.ctx, newRecord().ID)
	c.want("Load after List was left early", err, coatcheck.ErrNotFound)
}

func pingIsNilWhenWell(c *checker) {
	p, ok := c.pinger()
	if !ok {
		c.notApplicable("the store is no Pinger")
	}
	c.want("Ping", p.Ping(c.ctx), nil)
}

// call is one method of a store, applied to a record that lives.
type call struct {
	name string
	do   func(context.Context) error
}

// calls returns every method that the store implements.
func (c *checker) calls(living coatcheck.Record) []call {
	s := c.Store
	all := []call{
		{"Load", func(ctx context.Context) error { _, err := s.Load(ctx, living.ID); return err }},
		{"Create", func(ctx context.Context) error { return s.Create(ctx, newRecord()) }},
		{"Update", func(ctx context.Context) error { return s.Update(ctx, next(living, "changed")) }},
		{"Delete", func(ctx context.Context) error { return s.Delete(ctx, living.ID) }},
	}
	if t, ok := c.toucher(); ok {
		later := living
		later.ExpiresAt = living.AbsoluteDeadline
		all = append(all, call{"Touch", func(ctx context.Context) error { return t.Touch(ctx, later) }})
	}
	if l, ok := c.lister(); ok {
		all = append(all, call{"List", func(ctx context.Context) error { return c.failure("List", l.List(ctx)) }})
	}
	if x, ok := c.subjectIndex(); ok {
		all = append(all, call{"ListSubject", func(ctx context.Context) error {
			return c.failure("ListSubject", x.ListSubject(ctx, living.Subject))
		}})
	}
	if p, ok := c.pinger(); ok {
		all = append(all, call{"Ping", p.Ping})
	}
	return all
}

// failure returns the error with which a listing ends.
func (c *checker) failure(what string, listing iter.Seq2[coatcheck.Record, error]) (failure error) {
	for _, err := range listing {
		if failure != nil {
			c.broken("%s goes on after an error", what)
			break
		}
		failure = err
	}
	return failure
}

func endedContextReturns(c *checker) {
	r := c.create(nil)
	ended, cancel := context.WithCancel(c.ctx)
	cancel()
	for _, call := range c.calls(r) {
		c.want(call.name+" with a cancelled context", call.do(ended), context.Canceled)
		c.wantRecord("after "+call.name+" with a cancelled context", r)
	}
	created := newRecord()
	c.want("Create with a cancelled context", c.Store.Create(ended, created), context.Canceled)
	c.wantGone("after Create with a cancelled context", created.ID)
}

func cancelledChangeIsWholeOrNot(c *checker) {
	const size = 64 << 10
	value := func(rev uint64) []byte { return bytes.Repeat([]byte{byte(rev)}, size) }
	r := c.create(func(r *coatcheck.Record) { r.Value = value(1) })
	for range 200 {
		ctx, cancel := context.WithCancel(c.ctx)
		var wg sync.WaitGroup
		wg.Go(func() {
			for range rand.N(2000) { // some way into the change
				_ = ctx.Err()
			}
			cancel()
		})
		changed := r
		changed.Rev++
		changed.Value = value(changed.Rev)
		err := c.Store.Update(ctx, changed)
		wg.Wait()
		if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, coatcheck.ErrConflict) {
			c.want("Update that is cancelled under way", err, context.Canceled)
		}
		got, loadErr := c.Store.Load(c.ctx, r.ID)
		c.must("Load", loadErr)
		if err == nil && got.Rev < changed.Rev {
			c.broken("an acknowledged update is not there: revision %d, want %d", got.Rev, changed.Rev)
		}
		if !bytes.Equal(got.Value, value(got.Rev)) {
			c.broken("the value does not belong to revision %d", got.Rev)
		}
		r = got
	}
}

func errorsHoldNoData(c *checker) {
	secret := "a value that nobody else may see"
	r := c.create(func(r *coatcheck.Record) { r.Value = []byte(secret) })
	stale, gone := r, newRecord()
	stale.Rev, gone.Value = 5, r.Value
	ended, cancel := context.WithCancel(c.ctx)
	cancel()
	for what, err := range map[string]error{
		"Create of a taken ID":              c.Store.Create(c.ctx, clone(r)),
		"Update of a stale record":          c.Store.Update(c.ctx, clone(stale)),
		"Update of a missing record":        c.Store.Update(c.ctx, clone(gone)),
		"Update with a cancelled context":   c.Store.Update(ended, next(r, secret)),
		"Create with a cancelled context":   c.Store.Create(ended, clone(gone)),
		"Create with an impossible subject": c.Store.Create(c.ctx, tooLongSubject(r)),
		"ListSubject, cancelled":            c.listSubject(ended, r.Subject),
	} {
		if err == nil {
			continue // the rules about success are others
		}
		text := err.Error()
		if strings.Contains(text, secret) || shows(text, r.SecretHash[:]) || shows(text, gone.SecretHash[:]) {
			c.broken("%s returns an error that contains the value or the hash", what)
		}
		for _, old := range slices.Concat(r.Retired, gone.Retired) {
			if shows(text, old.Hash[:]) {
				c.broken("%s returns an error that contains the hash of a retired secret", what)
			}
		}
	}
}

func shows(text string, hash []byte) bool {
	return strings.Contains(text, string(hash)) || strings.Contains(text, fmt.Sprintf("%x", hash))
}

// listSubject returns the error with which the listing of a subject ends, if the
// store can make one.
func (c *checker) listSubject(ctx context.Context, subject string) error {
	x, ok := c.subjectIndex()
	if !ok {
		return nil
	}
	return c.failure("ListSubject", x.ListSubject(ctx, subject))
}

func tooLongSubject(r coatcheck.Record) coatcheck.Record {
	r.ID, r.Subject = newRecord().ID, strings.Repeat("s", coatcheck.MaxSubjectBytes+1)
	return r
}

func closedStoreSaysSo(c *checker) {
	closer, ok := c.Store.(io.Closer)
	if !ok {
		c.notApplicable("the store is no io.Closer")
	}
	r := c.create(nil)
	c.want("Close", closer.Close(), nil)
	c.want("Close again", closer.Close(), nil)
	for _, call := range c.calls(r) {
		c.want(call.name+" of a closed store", call.do(c.ctx), coatcheck.ErrClosed)
	}
}

func outageIsUnavailable(c *checker) {
	if c.Outage == nil {
		c.notApplicable("the target has no Outage")
	}
	r := c.create(nil)
	restore, err := c.Outage()
	c.must("Outage", err)
	for _, call := range c.calls(r) {
		err := call.do(c.ctx)
		c.want(call.name+" during an outage", err, coatcheck.ErrUnavailable)
		if errors.Is(err, coatcheck.ErrNotFound) {
			c.broken("%s during an outage reports a miss: %v", call.name, err)
		}
	}
	c.must("restoring the backend", restore())
	for c.ctx.Err() == nil {
		if _, err = c.Store.Load(c.ctx, r.ID); !errors.Is(err, coatcheck.ErrUnavailable) {
			break
		}
	}
	c.want("Load after the outage", err, nil)
}

func restartKeepsWhatWasAcknowledged(c *checker) {
	if c.Restart == nil {
		c.notApplicable("the target has no Restart")
	}
	created, updated, touched, deleted := c.create(nil), c.create(nil), c.create(nil), c.create(nil)
	moved := updated
	updated = next(updated, "updated")
	updated.Subject = created.Subject
	c.must("Update", c.Store.Update(c.ctx, clone(updated)))
	if t, ok := c.toucher(); ok {
		touched.ExpiresAt = touched.ExpiresAt.Add(30 * time.Minute)
		c.must("Touch", t.Touch(c.ctx, touched))
	}
	c.must("Delete", c.Store.Delete(c.ctx, deleted.ID))
	var many []coatcheck.Record
	for i := range 100 {
		many = append(many, c.create(func(r *coatcheck.Record) { r.Value = fmt.Append(nil, i) }))
	}

	store, err := c.Restart()
	c.must("Restart", err)
	c.Store = store
	c.wantRecord("created before the restart", created)
	c.wantRecord("updated before the restart", updated)
	c.wantRecord("touched before the restart", touched)
	c.wantGone("deleted before the restart", deleted.ID)
	for _, r := range many {
		c.wantRecord("created before the restart", r)
	}
	if x, ok := c.subjectIndex(); ok {
		c.wantListed("after a restart", x, created.Subject, created, updated)
		c.wantListed("after a restart", x, touched.Subject, touched)
		c.wantListed("from which a record was taken before the restart,", x, moved.Subject)
		c.wantListed("whose record was deleted before the restart,", x, deleted.Subject)
	}
}
