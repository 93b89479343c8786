// Command node is one process of a chaos run: it uses the sessions that it is
// told of, and records what it was answered.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/chaos"
	"github.com/coatcheck/coatcheck/redisstore"
)

const (
	storeTimeout   = time.Second            // of the store, for a server that does not answer
	connectTimeout = 15 * time.Second       // until the first connection stands, through all faults
	touchInterval  = 500 * time.Millisecond // far below the default, so that reads extend deadlines
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "node:", err)
		os.Exit(1)
	}
}

// run obeys until it is told to stop, or until whoever gives the orders is gone.
func run(orders io.Reader, answers io.Writer) error {
	in := json.NewDecoder(orders)
	var first chaos.Order
	if err := in.Decode(&first); err != nil {
		return fmt.Errorf("first order: %w", err)
	}
	if first.Config == nil {
		return errors.New("the first order is not a configuration")
	}
	config := *first.Config

	store, err := open(config)
	if err != nil {
		return err
	}
	defer store.Close()
	manager, err := coatcheck.New(coatcheck.Config[chaos.Value]{
		Store:         store,
		TouchInterval: touchInterval,
		NearCache:     coatcheck.NearCache{MaxStaleness: config.MaxStaleness},
		RenewEvery:    config.RenewEvery,
		RenewGrace:    config.RenewGrace,
		OnReuse:       coatcheck.ReportReuse, // old tokens are used on purpose
	})
	if err != nil {
		return err
	}
	defer manager.Close()
	recorder, err := chaos.NewRecorder(config.History)
	if err != nil {
		return err
	}

	var mu sync.Mutex
	var answering error // the first
	out := json.NewEncoder(answers)
	answer := func(a chaos.Answer) {
		mu.Lock()
		defer mu.Unlock()
		if err := out.Encode(a); err != nil && answering == nil {
			answering = fmt.Errorf("answer: %w", err)
		}
	}
	load := newLoad(config, manager, recorder, answer)
	load.start()
	err = obey(in, load)
	load.stop()
	if err = errors.Join(err, recorder.Close()); err != nil {
		return err
	}

	totals := load.totals()
	totals.CachedHits = cachedHits(manager.Stats())
	totals.Conflicts = manager.Stats().Conflicts
	answer(chaos.Answer{Totals: &totals})
	return answering
}

// cachedHits is how many reads did not ask the store.
func cachedHits(s coatcheck.Stats) uint64 { return s.NearCache.Hits }

func obey(in *json.Decoder, load *load) error {
	for {
		var order chaos.Order
		if err := in.Decode(&order); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("order: %w", err)
		}
		load.use(order.Sessions)
		if order.Revoke != nil {
			load.revoke(*order.Revoke)
		}
		if order.Stop {
			return nil
		}
	}
}

// open connects in spite of the faults that the connection meets.
func open(config chaos.NodeConfig) (*redisstore.Store, error) {
	kinds := map[string]redisstore.Invalidation{"tracking": redisstore.Tracking, "pubsub": redisstore.PubSub}
	kind, known := kinds[config.Invalidation]
	if !known {
		return nil, fmt.Errorf("unknown kind of invalidation %q", config.Invalidation)
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	for {
		store, err := redisstore.Open(ctx, config.URL, redisstore.Config{
			Timeout: storeTimeout, Invalidation: kind, NodeID: fmt.Sprintf("node-%d", config.Node),
		})
		if err == nil || ctx.Err() != nil {
			return store, err
		}
		time.Sleep(10 * time.Millisecond) // before another attempt
	}
}
