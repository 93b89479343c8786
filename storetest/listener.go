package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/coatcheck/coatcheck"
)

const (
	// watchInterval is how often the watches of the cases are to catch up.
	watchInterval = 10 * time.Millisecond

	// century tells a store that cannot miss a change from one that has caught
	// up with the present. A few days less, for clocks and leap years.
	century = 99 * 365 * 24 * time.Hour
)

// patience bounds how long a case waits for a watch to do something. The test
// of this package, whose stores do nothing at all, has less of it.
var patience = 20 * time.Second

// listener is a watch under way, and the sink that writes down what it hears.
type listener struct {
	c      *checker
	cancel context.CancelFunc
	ended  chan struct{} // closed when Watch has returned
	err    error         // what it returned
	news   chan struct{} // holds an element if something was heard since it was empty

	mu  sync.Mutex
	all []heard
}

// heard is a call of a sink: Changed if change has an ID, CaughtUp if asOf is a
// time, or else Lost.
type heard struct {
	change coatcheck.RecordChange
	asOf   time.Time
	at     time.Time
}

func (h heard) isLost() bool { return h.change.ID == "" && h.asOf.IsZero() }

func (l *listener) hear(calls ...heard) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range calls {
		h.at = time.Now()
		l.all = append(l.all, h)
	}
	select {
	case l.news <- struct{}{}:
	default:
	}
}

func (l *listener) Lost()                   { l.hear(heard{}) }
func (l *listener) CaughtUp(asOf time.Time) { l.hear(heard{asOf: asOf}) }
func (l *listener) Changed(changes ...coatcheck.RecordChange) {
	for _, change := range changes {
		l.hear(heard{change: change})
	}
}

// watcher ends the case if the store does not implement the capability.
func (c *checker) watcher() coatcheck.Watcher {
	w, ok := c.Store.(coatcheck.Watcher)
	if !ok {
		c.notApplicable("the store is no Watcher")
	}
	return w
}

// startWatch starts a watch, which the case must end.
func (c *checker) startWatch(ctx context.Context, w coatcheck.Watcher) *listener {
	ctx, cancel := context.WithCancel(ctx)
	l := &listener{c: c, cancel: cancel, ended: make(chan struct{}), news: make(chan struct{}, 1)}
	go func() {
		defer close(l.ended)
		defer func() {
			if p := recover(); p != nil {
				l.err = fmt.Errorf("panics: %v", p)
			}
		}()
		l.err = w.Watch(ctx, watchInterval, l)
	}()
	return l
}

// listen starts a watch and returns when it has caught up with the present.
func (c *checker) listen(w coatcheck.Watcher) *listener {
	l := c.startWatch(c.ctx, w)
	defer func() {
		if p := recover(); p != nil {
			l.end()
			panic(p)
		}
	}()
	l.catchUp()
	return l
}

// end ends the watch and returns what Watch returned.
func (l *listener) end() error {
	l.cancel()
	return l.result()
}

// result waits until Watch returns.
func (l *listener) result() error {
	select {
	case <-l.ended:
		return l.err
	case <-time.After(patience):
		l.c.broken("Watch has not returned after %v", patience)
		panic(endOfCase)
	}
}

// calls returns all that was heard since mark, a number of calls.
func (l *listener) calls(mark int) []heard {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all[mark:])
}

// mark is how many calls were heard so far.
func (l *listener) mark() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.all)
}

// find waits for a call, counted from mark on, that is what the case needs.
func (l *listener) find(what string, mark int, is func(heard) bool) int {
	timeout := time.After(patience)
	for {
		if i := slices.IndexFunc(l.calls(mark), is); i >= 0 {
			return mark + i
		}
		select {
		case <-l.news:
		case <-l.ended:
			if lacks(l.err) && l.mark() == 0 {
				l.c.notApplicable("the store does not watch")
			}
			l.c.broken("Watch has returned %s before %s", name(l.err), what)
			panic(endOfCase)
		case <-timeout:
			l.c.broken("%s is not heard within %v", what, patience)
			panic(endOfCase)
		}
	}
}

// synchronous says whether the store claims to see every change as it is made.
func (l *listener) synchronous() bool {
	return slices.ContainsFunc(l.calls(0), heard.isCentury)
}

func (h heard) isCentury() bool { return h.asOf.Sub(h.at) > century }

// catchUp waits until the watch has caught up with this moment.
func (l *listener) catchUp() {
	now := time.Now()
	l.find("CaughtUp with a moment at which the watch was under way", 0, func(h heard) bool { return h.asOf.After(now) })
}

// untilCaughtUp returns what was heard from mark on before the watch had caught
// up with a moment. A watch that always has must have said everything by now.
func (l *listener) untilCaughtUp(mark int, moment time.Time) []heard {
	if l.synchronous() {
		return l.calls(mark)
	}
	i := l.find("CaughtUp with a moment after a change", mark, func(h heard) bool { return h.asOf.After(moment) })
	return l.calls(mark)[:i-mark]
}

// reports returns the changes of a record among the calls.
func reports(calls []heard, id string) (all []coatcheck.RecordChange) {
	for _, h := range calls {
		if h.change.ID == id {
			all = append(all, h.change)
		}
	}
	return all
}

// tell says whether the calls tell who holds an earlier state of the record
// that it has reached rev, or is gone if that is 0.
func tell(calls []heard, id string, rev uint64) bool {
	return slices.ContainsFunc(calls, heard.isLost) ||
		slices.ContainsFunc(reports(calls, id), func(change coatcheck.RecordChange) bool {
			return change.Rev == 0 || change.Rev == rev
		})
}
