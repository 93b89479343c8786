package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/coatcheck/coatcheck"
)

// timeout is a duration of the command line, which may be "never".
type timeout time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *timeout) UnmarshalText(text []byte) error {
	if string(text) == "never" {
		*t = timeout(coatcheck.Never)
		return nil
	}
	d, err := time.ParseDuration(string(text))
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is no duration: want one such as 90s, 30m or 12h, or never", text)
	}
	*t = timeout(d)
	return nil
}

// staleness is a duration of the command line. It is not 0, which the library
// takes for its default and a person means differently.
type staleness time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *staleness) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no duration: want one such as 200ms or 1s", text)
	}
	if d <= 0 {
		return fmt.Errorf("%q is too short: want a duration such as 200ms or 1s; %s", text, withoutNearCache)
	}
	*s = staleness(d)
	return nil
}

// entries is a number of sessions to hold in memory.
type entries int

// UnmarshalText implements encoding.TextUnmarshaler.
func (e *entries) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 0 {
		return fmt.Errorf("%q is no number of sessions: want one such as %d, or 0 to hold none in memory", text, coatcheck.DefaultMaxEntries)
	}
	*e = entries(n)
	return nil
}

const withoutNearCache = "to have every read ask the store, set --near-cache-entries to 0"

// inFlags names the settings in an error of the library as the flags are named.
func inFlags(err error) error {
	text := strings.NewReplacer(
		"IdleTimeout to Never", "--idle-timeout to never",
		"IdleTimeout", "--idle-timeout", "AbsoluteTimeout", "--absolute-timeout", "MaxValueBytes", "--max-value-bytes",
		"NearCache.MaxStaleness", "--max-staleness",
		fmt.Sprintf(", or 0 for %v; for no near cache set MaxEntries to -1", coatcheck.DefaultMaxStaleness), "; "+withoutNearCache,
	).Replace(strings.TrimPrefix(err.Error(), "coatcheck: "))
	return fmt.Errorf("%s", text)
}
