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

// grace is a duration of the command line that is neither 0 nor endless.
type grace time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (g *grace) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is no duration to go by: want one such as 10s; a renewal without grace has none in any case", text)
	}
	*g = grace(d)
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

// managerFlags are those of all commands that have a manager.
type managerFlags struct {
	NearCacheEntries entries   `default:"100000" env:"COATCHECK_NEAR_CACHE_ENTRIES" placeholder:"N" help:"How many sessions to hold in memory, to be read without asking the store; 0 for none (default ${default})."`
	MaxStaleness     staleness `default:"1s" env:"COATCHECK_MAX_STALENESS" placeholder:"DURATION" help:"How long a read from memory may miss a change that was made elsewhere, at least 10ms; the same for all that share a store (default ${default})."`
	MaxValueBytes    int       `default:"65536" env:"COATCHECK_MAX_VALUE_BYTES" placeholder:"BYTES" help:"The largest value, as compact JSON (default ${default})."`
}

func (f *managerFlags) nearCache() coatcheck.NearCache {
	held := int(f.NearCacheEntries)
	if held == 0 {
		held = -1 // which the library takes for none
	}
	return coatcheck.NearCache{MaxEntries: held, MaxStaleness: time.Duration(f.MaxStaleness)}
}

const withoutNearCache = "to have every read ask the store, set --near-cache-entries to 0"

// inFlags names the settings in an error of the library as the flags are named.
func inFlags(err error) error {
	text := strings.NewReplacer(
		"IdleTimeout to Never", "--idle-timeout to never",
		"IdleTimeout", "--idle-timeout", "AbsoluteTimeout", "--absolute-timeout", "AnonymousTimeout", "--anonymous-timeout",
		"an idle timeout of ", "--idle-timeout ", "an absolute timeout of ", "--absolute-timeout ",
		coatcheck.Never.String(), "never",
		coatcheck.AAL1.String(), "--level aal1", coatcheck.AAL2.String(), "--level aal2", coatcheck.AAL3.String(), "--level aal3",
		fmt.Sprintf("24h0m0s, or 0 for %v", coatcheck.DefaultRenewGrace), "24h",
		"RenewGrace", "--renew-grace", "MaxSessions", "--max-sessions", "MaxValueBytes", "--max-value-bytes",
		"NearCache.MaxStaleness", "--max-staleness",
		fmt.Sprintf(", or 0 for %v; for no near cache set MaxEntries to -1", coatcheck.DefaultMaxStaleness), "; "+withoutNearCache,
		"in APIKeys and in AdminKeys", "in --api-key-file and in --admin-key-file",
		"\ninvalid argument: ", "\n",
	).Replace(strings.TrimPrefix(strings.TrimPrefix(err.Error(), "coatcheck: "), "server: "))
	return fmt.Errorf("%s", text)
}

// level is what --level names.
func (c *serveCommand) level() coatcheck.Level {
	return map[string]coatcheck.Level{"aal1": coatcheck.AAL1, "aal2": coatcheck.AAL2, "aal3": coatcheck.AAL3}[c.Level]
}

func (c *serveCommand) onReuse() coatcheck.ReusePolicy {
	if c.OnReuse == "report" {
		return coatcheck.ReportReuse
	}
	return coatcheck.RevokeSession
}

func (c *serveCommand) whenFull() coatcheck.FullPolicy {
	if c.WhenFull == "refuse-newest" {
		return coatcheck.RefuseNewest
	}
	return coatcheck.EndOldest
}
