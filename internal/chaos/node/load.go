package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/chaos"
)

const (
	callTimeout = 2 * time.Second // of each operation

	// underWay is how many operations may be at a time: enough for all that a
	// goroutine begins while the server does not answer. If operations held up
	// those that come after them, what is cached would go unread just when it is
	// becoming stale.
	underWay = 2048

	// writesUnderWay is how many of them may be changes of one place: behind a
	// slow connection more would come than could ever be made.
	writesUnderWay = 4

	formerShare = 0.05 // of the operations go to sessions that have lost their place
	oldShare    = 0.1  // are made with a token that another has followed

	lateReaders = 0.15 // of the tokens that are replaced are read with for some time more
	lateLogouts = 0.03 // of them are used for a deletion soon after
	lateRenewal = 0.2  // of them are about to be renewed by a parallel request, too

	// A Zipf distribution of these parameters gives the first of 200 places an
	// eighth of the operations, and the last less than a thousandth.
	zipfS, zipfV = 1.1, 2
)

// load is the goroutines that use the sessions. Each begins an operation now
// and then, whether or not the one before has ended.
type load struct {
	config   chaos.NodeConfig
	manager  *coatcheck.Manager[chaos.Value]
	recorder *chaos.Recorder
	answer   func(chaos.Answer)
	sessions table
	ops      atomic.Uint64
	slots    chan struct{} // one for each operation under way
	writing  [chaos.Places]atomic.Int32
	stopping chan struct{}
	done     sync.WaitGroup

	mu     sync.Mutex
	counts chaos.Totals
}

func newLoad(config chaos.NodeConfig, manager *coatcheck.Manager[chaos.Value], recorder *chaos.Recorder, answer func(chaos.Answer)) *load {
	return &load{
		config: config, manager: manager, recorder: recorder, answer: answer,
		slots:    make(chan struct{}, underWay),
		stopping: make(chan struct{}),
		counts:   chaos.Totals{Outcomes: map[string]int{}, Errors: map[string]int{}},
	}
}

func (l *load) use(sessions []chaos.Session) {
	for _, s := range sessions {
		l.put(s)
	}
}

// put takes a session over, or a token of one. Now and then somebody goes on with
// the token before who has not heard: he reads until after its end, logs out, or
// renews it as well, for all that is in memory.
func (l *load) put(s chaos.Session) {
	old := l.sessions.put(s)
	if old.Token == "" {
		return
	}
	switch x := rand.Float64(); {
	case x < lateReaders:
		until := time.Now().Add(2 * (l.config.RenewGrace + l.config.MaxStaleness))
		l.done.Go(func() {
			for time.Now().Before(until) && l.pause(l.config.MaxStaleness) {
				l.operate(old, get)
			}
		})
	case x < lateReaders+lateLogouts:
		l.done.Go(func() {
			if l.pause(l.config.RenewGrace / 2) {
				l.operate(old, remove)
			}
		})
	case x < lateReaders+lateLogouts+lateRenewal:
		l.done.Go(func() { l.operate(old, renewIfDue) })
	}
}

// pause waits for a random time, and reports whether to go on.
func (l *load) pause(longest time.Duration) bool {
	select {
	case <-time.After(rand.N(longest + 1)):
		return true
	case <-l.stopping:
		return false
	}
}

func (l *load) start() {
	for i := range l.config.Goroutines {
		l.done.Go(func() { l.work(rand.New(rand.NewPCG(l.config.Seed, uint64(i)))) })
	}
}

// revoke ends all sessions of a subject, besides everything else.
func (l *load) revoke(r chaos.Revocation) {
	l.done.Go(func() {
		l.logOutEverywhere(r)
		l.answer(chaos.Answer{Revoked: &r.Subject})
	})
}

// stop waits until all operations have ended.
func (l *load) stop() {
	close(l.stopping)
	l.done.Wait()
}

func (l *load) totals() chaos.Totals { return l.counts }

func (l *load) work(random *rand.Rand) {
	places := rand.NewZipf(random, zipfS, zipfV, chaos.Places-1)
	for {
		s, kind := l.choose(random, places)
		if s.Token != "" {
			select {
			case l.slots <- struct{}{}:
			case <-l.stopping:
				return
			}
			l.done.Go(func() {
				defer func() { <-l.slots }()
				if kind == change || kind == update || kind == renew || kind == renewIfDue {
					defer l.writing[s.Place].Add(-1)
					if l.writing[s.Place].Add(1) > writesUnderWay {
						return
					}
				}
				l.operate(s, kind)
			})
		}
		if !l.pause(2 * l.config.Pace) {
			return
		}
	}
}

func (l *load) outcome(err error) chaos.Outcome {
	switch {
	case err == nil:
		return chaos.OK
	case errors.Is(err, coatcheck.ErrNotFound):
		return chaos.NotFound
	case errors.Is(err, coatcheck.ErrConflict):
		return chaos.Conflict
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		l.counts.Errors["deadline"]++
	case errors.Is(err, coatcheck.ErrUnavailable):
		l.counts.Errors["unavailable"]++
	default: // no fault of the network explains it
		l.counts.Errors["unexpected"]++
		if len(l.counts.Unexpected) < 5 {
			l.counts.Unexpected = append(l.counts.Unexpected, err.Error())
		}
	}
	return chaos.Failed
}

func (l *load) count(kind chaos.Kind, outcome chaos.Outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.Outcomes[fmt.Sprint(kind, " ", outcome)]++
}
