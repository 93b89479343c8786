package coatcheck

import (
	"fmt"
	"time"
)

// Level is an authenticator assurance level of NIST SP 800-63B-4, as far as it is
// about how long a session may last: longer timeouts, those of [WithIdleTimeout] and
// [WithAbsoluteTimeout] too, are refused with [ErrInvalid]. What it demands of the
// sign-in is not ours.
type Level int

const (
	AAL1 Level = iota + 1 // 30 days at most, section 2.1.3
	AAL2                  // 24 hours at most, 1 hour idle, section 2.2.3
	AAL3                  // 12 hours at most, 15 minutes idle, section 2.3.3
)

// String returns the name, such as AAL2.
func (l Level) String() string {
	if l == 0 {
		return "no level"
	}
	return fmt.Sprintf("AAL%d", int(l))
}

// timeouts are the longest that a level allows.
type timeouts struct {
	level          Level
	idle, absolute time.Duration
}

func (l Level) limits() (timeouts, error) {
	const day = 24 * time.Hour
	switch l {
	case 0:
		return timeouts{0, Never, Never}, nil
	case AAL1:
		return timeouts{l, Never, 30 * day}, nil
	case AAL2:
		return timeouts{l, time.Hour, day}, nil
	case AAL3:
		return timeouts{l, 15 * time.Minute, 12 * time.Hour}, nil
	default:
		return timeouts{}, fmt.Errorf("%w: Level is %d: want AAL1, AAL2 or AAL3, or 0 for none", ErrInvalid, int(l))
	}
}

// fillIn sets the timeouts that are not given, and returns what is wrong with
// those that are.
func (t timeouts) fillIn(idle, absolute *time.Duration) []error {
	if *absolute == 0 {
		*absolute = t.absolute
	}
	if *idle == 0 && t.idle != Never { // else the default will do
		*idle = t.idle
		if *absolute > 0 { // else it is at fault
			*idle = min(t.idle, *absolute)
		}
	}
	return t.check(*idle, *absolute)
}

// check returns what is too long. Zero is none of them.
func (t timeouts) check(idle, absolute time.Duration) (faults []error) {
	if idle > t.idle {
		faults = append(faults, fmt.Errorf("%w: an idle timeout of %v is too long for %v, which allows %v", ErrInvalid, idle, t.level, t.idle))
	}
	if absolute > t.absolute {
		faults = append(faults, fmt.Errorf("%w: an absolute timeout of %v is too long for %v, which allows %v", ErrInvalid, absolute, t.level, t.absolute))
	}
	return faults
}
