package benchmarks

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/maypok86/otter/v2"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/memstore"
)

// BenchmarkCachedGet reads a session from the near cache, beside a bare lookup
// of a pointer in the same cache library under the same key.
func BenchmarkCachedGet(b *testing.B) {
	for _, held := range []int{1, 100_000} {
		for _, goroutines := range []int{1, 2} {
			cachedGet(b, held, goroutines)
		}
	}
}

func cachedGet(b *testing.B, held, goroutines int) {
	store, err := memstore.New(memstore.Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	manager, err := coatcheck.New(coatcheck.Config[session]{Store: store, NearCache: coatcheck.NearCache{MaxEntries: 2*held + 1000}})
	if err != nil {
		b.Fatal(err)
	}
	defer manager.Close()
	bare := otter.Must(&otter.Options[string, *session]{MaximumSize: 2*held + 1000})
	ctx := context.Background()
	tokens := make([]coatcheck.Token, held)
	for i := range tokens {
		if tokens[i], err = manager.Generate(ctx, sample); err != nil {
			b.Fatal(err)
		}
		if _, err := manager.Get(ctx, tokens[i]); err != nil {
			b.Fatal(err)
		}
		bare.Set(tokens[i].ID(), &sample)
	}
	contest{
		ours: parallel(goroutines, func(i int) bool {
			value, err := manager.Get(ctx, tokens[i%held])
			return err == nil && value.Views == sample.Views
		}),
		rival: parallel(goroutines, func(i int) bool {
			value, ok := bare.GetIfPresent(string(tokens[i%held][:22]))
			return ok && value.Views == sample.Views
		}),
	}.run(b, name(held, goroutines), "otter")
}

// parallel divides the operations among goroutines, each with a stretch of its
// own, at the least cost an operation.
func parallel(goroutines int, do func(i int) bool) workload {
	return func(first, n int) error {
		var group sync.WaitGroup
		failed := make([]bool, goroutines)
		share := n / goroutines
		for g := range goroutines {
			group.Go(func() {
				for i := first + g*share; i < first+(g+1)*share; i++ {
					if !do(i) {
						failed[g] = true
						return
					}
				}
			})
		}
		group.Wait()
		for _, f := range failed {
			if f {
				return errMissing
			}
		}
		return nil
	}
}

var errMissing = errors.New("a value is missing or wrong")

func name(held, goroutines int) string {
	return fmt.Sprintf("held-%d/goroutines-%d", held, goroutines)
}
