// Package storetest checks whether a coatcheck.Store keeps the contract that
// the manager relies on. An author of a store calls [Run] in a test:
//
//	func TestContract(t *testing.T) {
//		storetest.Run(t, func() (storetest.Target, error) {
//			store, err := mystore.Open(…) // empty, or with records of other names
//			return storetest.Target{Store: store, Close: store.Close}, err
//		})
//	}
//
// Each rule of the contract is a case of its own, whose failure prints the
// rule. Capabilities are checked where they are implemented and do not return an
// error that wraps errors.ErrUnsupported; those of a Watcher
// whose records others can change need a Target with Other. The backend's
// clock must agree with that of the test to the millisecond, as it does on one
// machine.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
)

// Target is a store under test and what can be done to it. Only Store is
// required.
type Target struct {
	Store coatcheck.Store

	// Restart ends the store as a crash of its process would, and returns a
	// store on the same data. Nil if the store claims no durability.
	Restart func() (coatcheck.Store, error)

	// Outage makes the backend unreachable until restore is called. Nil if the
	// store has no backend that could be.
	Outage func() (restore func() error, err error)

	// Other opens another store on the same records, as another process would.
	// The case closes it, if it can be closed. Nil if the records are in this
	// store alone.
	Other func() (coatcheck.Store, error)

	// Close releases the target at the end of a case.
	Close func() error
}

// Violation is a rule that a store broke.
type Violation struct {
	Rule string // name of the rule, such as "CreateNeverOverwrites"
	Text string // what the rule demands
	What string // what the store did
}

func (v Violation) String() string {
	return fmt.Sprintf("%s\nrule %s: %s", v.What, v.Rule, v.Text)
}

// ruleTimeout bounds one case, so that a store that hangs is reported.
const ruleTimeout = time.Minute

// Run checks every rule as a subtest of t, each on a target of its own from
// open.
func Run(t *testing.T, open func() (Target, error)) {
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			c := r.run(open)
			for _, v := range c.violations {
				t.Errorf("%v", v)
			}
			if c.reason != "" {
				t.Skip("not checked: " + c.reason)
			}
		})
	}
}

// Check checks every rule and returns all violations: [Run] for those who are
// not in a test.
func Check(open func() (Target, error)) []Violation { return check(rules, open) }

func check(rules []rule, open func() (Target, error)) []Violation {
	var all []Violation
	for _, r := range rules {
		all = append(all, r.run(open).violations...)
	}
	return all
}

// rule is a line of the contract and the function that looks for breaches.
type rule struct {
	name  string
	text  string
	check func(*checker)
}

func (r rule) run(open func() (Target, error)) (c *checker) {
	ctx, cancel := context.WithTimeout(context.Background(), ruleTimeout)
	defer cancel()
	c = &checker{ctx: ctx, rule: r}

	target, err := open()
	if err != nil {
		c.broken("cannot be opened: %v", err)
		return c
	}
	c.Target = target
	defer func() {
		if p := recover(); p != nil && p != any(endOfCase) {
			c.broken("panics: %v", p)
		}
		if target.Close != nil {
			if err := target.Close(); err != nil {
				c.broken("Close: %v", err)
			}
		}
	}()
	r.check(c)
	return c
}

var endOfCase = new(byte)

// checker is the state of one case.
type checker struct {
	Target
	ctx  context.Context
	rule rule

	reason string // why the rule does not apply to the store

	mu         sync.Mutex
	violations []Violation
}

// notApplicable ends the case.
func (c *checker) notApplicable(reason string) {
	c.reason = reason
	panic(endOfCase)
}

// broken notes a violation; the case goes on.
func (c *checker) broken(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.violations = append(c.violations, Violation{c.rule.name, c.rule.text, fmt.Sprintf(format, args...)})
}

// lacks reports whether err says that the store cannot do such a thing at all,
// though it has the method.
func lacks(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, coatcheck.ErrUnavailable)
}

// toucher returns false if the store cannot touch.
func (c *checker) toucher() (coatcheck.Toucher, bool) {
	t, ok := c.Store.(coatcheck.Toucher)
	return t, ok && !lacks(t.Touch(c.ctx, newRecord()))
}

// lister returns false if the store cannot list.
func (c *checker) lister() (coatcheck.Lister, bool) {
	l, ok := c.Store.(coatcheck.Lister)
	if ok {
		for _, err := range l.List(c.ctx) {
			return l, !lacks(err)
		}
	}
	return l, ok
}

// subjectIndex returns false if the store cannot list the records of a subject.
func (c *checker) subjectIndex() (coatcheck.SubjectIndex, bool) {
	x, ok := c.Store.(coatcheck.SubjectIndex)
	if ok {
		for _, err := range x.ListSubject(c.ctx, newSubject()) {
			return x, !lacks(err)
		}
	}
	return x, ok
}

// pinger returns false if the store cannot be pinged.
func (c *checker) pinger() (coatcheck.Pinger, bool) {
	p, ok := c.Store.(coatcheck.Pinger)
	return p, ok && !lacks(p.Ping(c.ctx))
}

// must ends the case if a step fails without which it makes no sense. It must
// be called from the goroutine of the case.
func (c *checker) must(what string, err error) {
	if err != nil {
		c.broken("%s: unexpected error: %v", what, err)
		panic(endOfCase)
	}
}

// want notes a violation unless err is target, or nil where target is nil.
func (c *checker) want(what string, err, target error) {
	if target == nil && err != nil || !errors.Is(err, target) {
		c.broken("%s returned %s, want %s", what, name(err), name(target))
	}
}

// wantRecord notes a violation unless the store holds exactly this record.
func (c *checker) wantRecord(what string, want coatcheck.Record) {
	got, err := c.Store.Load(c.ctx, want.ID)
	if err != nil {
		c.broken("%s: Load returned %s, want the record", what, name(err))
		return
	}
	for _, d := range differences(got, want) {
		c.broken("%s: %s", what, d)
	}
}

// wantGone notes a violation unless the store holds nothing under id.
func (c *checker) wantGone(what, id string) {
	_, err := c.Store.Load(c.ctx, id)
	c.want(what+": Load", err, coatcheck.ErrNotFound)
}

// create files a new record; edit, which may be nil, adjusts it before.
func (c *checker) create(edit func(*coatcheck.Record)) coatcheck.Record {
	r := newRecord()
	if edit != nil {
		edit(&r)
	}
	c.must("Create", c.Store.Create(c.ctx, clone(r)))
	return r
}

// writers is how many goroutines the cases about concurrency have.
const writers = 8

// together runs fn in as many goroutines, numbered from 0; wait returns when
// all have ended.
func (c *checker) together(fn func(writer int)) (wait func()) {
	var wg sync.WaitGroup
	for writer := range writers {
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					c.broken("panics: %v", p)
				}
			}()
			fn(writer)
		})
	}
	return wg.Wait
}

func name(err error) string {
	if err == nil {
		return "no error"
	}
	return fmt.Sprintf("%q", err)
}
