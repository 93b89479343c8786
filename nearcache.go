package coatcheck

import (
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/coatcheck/coatcheck/internal/nearcache"
)

// Defaults of [NearCache].
const (
	DefaultMaxEntries   = 100_000
	DefaultMaxStaleness = time.Second

	// minMaxStaleness leaves the store time to say, a few times within the bound,
	// how far it has reported.
	minMaxStaleness = 10 * time.Millisecond

	// maxNewborns is more than a node creates while the next request of a new session
	// is on its way.
	maxNewborns = 4096
)

// Eviction says which entry makes room for another in a full near cache.
type Eviction int

const (
	// TinyLFU keeps what is used most often, also while many sessions are looked
	// at once: the default.
	TinyLFU Eviction = iota

	// LRU drops what has not been used for longest. Every read takes a lock.
	LRU

	// KeepOldest caches no newcomer until an entry expires, is changed elsewhere
	// or is cleared.
	KeepOldest
)

// NearCache configures the cache of decoded values in this process's memory.
// The zero value is a near cache with the defaults.
type NearCache struct {
	// MaxEntries is how many sessions are held at most (TinyLFU and KeepOldest
	// may exceed it for a moment). With TinyLFU up to a sixteenth, 4,096 at most,
	// is set aside for new ones that nobody has read, which give way to newer ones.
	// Default 100,000; negative for no near cache.
	MaxEntries int

	// MaxStaleness bounds what a read may miss: a Get that starts so long after
	// a change has returned, anywhere, sees it. It is also how long cached
	// sessions outlive the connection to the store. Default one second; at least
	// 10 ms. Processes that share a store should agree on it.
	MaxStaleness time.Duration

	// ServeStaleFor lets Get and Lookup serve cached values for so long beyond
	// MaxStaleness while the store cannot be reached: they may then have been
	// changed, or their sessions ended, for as long. Such a read has first waited
	// for the store to fail; if its context ends before that, it fails with the
	// context's error. Default 0: reads fail with [ErrUnavailable].
	ServeStaleFor time.Duration

	// Eviction says what makes room when the cache is full. Default [TinyLFU].
	Eviction Eviction

	// ClearSchedule empties the cache at the times that this cron text names:
	// minute, hour, day of month, month, day of week; a sixth field in front is
	// for seconds. In local time; "CRON_TZ=UTC 0 4 * * *" for another zone.
	// New refuses what it cannot parse, and a time that never comes. Default:
	// never.
	ClearSchedule string

	// CheckSnapshots has each cached read compare the value, a snapshot that its
	// readers share, with what was stored, and fail with [ErrSnapshotChanged] if a caller of Get has changed
	// it. For tests and development: it costs an encoding a read, and needs a
	// codec that encodes equal values alike, as JSON does.
	CheckSnapshots bool

	schedule schedule // of ClearSchedule
}

// fillIn sets the defaults and returns what is wrong.
func (n *NearCache) fillIn() (faults []error) {
	if n.MaxEntries == 0 {
		n.MaxEntries = DefaultMaxEntries
	}
	switch {
	case n.MaxStaleness == 0:
		n.MaxStaleness = DefaultMaxStaleness
	case n.MaxStaleness < minMaxStaleness:
		faults = append(faults, fmt.Errorf("NearCache.MaxStaleness is %v: must be at least %v, or 0 for %v; for no near cache set MaxEntries to -1",
			n.MaxStaleness, minMaxStaleness, DefaultMaxStaleness))
	}
	if n.ServeStaleFor < 0 {
		faults = append(faults, fmt.Errorf("NearCache.ServeStaleFor is %v: must not be negative", n.ServeStaleFor))
	}
	if n.Eviction < TinyLFU || n.Eviction > KeepOldest {
		faults = append(faults, fmt.Errorf("NearCache.Eviction is %d: want TinyLFU, LRU or KeepOldest", n.Eviction))
	}
	if n.ClearSchedule != "" {
		var err error
		if n.schedule, err = parseSchedule(n.ClearSchedule); err != nil {
			faults = append(faults, fmt.Errorf("NearCache.ClearSchedule: %w", err))
		}
	}
	return faults
}

// engine translates for package nearcache.
func (n *NearCache) engine() nearcache.Config {
	return nearcache.Config{
		MaxEntries:    n.MaxEntries,
		Newborns:      min(n.MaxEntries/16, maxNewborns),
		MaxStaleness:  n.MaxStaleness,
		ServeStaleFor: n.ServeStaleFor,
		Eviction:      nearcache.Eviction(n.Eviction),
	}
}

var cronText = cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

func parseSchedule(text string) (schedule, error) {
	const want = "want 5 fields (minute, hour, day of month, month, day of week) or 6 (seconds first), such as \"0 4 * * *\""
	// The parser panics on a zone with nothing behind it.
	if _, fields, _ := strings.Cut(text, " "); strings.Contains(text, "TZ=") && strings.TrimSpace(fields) == "" {
		return nil, fmt.Errorf("%q names a time zone and no times: %s", text, want)
	}
	// It takes a list of nothing for a field, and then searches five years of
	// seconds for a time that matches, which takes seconds.
	for field := range strings.FieldsSeq(text) {
		if strings.Trim(field, ",") == "" {
			return nil, fmt.Errorf("%q has the empty field %q: %s", text, field, want)
		}
	}
	s, err := cronText.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%q: %w: %s", text, err, want)
	}
	if s.Next(time.Now()).IsZero() {
		return nil, fmt.Errorf("%q names a time that never comes: %s", text, want)
	}
	return s, nil
}
