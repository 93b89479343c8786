package sqlstore

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/coatcheck/coatcheck"
)

// Defaults of [Config].
const (
	DefaultSweepInterval = time.Minute
	DefaultBusyTimeout   = 5 * time.Second
)

// checkpointPages is how many pages of 4 KiB the log takes before they are moved
// into the database: eight times SQLite's default. IDs are random, so that each
// change dirties another page, and the more changes one move serves, the fewer
// pages are written: creations are a fifth faster.
const checkpointPages = 8000

// Config configures a [Store]. The zero value is valid.
type Config struct {
	// SurvivePowerLoss has every commit wait until the disk has it (SQLite's
	// synchronous=FULL). By default (NORMAL) what was acknowledged survives a
	// crash of the process; a crash of the machine may lose the last moments,
	// but damages nothing.
	SurvivePowerLoss bool

	// SweepInterval is how often expired rows are deleted. They are absent to
	// callers at once. Default one minute.
	SweepInterval time.Duration

	// BusyTimeout is how long a change waits for another process that is
	// writing, before it fails with [coatcheck.ErrUnavailable]. Default 5
	// seconds.
	BusyTimeout time.Duration
}

func (c Config) withDefaults() (Config, error) {
	var faults []error
	for _, d := range []struct {
		name     string
		value    *time.Duration
		fallback time.Duration
	}{
		{"SweepInterval", &c.SweepInterval, DefaultSweepInterval},
		{"BusyTimeout", &c.BusyTimeout, DefaultBusyTimeout},
	} {
		if *d.value < 0 {
			faults = append(faults, fmt.Errorf("%s is %v: must be positive, or 0 for %v", d.name, *d.value, d.fallback))
		} else if *d.value == 0 {
			*d.value = d.fallback
		}
	}
	if len(faults) > 0 {
		return c, fmt.Errorf("sqlstore: configuration: %w:\n%w", coatcheck.ErrInvalid, errors.Join(faults...))
	}
	return c, nil
}

// dsn returns the name under which the driver opens the file.
func (c Config) dsn(path string, pragmas ...string) string {
	synchronous := "NORMAL"
	if c.SurvivePowerLoss {
		synchronous = "FULL"
	}
	pragmas = append(pragmas,
		fmt.Sprintf("busy_timeout(%d)", c.BusyTimeout.Milliseconds()),
		fmt.Sprintf("wal_autocheckpoint(%d)", checkpointPages),
		"synchronous("+synchronous+")",
	)
	escaped := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
	return "file:" + escaped + "?" + url.Values{"_pragma": pragmas}.Encode()
}
