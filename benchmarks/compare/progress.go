package compare

import (
	"fmt"
	"time"
)

// step is a part of a run.
type step struct {
	name    string
	expects time.Duration // about how long it takes, beside the other steps
	run     func() error
}

// progress tells what is under way, and for how long it will be.
type progress struct {
	say func(line string)
	now func() time.Time
}

// through takes all steps. What has been done so far tells how much slower this
// machine is than expected.
func (p progress) through(steps []step) error {
	var expected, passed time.Duration
	for _, s := range steps {
		expected += s.expects
	}
	began := p.now()
	for i, s := range steps {
		elapsed := p.now().Sub(began)
		left := expected - passed
		if passed > 0 {
			left = time.Duration(float64(left) * float64(elapsed) / float64(passed))
		}
		p.say(fmt.Sprintf("[%d/%d] %v so far, about %v left: %s",
			i+1, len(steps), elapsed.Round(time.Second), left.Round(time.Second), s.name))
		if err := s.run(); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		passed += s.expects
	}
	p.say(fmt.Sprintf("done in %v", p.now().Sub(began).Round(time.Second)))
	return nil
}
