package compare

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"
)

// side is one subject in a tournament. Only play is measured.
type side struct {
	name     string
	ops      int     // of the next round
	unit     int     // ops is to be a multiple of it, such that a round takes its time; 0 if ops is to stay
	fastest  float64 // of the rounds so far: ns an operation; 0 before the first
	before   func() error
	play     func(ops int) error
	after    func() error
	commands func() (int64, error) // that its server has carried out; nil if it has none
}

// lap is what one operation took in one round of one side.
type lap struct{ ns, allocs, bytes, commands float64 }

// tournament has each side play a round, one after the other, again and again:
// whatever slows the machine down for longer than that slows all of them.
type tournament struct {
	sides     []*side
	rounds    int
	roundTime time.Duration
	now       func() time.Time
}

// play returns the laps by side and round. The order of the sides is another in each
// round: who comes next may be disturbed by what the last one has left to be done.
func (t *tournament) play() ([][]lap, error) {
	for _, s := range t.sides {
		if err := t.warmUp(s); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	laps := make([][]lap, len(t.sides))
	for round := range t.rounds {
		for _, at := range rand.New(rand.NewPCG(1, uint64(round))).Perm(len(t.sides)) {
			s := t.sides[at]
			l, err := t.lap(s)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			laps[at] = append(laps[at], l)
		}
	}
	return laps, nil
}

// warmUp has a side play until its rounds have their size: twice at least, for the
// first one may have to fill a cache.
func (t *tournament) warmUp(s *side) error {
	for again := true; ; again = false {
		ops := s.ops
		if _, err := t.lap(s); err != nil {
			return err
		}
		if !again && s.ops < 2*ops {
			return nil
		}
	}
}

// fit has the next round take its time, by the fastest so far: another may have
// been disturbed.
func (t *tournament) fit(s *side, last lap) {
	if s.fastest == 0 || last.ns < s.fastest {
		s.fastest = last.ns
	}
	if s.unit == 0 {
		return
	}
	enough := max(int(float64(t.roundTime)/max(s.fastest, 1))/s.unit, 1) * s.unit
	s.ops = min(enough, 100*s.ops) // what few of them took says little
}

// lap begins with a garbage collection, so that nobody pays for what the side
// before has left. All sides are open meanwhile: for what they hold to be as much
// again, and the next collection to begin, some rounds are too short.
func (t *tournament) lap(s *side) (lap, error) {
	if err := s.before(); err != nil {
		return lap{}, err
	}
	commands, err := s.count()
	if err != nil {
		return lap{}, err
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := t.now()
	if err := s.play(s.ops); err != nil {
		return lap{}, err
	}
	took := t.now().Sub(start)
	runtime.ReadMemStats(&after)
	total, err := s.count()
	if err != nil {
		return lap{}, err
	}
	each := func(n float64) float64 { return n / float64(s.ops) }
	l := lap{
		ns:       each(float64(took.Nanoseconds())),
		allocs:   each(float64(after.Mallocs - before.Mallocs)),
		bytes:    each(float64(after.TotalAlloc - before.TotalAlloc)),
		commands: each(float64(total - commands)),
	}
	t.fit(s, l)
	return l, s.after()
}

func (s *side) count() (int64, error) {
	if s.commands == nil {
		return 0, nil
	}
	return s.commands()
}
