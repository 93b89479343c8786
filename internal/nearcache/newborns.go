package nearcache

import (
	"math/bits"
	"sync/atomic"
)

// newborns are the entries of records that were just created. No changes of them are
// reported, so that they are of use for MaxStaleness only, and most are never asked for.
// Therefore they are where they take nobody else's place, and where it costs next to
// nothing to keep them: in one of four slots each, until others come, or until they are
// read, which has the rest of the engine take them over.
//
// A key is among them or in the rest of the engine, never in both: when it was evicted
// from the one, readers would go back to what is in the other.
type newborns[V any] []nest[V]

// nest fills a cache line. Keys and entries are not written as one: so a key says where
// to look, and the entry itself what it is.
type nest[V any] struct {
	keys    [nestSlots]atomic.Uint64
	entries [nestSlots]atomic.Pointer[Entry[V]]
}

const nestSlots = 4

// newNewborns has room for n at most, and for a power of two: none if that is too few.
func newNewborns[V any](n int) newborns[V] {
	if n < nestSlots {
		return nil
	}
	return make(newborns[V], 1<<(bits.Len(uint(n/nestSlots))-1))
}

func (n newborns[V]) cap() int { return len(n) * nestSlots }

func (n newborns[V]) nest(k key) *nest[V] { return &n[uint64(k)&uint64(len(n)-1)] }

// get may return the entry of another ID, as all engines may.
func (n newborns[V]) get(k key) *Entry[V] {
	if len(n) == 0 {
		return nil
	}
	e, _ := n.nest(k).find(k)
	return e
}

func (s *nest[V]) find(k key) (e *Entry[V], slot int) {
	for i := range s.keys {
		if s.keys[i].Load() == uint64(k) {
			if e := s.entries[i].Load(); e != nil {
				return e, i
			}
		}
	}
	return nil, 0
}

// add puts the entry into a slot that is free, or else into any. Others may do so at the
// same time: then one of the two is not found.
func (n newborns[V]) add(k key, e *Entry[V]) {
	s := n.nest(k)
	slot := int(k >> 62)
	for i := range s.entries {
		if s.entries[i].Load() == nil {
			slot = i
			break
		}
	}
	s.entries[slot].Store(e)
	s.keys[slot].Store(uint64(k))
}

// drop removes the entry with this key, and no other that is put in its place meanwhile.
func (n newborns[V]) drop(k key) {
	if len(n) == 0 {
		return
	}
	s := n.nest(k)
	if e, slot := s.find(k); e != nil && e.key() == k {
		s.entries[slot].CompareAndSwap(e, nil)
	}
}

func (n newborns[V]) len() (count int) {
	for i := range n {
		for j := range n[i].entries {
			if n[i].entries[j].Load() != nil {
				count++
			}
		}
	}
	return count
}
