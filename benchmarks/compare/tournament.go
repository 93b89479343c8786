package compare

import (
	"fmt"
	"runtime"
	"time"
)

// side is one subject in a tournament. Only play is measured.
type side struct {
	name     string
	unit     int // the operations of a round are a multiple of it
	ops      int // of a round; 0 for as many as take the time of one
	before   func() error
	play     func(ops int) error
	after    func() error
	commands func() (int64, error) // that its server has carried out; nil if it has none
}

// lap is one round of one side.
type lap struct {
	took                        time.Duration
	ns, allocs, bytes, commands float64 // of one operation
}

// tournament has each side play a round, one after the other, again and again:
// whatever slows the machine down for longer than that slows all of them.
type tournament struct {
	sides     []*side
	rounds    int
	roundTime time.Duration
	now       func() time.Time
}

// play returns the laps by side and round. In each round another side begins.
func (t *tournament) play() ([][]lap, error) {
	for _, s := range t.sides {
		if err := t.warmUp(s); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	laps := make([][]lap, len(t.sides))
	for round := range t.rounds {
		for i := range t.sides {
			at := (round + i) % len(t.sides)
			s := t.sides[at]
			l, err := t.lap(s, s.ops)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			laps[at] = append(laps[at], l)
		}
	}
	return laps, nil
}

// warmUp also finds how many operations make a round, where that is open.
func (t *tournament) warmUp(s *side) error {
	if s.ops > 0 {
		_, err := t.lap(s, s.ops)
		return err
	}
	for ops := s.unit; ; {
		l, err := t.lap(s, ops)
		if err != nil {
			return err
		}
		share := float64(t.roundTime) / float64(max(l.took, 1))
		enough := max(int(float64(ops)*share)/s.unit, 1) * s.unit
		if share <= 2 {
			s.ops = enough
			return nil
		}
		ops = min(enough, 100*ops) // what few of them take says little
	}
}

// lap begins with a garbage collection, so that nobody pays for what the side
// before has left.
func (t *tournament) lap(s *side, ops int) (lap, error) {
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
	if err := s.play(ops); err != nil {
		return lap{}, err
	}
	took := t.now().Sub(start)
	runtime.ReadMemStats(&after)
	total, err := s.count()
	if err != nil {
		return lap{}, err
	}
	each := func(n float64) float64 { return n / float64(ops) }
	return lap{
		took:     took,
		ns:       each(float64(took.Nanoseconds())),
		allocs:   each(float64(after.Mallocs - before.Mallocs)),
		bytes:    each(float64(after.TotalAlloc - before.TotalAlloc)),
		commands: each(float64(total - commands)),
	}, s.after()
}

func (s *side) count() (int64, error) {
	if s.commands == nil {
		return 0, nil
	}
	return s.commands()
}
