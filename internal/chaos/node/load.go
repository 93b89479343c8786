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
	sessions table
	ops      atomic.Uint64
	slots    chan struct{} // one for each operation under way
	writing  [chaos.Places]atomic.Int32
	stopping chan struct{}
	done     sync.WaitGroup

	mu     sync.Mutex
	counts chaos.Totals
}

func newLoad(config chaos.NodeConfig, manager *coatcheck.Manager[chaos.Value], recorder *chaos.Recorder) *load {
	return &load{
		config: config, manager: manager, recorder: recorder,
		slots:    make(chan struct{}, underWay),
		stopping: make(chan struct{}),
		counts:   chaos.Totals{Outcomes: map[string]int{}, Errors: map[string]int{}},
	}
}

func (l *load) use(sessions []chaos.Session) {
	for _, s := range sessions {
		l.sessions.put(session{number: s.Number, place: s.Place, token: coatcheck.Token(s.Token)})
	}
}

func (l *load) start() {
	for i := range l.config.Goroutines {
		l.done.Go(func() { l.work(rand.New(rand.NewPCG(l.config.Seed, uint64(i)))) })
	}
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
		if s.token != "" {
			select {
			case l.slots <- struct{}{}:
			case <-l.stopping:
				return
			}
			l.done.Go(func() {
				defer func() { <-l.slots }()
				if kind == chaos.Change || kind == chaos.Update {
					defer l.writing[s.place].Add(-1)
					if l.writing[s.place].Add(1) > writesUnderWay {
						return
					}
				}
				l.operate(s, kind)
			})
		}
		select {
		case <-time.After(time.Duration(random.Int64N(2*int64(l.config.Pace) + 1))):
		case <-l.stopping:
			return
		}
	}
}

// choose picks a session and what to do with it. Every other pair of places is
// hardly ever changed, so that what is cached has time to become stale; every
// other place never sees an Update, so that its counter counts its revisions.
func (l *load) choose(random *rand.Rand, places *rand.Zipf) (session, chaos.Kind) {
	place := int(places.Uint64())
	s := l.sessions.at(place)
	if random.Float64() < formerShare {
		s = l.sessions.anyFormer(random)
	}
	writes := 0.17
	if place%4 >= 2 {
		writes = 0.02
	}
	switch x := random.Float64(); {
	case x > writes+0.012:
		return s, chaos.Get
	case x > writes+0.002:
		return s, chaos.Refresh
	case x > writes:
		if random.Float64() < 0.8 { // most deletions spare what is used most
			s = l.sessions.at(random.IntN(chaos.Places))
		}
		return s, chaos.Delete
	case s.place%2 == 1 && random.IntN(2) == 0:
		return s, chaos.Update
	default:
		return s, chaos.Change
	}
}

// operate makes one call and records it.
func (l *load) operate(s session, kind chaos.Kind) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	r := chaos.Record{Session: s.number, Kind: kind, Node: l.config.Node}
	var info coatcheck.Info
	var value chaos.Value
	var err error
	if kind == chaos.Change || kind == chaos.Update {
		r.Op = uint64(l.config.Node)<<48 | l.ops.Add(1)
	}
	r.Start = chaos.Now()
	switch kind {
	case chaos.Get:
		value, info, err = l.lookup(ctx, s.token)
		r.Op = value.Op
	case chaos.Change:
		err = l.manager.Change(ctx, s.token, func(v *chaos.Value) error {
			v.N, v.Op = v.N+1, r.Op
			value = *v
			return nil
		}, coatcheck.WithInfo(&info))
	case chaos.Update:
		value = chaos.Value{N: uint32(r.Op), Op: r.Op}
		err = l.manager.Update(ctx, s.token, value, coatcheck.WithInfo(&info))
	case chaos.Refresh:
		err = l.manager.Refresh(ctx, s.token, coatcheck.WithInfo(&info))
	case chaos.Delete:
		err = l.manager.Delete(ctx, s.token)
	}
	r.End = chaos.Now()
	r.Rev, r.N = uint32(info.Rev), value.N
	r.Outcome = l.outcome(err)
	l.recorder.Add(r)
	l.count(kind, r.Outcome)
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
