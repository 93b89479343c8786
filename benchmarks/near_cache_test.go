package benchmarks

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/maypok86/otter/v2"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/memstore"
)

// BenchmarkCachedGet reads a session from the near cache, beside a bare lookup
// in the same cache library under the same key. Both are of pointers: what it
// costs to copy a value is the value's affair.
func BenchmarkCachedGet(b *testing.B) {
	cached(b, func(m *coatcheck.Manager[*session], tokens []coatcheck.Token) func(int) bool {
		ctx := context.Background()
		return func(i int) bool {
			value, err := m.Get(ctx, tokens[i%len(tokens)])
			return err == nil && value.Views == sample.Views
		}
	})
}

// BenchmarkCachedLookup is the same with what is known about the session.
func BenchmarkCachedLookup(b *testing.B) {
	cached(b, func(m *coatcheck.Manager[*session], tokens []coatcheck.Token) func(int) bool {
		ctx := context.Background()
		return func(i int) bool {
			value, info, err := m.Lookup(ctx, tokens[i%len(tokens)])
			return err == nil && value.Views == sample.Views && info.Rev == 1
		}
	})
}

// reader returns what reads the session of the token with a number.
type reader func(*coatcheck.Manager[*session], []coatcheck.Token) func(int) bool

func cached(b *testing.B, read reader) {
	for _, held := range []int{1, 100_000} {
		for _, goroutines := range []int{1, 2} {
			cachedContest(b, held, goroutines, read)
		}
	}
}

func cachedContest(b *testing.B, held, goroutines int, read reader) {
	store, err := memstore.New(memstore.Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	room := 2*held + 1000
	manager, err := coatcheck.New(coatcheck.Config[*session]{Store: store, NearCache: coatcheck.NearCache{MaxEntries: room}})
	if err != nil {
		b.Fatal(err)
	}
	defer manager.Close()
	// Made by another: what a manager has only created lives MaxStaleness.
	maker, err := coatcheck.New(coatcheck.Config[*session]{Store: store, NearCache: coatcheck.NearCache{MaxEntries: -1}})
	if err != nil {
		b.Fatal(err)
	}
	defer maker.Close()
	for manager.Stats().NearCache.MarkAge < 0 { // the watch begins by emptying the near cache
		runtime.Gosched()
	}
	bare := otter.Must(&otter.Options[string, *session]{MaximumSize: room})
	defer bare.StopAllGoroutines()
	ctx := context.Background()
	tokens := make([]coatcheck.Token, held)
	for i := range tokens {
		if tokens[i], err = maker.Generate(ctx, &sample); err != nil {
			b.Fatal(err)
		}
		if _, err := manager.Get(ctx, tokens[i]); err != nil {
			b.Fatal(err)
		}
		// Each in memory of its own, as is ours: what is shared is quicker to reach.
		value := sample
		bare.Set(strings.Clone(tokens[i].ID()), &value)
	}
	before := manager.Stats().NearCache
	contest{
		ours: parallel(goroutines, read(manager, tokens)),
		rival: parallel(goroutines, func(i int) bool {
			value, ok := bare.GetIfPresent(string(tokens[i%len(tokens)][:22]))
			return ok && value.Views == sample.Views
		}),
	}.run(b, name(held, goroutines), "otter")
	// The store would have answered, too: unnoticed, but for this.
	after := manager.Stats().NearCache
	if asked := after.Misses + after.Stale - before.Misses - before.Stale; asked > 0 || after.Entries != held {
		b.Fatalf("%d reads asked the store, and %d of %d sessions are held", asked, after.Entries, held)
	}
}

// parallel divides the operations among goroutines, each with a stretch of its
// own, at the least cost an operation. Of what does not divide the last one
// does the rest.
func parallel(goroutines int, do func(i int) bool) workload {
	return func(first, n int) error {
		var group sync.WaitGroup
		failed := make([]bool, goroutines)
		share := n / goroutines
		for g := range goroutines {
			end := first + (g+1)*share
			if g == goroutines-1 {
				end = first + n
			}
			group.Go(func() {
				for i := first + g*share; i < end; i++ {
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
