package nearcache

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/maypok86/otter/v2"
)

// Eviction says what makes room for a newcomer in a full cache.
type Eviction int

// The kinds of eviction.
const (
	TinyLFU Eviction = iota
	LRU
	KeepOldest
)

// engine is a bounded map, safe for concurrent use.
type engine[V any] interface {
	get(k key) *Entry[V]  // and note the use
	peek(k key) *Entry[V] // the same, unnoticed
	set(k key, e *Entry[V]) (taken bool)
	add(k key, e *Entry[V]) (taken bool) // set, for a key that never was in there
	drop(k key)
	len() int
	close() // ends its goroutines
}

func newEngine[V any](config Config, timeLeft func(*Entry[V]) time.Duration, evictions *event) engine[V] {
	switch config.Eviction {
	case LRU:
		cache, err := lru.New[key, *Entry[V]](config.MaxEntries)
		if err != nil {
			panic(err) // a size below 1
		}
		return &leastRecent[V]{cache: cache, evictions: evictions}
	case KeepOldest:
		return &keepOldest[V]{max: config.MaxEntries, otterEngine: otterEngine[V]{cache: otter.Must(&otter.Options[key, *Entry[V]]{
			// Entries that have expired are gone without anybody's doing, which here
			// is the only way in which a full cache gets room.
			ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[key, *Entry[V]]) time.Duration {
				return timeLeft(e.Value)
			}),
		})}}
	default:
		young := newNewborns[V](config.Newborns)
		return &otterEngine[V]{newborns: young, cache: otter.Must(&otter.Options[key, *Entry[V]]{
			MaximumSize: config.MaxEntries - young.cap(),
			OnAtomicDeletion: func(e otter.DeletionEvent[key, *Entry[V]]) {
				if e.WasEvicted() {
					evictions.add()
				}
			},
		})}
	}
}

// otterEngine is TinyLFU, or with no maximum a map.
type otterEngine[V any] struct {
	cache    *otter.Cache[key, *Entry[V]]
	newborns newborns[V]
}

func (o *otterEngine[V]) get(k key) *Entry[V] {
	if e, found := o.cache.GetIfPresent(k); found {
		return e
	}
	return o.newborns.get(k)
}

func (o *otterEngine[V]) peek(k key) *Entry[V] {
	if e, found := o.cache.GetEntryQuietly(k); found {
		return e.Value
	}
	return o.newborns.get(k)
}

func (o *otterEngine[V]) set(k key, e *Entry[V]) bool {
	o.newborns.drop(k)
	o.cache.Set(k, e)
	return true // though it may find later that there are better ones
}

func (o *otterEngine[V]) add(k key, e *Entry[V]) bool {
	if len(o.newborns) == 0 {
		return o.set(k, e)
	}
	o.newborns.add(k, e)
	return true
}

func (o *otterEngine[V]) drop(k key) {
	o.newborns.drop(k)
	o.cache.Invalidate(k)
}

func (o *otterEngine[V]) len() int { return o.cache.EstimatedSize() + o.newborns.len() }
func (o *otterEngine[V]) close()   { o.cache.StopAllGoroutines() }

// keepOldest is a map that takes no newcomer while it is full. It may exceed
// its size by as many as come at the same moment.
type keepOldest[V any] struct {
	otterEngine[V]
	max int
}

func (o *keepOldest[V]) set(k key, e *Entry[V]) bool {
	return (o.len() < o.max || o.peek(k) != nil) && o.otterEngine.set(k, e)
}

func (o *keepOldest[V]) add(k key, e *Entry[V]) bool { return o.set(k, e) }

type leastRecent[V any] struct {
	cache     *lru.Cache[key, *Entry[V]]
	evictions *event
}

func (l *leastRecent[V]) get(k key) *Entry[V] {
	e, _ := l.cache.Get(k)
	return e
}

func (l *leastRecent[V]) peek(k key) *Entry[V] {
	e, _ := l.cache.Peek(k)
	return e
}

func (l *leastRecent[V]) set(k key, e *Entry[V]) bool {
	if l.cache.Add(k, e) {
		l.evictions.add()
	}
	return true
}

func (l *leastRecent[V]) add(k key, e *Entry[V]) bool { return l.set(k, e) }

func (l *leastRecent[V]) drop(k key) { l.cache.Remove(k) }
func (l *leastRecent[V]) len() int   { return l.cache.Len() }
func (l *leastRecent[V]) close()     {}
