package nearcache

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
)

// reader is a call of Load whose store answers when the test says so. It lives
// in a bubble.
type reader struct {
	asked  bool
	answer chan Outcome[int]
	cancel context.CancelFunc

	returned chan struct{} // closed at the end of the call
	entry    *Entry[int]
	cached   bool
	err      error
	panicked any
}

// load starts a reader and returns when it has asked the store, or waits.
func load(t *testing.T, c *Cache[int], id, secretText string) *reader {
	ctx, cancel := context.WithCancel(t.Context())
	r := &reader{answer: make(chan Outcome[int], 1), cancel: cancel, returned: make(chan struct{})}
	go func() {
		defer close(r.returned)
		defer func() { r.panicked = recover() }()
		r.entry, r.cached, r.err = c.Load(ctx, id, secretText, func(ctx context.Context) Outcome[int] {
			r.asked = true
			select {
			case o, ok := <-r.answer:
				if !ok {
					panic("the store broke")
				}
				return o
			case <-ctx.Done():
				return Outcome[int]{Err: ctx.Err()}
			}
		})
	}()
	t.Cleanup(func() { // bubbles end with their goroutines
		cancel()
		<-r.returned
	})
	synctest.Wait()
	return r
}

func (r *reader) hasReturned() bool {
	synctest.Wait()
	select {
	case <-r.returned:
		return true
	default:
		return false
	}
}

// wantJoined demands of a later reader that it asks the store, or does not.
func wantJoined(t *testing.T, later *reader, joined bool) {
	t.Helper()
	if later.asked == joined {
		t.Errorf("the later reader asked the store: %v, want %v", later.asked, !joined)
	}
}

func TestReadersAtTheSameTimeAskOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{})
		readers := []*reader{load(t, c, "id", ours)}
		for range 50 {
			readers = append(readers, load(t, c, "id", ours))
		}
		o := found(1)
		readers[0].answer <- o
		for i, r := range readers {
			<-r.returned
			if r.asked != (i == 0) || r.cached != (i == 0) || r.entry != o.Entry || r.err != nil {
				t.Errorf("reader %d: asked %v, cached %v, entry %p, error %v: want one read for all, and one who cached it",
					i, r.asked, r.cached, r.entry, r.err)
			}
		}
		wantServed(t, c, "id", true)
		wantNoTickets(t, c)
	})
}

func TestErrorsReachAllReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{})
		first, second := load(t, c, "id", ours), load(t, c, "id", ours)
		failed := errors.New("failed")
		first.answer <- Outcome[int]{Err: failed}
		for _, r := range []*reader{first, second} {
			<-r.returned
			if r.err != failed || r.entry != nil || r.cached {
				t.Errorf("%p, %v, %v: want the error alone", r.entry, r.cached, r.err)
			}
		}
		wantJoined(t, second, true)
		wantNoTickets(t, c)
	})
}

func TestJoiningEndsMaxStalenessAfterTheReadBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{})
		first := load(t, c, "id", ours)
		wait(staleness)
		wantJoined(t, load(t, c, "id", ours), true)
		wait(moment)
		late := load(t, c, "id", ours)
		wantJoined(t, late, false)
		// Whoever comes now has the newer read to join.
		wantJoined(t, load(t, c, "id", ours), true)
		late.answer <- found(2)
		first.answer <- found(1)
		<-late.returned
		<-first.returned
		wantCached(t, c, "id", 2)
	})
}

func TestReadersWithAnotherSecretDoNotJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{})
		first, other := load(t, c, "id", ours), load(t, c, "id", theirs)
		wantJoined(t, other, false)
		other.answer <- Outcome[int]{Known: true, Rev: 1, Err: errors.New("not yours")}
		first.answer <- found(1)
		<-first.returned
		if !first.cached || first.entry == nil || first.err != nil {
			t.Errorf("%v, %v: a wrong secret disturbed the right one", first.cached, first.err)
		}
	})
}

func TestReadersOfAnotherIDDoNotJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{})
		load(t, c, "id", ours)
		wantJoined(t, load(t, c, "other", ours), false)
	})
}

// TestReadersAfterAReportDoNotJoin: they must see the change, whichever it was.
func TestReadersAfterAReportDoNotJoin(t *testing.T) {
	for name, report := range map[string]func(*Cache[int]){
		"unknown revision": func(c *Cache[int]) { c.Changed("id", 0) },
		"some revision":    func(c *Cache[int]) { c.Changed("id", 1) },
		"a write here":     func(c *Cache[int]) { c.End(c.Begin("id"), found(2)) },
		"a failed write":   func(c *Cache[int]) { c.End(c.Begin("id"), gone()) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := open(t, Config{})
				load(t, c, "id", ours)
				wantJoined(t, load(t, c, "id", ours), true)
				report(c)
				wantJoined(t, load(t, c, "id", ours), false)
			})
		})
	}
}

func TestNobodyJoinsATicketThatIsNoLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{})
		c.Begin("id")
		wantJoined(t, load(t, c, "id", ours), false)
	})
}

func TestAWaitersContextEndsItsWaitOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{})
		first, second, third := load(t, c, "id", ours), load(t, c, "id", ours), load(t, c, "id", ours)
		second.cancel()
		<-second.returned
		if !errors.Is(second.err, context.Canceled) || second.entry != nil {
			t.Errorf("returned %v, want the context's error", second.err)
		}
		if first.hasReturned() || third.hasReturned() {
			t.Error("one waiter's context ended the wait of others")
		}
		first.answer <- found(1)
		<-third.returned
		if third.entry == nil || third.err != nil {
			t.Errorf("the other waiter got %v", third.err)
		}
		wantServed(t, c, "id", true)
	})
}

// TestAWaiterReadsForItself if the first reader's end is its own affair. Other
// waiters join that one.
func TestAWaiterReadsForItself(t *testing.T) {
	for name, end := range map[string]func(*reader){
		"context ended": func(r *reader) { r.cancel() },
		"read panicked": func(r *reader) { close(r.answer) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := open(t, Config{})
				first, second, third := load(t, c, "id", ours), load(t, c, "id", ours), load(t, c, "id", ours)
				end(first)
				<-first.returned
				if first.panicked == nil && !errors.Is(first.err, context.Canceled) {
					t.Errorf("the first reader's own end did not reach it, but %v", first.err)
				}
				if second.hasReturned() || third.hasReturned() || second.asked == third.asked {
					t.Fatalf("asked: %v, %v: want one of the two to ask, and the other to wait", second.asked, third.asked)
				}
				if third.asked {
					second, third = third, second
				}
				second.answer <- found(1)
				<-second.returned
				<-third.returned
				if !second.cached || second.entry == nil || third.entry != second.entry {
					t.Errorf("%v, %v: want the entry for both", second.err, third.err)
				}
				wantNoTickets(t, c)
			})
		})
	}
}

func TestAPanicReachesItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{})
		r := load(t, c, "id", ours)
		close(r.answer)
		<-r.returned
		if r.panicked != "the store broke" {
			t.Errorf("recovered %v, want what read panicked with", r.panicked)
		}
		wantNoTickets(t, c)
	})
}

// TestAReadThatEndsItsGoroutine ends as one that panics, as far as others are
// concerned.
func TestAReadThatEndsItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{})
		proceed := make(chan struct{})
		var first sync.WaitGroup
		first.Go(func() {
			_, _, _ = c.Load(t.Context(), "id", ours, func(context.Context) Outcome[int] {
				<-proceed
				runtime.Goexit()
				return Outcome[int]{}
			})
		})
		synctest.Wait()
		second := load(t, c, "id", ours)
		close(proceed)
		first.Wait()
		synctest.Wait()
		wantJoined(t, second, false)
	})
}

// TestAnAnswerCountsAlthoughTheContextEnded: only an error can be the reader's
// own.
func TestAnAnswerCountsAlthoughTheContextEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{})
		ctx, cancel := context.WithCancel(t.Context())
		proceed := make(chan struct{})
		var first sync.WaitGroup
		first.Go(func() {
			e, cached, err := c.Load(ctx, "id", ours, func(context.Context) Outcome[int] {
				<-proceed
				return found(1)
			})
			if e == nil || !cached || err != nil {
				t.Errorf("%v, %v: want what was read", cached, err)
			}
		})
		synctest.Wait()
		second := load(t, c, "id", ours)
		cancel()
		close(proceed)
		first.Wait()
		<-second.returned
		if second.asked || second.entry == nil {
			t.Errorf("asked %v, error %v: want the first reader's answer", second.asked, second.err)
		}
	})
}

func TestALoadThatWasOvertakenIsReturnedNotCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{})
		first, second := load(t, c, "id", ours), load(t, c, "id", ours)
		c.Changed("id", 2)
		o := found(1)
		first.answer <- o
		for _, r := range []*reader{first, second} {
			<-r.returned
			if r.entry != o.Entry || r.cached || r.err != nil {
				t.Errorf("cached %v, error %v: want the entry, not cached", r.cached, r.err)
			}
		}
		wantCached(t, c, "id", 0)
	})
}

// TestALoadIsAsOldAsWhenItBegan also for those who joined it.
func TestALoadIsAsOldAsWhenItBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{})
		first := load(t, c, "id", ours)
		wait(staleness / 2)
		second := load(t, c, "id", ours)
		first.answer <- found(1)
		<-first.returned
		<-second.returned
		wait(staleness / 2)
		wantServed(t, c, "id", true)
		wait(moment)
		wantServed(t, c, "id", false)
	})
}
