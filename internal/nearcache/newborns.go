package nearcache

import (
	"math/bits"
	"sync/atomic"
)

// newborns are the entries of records that were just created. No changes of them are
// reported, so that they are of use for MaxStaleness only, and most are never asked for.
// Therefore they are where they take nobody else's place, and where it costs next to
// nothing to keep them: each has one slot to be in, and stays until another comes.
//
// A key is in the slots or in the rest of the engine, never in both: when it was evicted
// from the one, readers would go back to what is in the other.
type newborns[V any] []atomic.Pointer[Entry[V]]

// newNewborns makes as many slots as there are powers of two for, n at most.
func newNewborns[V any](n int) newborns[V] {
	if n < 1 {
		return nil
	}
	return make(newborns[V], 1<<(bits.Len(uint(n))-1))
}

func (n newborns[V]) slot(k key) *atomic.Pointer[Entry[V]] { return &n[uint64(k)&uint64(len(n)-1)] }

// get may return the entry of another ID, as all engines may.
func (n newborns[V]) get(k key) *Entry[V] {
	if len(n) == 0 {
		return nil
	}
	return n.slot(k).Load()
}

// replace puts e in the place of the entry with this key, or does nothing if there is
// none, and reports which. Others may be putting theirs into the slot.
func (n newborns[V]) replace(k key, e *Entry[V]) bool {
	old := n.get(k)
	return old != nil && old.key() == k && n.slot(k).CompareAndSwap(old, e)
}

func (n newborns[V]) drop(k key) { n.replace(k, nil) }

func (n newborns[V]) len() (count int) {
	for i := range n {
		if n[i].Load() != nil {
			count++
		}
	}
	return count
}
