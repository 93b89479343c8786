package benchmarks

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/memstore"
)

// memoryLimit is with how many sessions a memory store is replaced by a new
// one. Else the longer a benchmark ran, the more memory it would take.
const memoryLimit = 200_000

func openMemory(b *testing.B, near coatcheck.NearCache) *bench {
	s := &bench{}
	var store *memstore.Store
	raw := &rawMemory{}
	s.raw = raw
	renew := func() (err error) {
		if store != nil {
			if err := errors.Join(s.manager.Close(), store.Close()); err != nil {
				return err
			}
		}
		if store, err = memstore.New(memstore.Config{}); err != nil {
			return err
		}
		raw.values = make(map[string][]byte)
		s.store = store
		s.manager, err = newManager(store, near)
		return err
	}
	if err := renew(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = errors.Join(s.manager.Close(), store.Close()) })
	s.between = func() error {
		if len(raw.values) < memoryLimit {
			return nil
		}
		return renew()
	}
	return s
}

// rawMemory is a map with a lock, the least that can share values between
// goroutines.
type rawMemory struct {
	mu     sync.Mutex
	values map[string][]byte
	ids    []string
}

func (r *rawMemory) fill() error {
	r.ids = randomIDs(sessions)
	for _, id := range r.ids {
		r.values[id] = sampleJSON()
	}
	return nil
}

func (r *rawMemory) create(goroutines int) workload {
	value := sampleJSON()
	return spread(goroutines, func(int) error {
		return r.set(randomID(), value)
	})
}

func (r *rawMemory) read(goroutines int) workload {
	return spread(goroutines, func(i int) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.values[r.ids[i%sessions]] == nil {
			return fmt.Errorf("no value %d", i%sessions)
		}
		return nil
	})
}

func (r *rawMemory) update(goroutines int) workload {
	value := sampleJSON()
	return spread(goroutines, func(i int) error {
		return r.set(r.ids[i%sessions], value)
	})
}

func (r *rawMemory) set(id string, value []byte) error {
	value = append([]byte(nil), value...) // the caller may change its own
	r.mu.Lock()
	defer r.mu.Unlock()
	r.values[id] = value
	return nil
}
