package memstore

import (
	"container/heap"
	"fmt"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/coatcheck/coatcheck"
)

const (
	// recordBytes is what a record takes besides what its slices and texts hold:
	// the struct, its ID, and its places in the maps and the heap, rounded up.
	recordBytes = 512

	retiredBytes = int64(unsafe.Sizeof(coatcheck.Retired{}))

	// sweepBatch is how many expired records are removed under one hold of the
	// lock.
	sweepBatch = 256
)

// item is a record, its place in the heap, notInHeap if it never expires, and
// its neighbours among those of its subject.
type item struct {
	coatcheck.Record
	place         int
	before, after *item
}

const notInHeap = -1

func size(r *coatcheck.Record) int64 {
	texts := len(r.Subject) + len(r.Client.Address) + len(r.Client.UserAgent)
	return recordBytes + int64(len(r.Value)) + int64(texts) + int64(len(r.Retired))*retiredBytes
}

// clone shares no memory with r, not even that of a longer text of which an ID
// or a subject is a part.
func clone(r coatcheck.Record) coatcheck.Record {
	r.ID, r.Subject = strings.Clone(r.ID), strings.Clone(r.Subject)
	r.Client = coatcheck.Client{Address: strings.Clone(r.Client.Address), UserAgent: strings.Clone(r.Client.UserAgent)}
	r.Value, r.Retired = slices.Clone(r.Value), slices.Clone(r.Retired)
	return r
}

// insert files a record. If an expired one has the ID, it is removed.
func (s *Store) insert(r coatcheck.Record) {
	if old := s.records[r.ID]; old != nil {
		s.remove(old)
		s.report(coatcheck.RecordChange{ID: old.ID, Expired: true})
	}
	it := &item{Record: r, place: notInHeap}
	s.records[r.ID] = it
	s.bytes += size(&r)
	s.subjects.add(it)
	s.reschedule(it)
}

func (s *Store) remove(it *item) {
	delete(s.records, it.ID)
	s.subjects.remove(it)
	s.bytes -= size(&it.Record)
	if it.place != notInHeap {
		heap.Remove(&s.expiry, it.place)
	}
}

// reschedule puts an item whose deadline is new or has changed where it
// belongs in the heap.
func (s *Store) reschedule(it *item) {
	switch expires, scheduled := !it.ExpiresAt.IsZero(), it.place != notInHeap; {
	case expires && scheduled:
		heap.Fix(&s.expiry, it.place)
	case expires:
		heap.Push(&s.expiry, it)
	case scheduled:
		heap.Remove(&s.expiry, it.place)
	}
}

// makeRoom removes expired records until so many more bytes fit.
func (s *Store) makeRoom(bytes int64, now time.Time) error {
	for s.bytes+bytes > s.maxBytes {
		if s.sweep(1, now) == 0 {
			return fmt.Errorf("%w: %w: %d of %d bytes in use", coatcheck.ErrUnavailable, ErrFull, s.bytes, s.maxBytes)
		}
	}
	return nil
}

// sweep removes up to limit expired records, which it reports, and returns how
// many they were.
func (s *Store) sweep(limit int, now time.Time) int {
	for n := range limit {
		if len(s.expiry) == 0 || !s.expiry[0].Expired(now) {
			return n
		}
		it := s.expiry[0]
		s.remove(it)
		s.report(coatcheck.RecordChange{ID: it.ID, Expired: true})
	}
	return limit
}

// sweepUntilClosed is the store's only goroutine: New starts it, Close ends it.
func (s *Store) sweepUntilClosed(interval time.Duration) {
	defer close(s.swept)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-ticker.C:
		}
		for more := true; more; {
			s.mu.Lock()
			more = s.sweep(sweepBatch, time.Now()) == sweepBatch
			s.mu.Unlock()
		}
	}
}

// expiryHeap orders items by deadline, the next to expire first.
type expiryHeap []*item

func (h expiryHeap) Len() int           { return len(h) }
func (h expiryHeap) Less(i, j int) bool { return h[i].ExpiresAt.Before(h[j].ExpiresAt) }

func (h expiryHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h *expiryHeap) Push(x any) {
	it := x.(*item)
	it.place = len(*h)
	*h = append(*h, it)
}

func (h *expiryHeap) Pop() any {
	last := len(*h) - 1
	it := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	it.place = notInHeap
	return it
}
