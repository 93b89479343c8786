package coatcheck

import "time"

// Defaults of [NearCache].
const (
	DefaultMaxEntries   = 100_000
	DefaultMaxStaleness = time.Second
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
	// MaxEntries bounds how many sessions are held. Default 100,000; negative
	// for no near cache.
	MaxEntries int

	// MaxStaleness bounds what a read may miss: a Get that starts so long after
	// a change has returned, anywhere, sees it. It is also how long cached
	// sessions outlive the connection to the store. Default one second; at least
	// 10 ms. Processes that share a store should agree on it.
	MaxStaleness time.Duration

	// ServeStaleFor lets Get and Lookup serve cached values for so long beyond
	// MaxStaleness while the store cannot be reached: they may then have been
	// changed, or their sessions ended, for as long. Default 0: reads fail with
	// [ErrUnavailable].
	ServeStaleFor time.Duration

	// Eviction says what makes room when the cache is full. Default [TinyLFU].
	Eviction Eviction

	// ClearSchedule empties the cache at the times that this cron text names:
	// minute, hour, day of month, month, day of week; a sixth field in front is
	// for seconds. In local time; "CRON_TZ=UTC 0 4 * * *" for another zone.
	// Default: never.
	ClearSchedule string

	// CheckSnapshots has each cached read compare the value with what was
	// stored, and fail with [ErrSnapshotChanged] if a caller of Get has changed
	// it. For tests and development: it costs an encoding a read.
	CheckSnapshots bool
}
