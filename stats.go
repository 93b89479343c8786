package coatcheck

import "time"

// Stats are counters since the manager was made.
type Stats struct {
	// WrongSecrets counts tokens that named a living session but did not prove
	// it: a stale token, or somebody who guesses.
	WrongSecrets uint64 `json:"wrong_secrets"`

	// TokensReused counts tokens that a renewal had retired and that were used
	// too late for a request under way: see Config.RenewGrace.
	TokensReused uint64 `json:"tokens_reused"`

	// Conflicts counts changes that had to be tried again because somebody
	// else had changed the record meanwhile.
	Conflicts uint64 `json:"conflicts"`

	// DecodeFailures counts calls that met a stored value that does not fit T.
	DecodeFailures uint64 `json:"decode_failures"`

	// FailedTouches counts reads that could not extend the idle deadline.
	FailedTouches uint64 `json:"failed_touches"`

	// DroppedEvents counts events that OnEvent was too slow for.
	DroppedEvents uint64 `json:"dropped_events"`

	// NearCache is all zero without a near cache.
	NearCache NearCacheStats `json:"near_cache"`
}

// NearCacheStats are counters of the near cache, and its state.
type NearCacheStats struct {
	Hits          uint64 `json:"hits"`          // times that an entry was served, to reads and changes
	Misses        uint64 `json:"misses"`        // nothing there that this token may have
	Stale         uint64 `json:"stale"`         // there, but not known to be current
	ServedStale   uint64 `json:"served_stale"`  // reads that only ServeStaleFor made possible
	Invalidations uint64 `json:"invalidations"` // entries dropped because a change was reported
	Evictions     uint64 `json:"evictions"`     // entries dropped to make room; new ones that give way to newer ones do not count
	Overtaken     uint64 `json:"overtaken"`     // values not cached because they changed on their way
	Losses        uint64 `json:"losses"`        // times that the watch was broken, and began anew
	Entries       int    `json:"entries"`       // sessions held now, about

	// MarkAge is for how long the store has not said that all changes were
	// reported; beyond MaxStaleness nothing is served that was not read since.
	// Negative if it has said nothing since the last loss, zero if it cannot
	// miss any.
	MarkAge time.Duration `json:"mark_age_ns"`
}

// Stats returns the counters. Each is exact, but for Entries; together they are
// not one moment.
func (m *Manager[T]) Stats() Stats {
	s := Stats{
		WrongSecrets:   m.wrongSecrets.Load(),
		TokensReused:   m.reuses.Load(),
		Conflicts:      m.conflicts.Load(),
		DecodeFailures: m.decodeFailures.Load(),
		FailedTouches:  m.failedTouches.Load(),
		DroppedEvents:  m.droppedEvents.Load(),
	}
	if m.near != nil {
		s.NearCache = NearCacheStats(m.near.Stats())
	}
	return s
}
