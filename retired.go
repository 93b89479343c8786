package coatcheck

import (
	"crypto/sha256"
	"crypto/subtle"
	"time"
)

// MaxRetired is how many secrets that were replaced a record remembers.
const MaxRetired = 4

// Retired is a secret that a renewal has replaced.
type Retired struct {
	// Hash is the first half of SHA-256 over the text of the token: 128 bits, as
	// many as the secret has.
	Hash [sha256.Size / 2]byte

	// At is when the secret was replaced.
	At time.Time

	// Until is when it ceases to be accepted: At itself, or later where parallel
	// requests may still carry it.
	Until time.Time
}

// retire moves the record's secret to the retired ones. With a grace of zero
// none of these is accepted any more.
func (r *Record) retire(at time.Time, grace time.Duration) {
	last := Retired{Hash: [sha256.Size / 2]byte(r.SecretHash[:]), At: at, Until: at.Add(grace)}
	kept := append(make([]Retired, 0, MaxRetired), last) // the slice may be shared
	for _, old := range r.Retired[:min(len(r.Retired), MaxRetired-1)] {
		if grace == 0 {
			old.Until = Earlier(old.Until, at)
		}
		kept = append(kept, old)
	}
	r.Retired = kept
}

// retiredBy returns what the record remembers of a secret, or nil. It takes the
// same time whichever it is.
func (r *Record) retiredBy(hash [sha256.Size]byte) (found *Retired) {
	for i := range r.Retired {
		if subtle.ConstantTimeCompare(hash[:len(r.Retired[i].Hash)], r.Retired[i].Hash[:]) == 1 {
			found = &r.Retired[i]
		}
	}
	return found
}

// accepts reports whether a retired secret of the record opens it still. None does
// that is as old as a renewal at once, which holds at once: whatever the clock of
// who made it says, it is not compared with this one's.
func (r *Record) accepts(old *Retired, at time.Time) bool {
	for i := range r.Retired {
		if !r.Retired[i].Until.After(r.Retired[i].At) {
			return false
		}
		if &r.Retired[i] == old {
			break
		}
	}
	return at.Before(old.Until)
}
