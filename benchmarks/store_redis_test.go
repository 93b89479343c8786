package benchmarks

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/redistest"
	"github.com/coatcheck/coatcheck/redisstore"
)

// openRedis has both sides use one server, which is idle for one while it works
// for the other.
func openRedis(b *testing.B, near coatcheck.NearCache) *bench {
	return openRedisOn(b, redistest.Start(b), near)
}

func openRedisOn(b *testing.B, server *redistest.Server, near coatcheck.NearCache) *bench {
	store, err := openRedisStore(server, redisstore.Tracking)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = store.Close() })
	manager, err := newManager(store, near)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = manager.Close() })
	client := openRawRedis(b, server)
	record, err := storedRecord(manager, client, sample)
	if err != nil {
		b.Fatal(err)
	}
	return &bench{store: store, manager: manager, raw: &rawRedis{client: client, record: record}}
}

func openRedisStore(server *redistest.Server, kind redisstore.Invalidation) (*redisstore.Store, error) {
	return redisstore.Open(context.Background(), server.URL(), redisstore.Config{Invalidation: kind, Logger: troubleLog()})
}

// troubleLog hears of nothing but trouble, for the log goes where the results go.
func troubleLog() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// openRawRedis opens a client that does as redisstore's: one connection, on
// which all is pipelined.
func openRawRedis(b testing.TB, server *redistest.Server, tune ...func(*rueidis.ClientOption)) rueidis.Client {
	option := rueidis.ClientOption{
		InitAddress:       []string{server.Addr},
		PipelineMultiplex: -1,
		AlwaysPipelining:  true,
		DisableCache:      true,
		DisableRetry:      true,
	}
	for _, t := range tune {
		t(&option)
	}
	client, err := rueidis.NewClient(option)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Close)
	return client
}

// delayed has a client wait for more to send together, as its documents suggest for many
// callers. The store has other means.
func delayed(o *rueidis.ClientOption) { o.MaxFlushDelay = 20 * time.Microsecond }

// tracked has the server report changes to the client, as it does to redisstore's.
func tracked(o *rueidis.ClientOption) {
	o.DisableCache = false // which is what turns it on
	o.ClientTrackingOptions = []string{"OPTOUT", "NOLOOP"}
	o.OnInvalidations = func([]rueidis.RedisMessage) {}
}

// storedRecord returns the bytes under which Redis has a session of this value.
func storedRecord(manager *coatcheck.Manager[session], client rueidis.Client, value session) (string, error) {
	ctx := context.Background()
	token, err := manager.Generate(ctx, value)
	if err != nil {
		return "", err
	}
	return client.Do(ctx, client.B().Get().Key(redisstore.DefaultPrefix+token.ID()).Build()).ToString()
}

// rawRedis makes one command of each operation.
type rawRedis struct {
	client rueidis.Client
	record string
	keys   []string
}

// rawKey returns a key of the length that redisstore's have.
func rawKey(id string) string {
	return strings.Repeat("r", len(redisstore.DefaultPrefix)) + id
}

func (r *rawRedis) fill() error { return r.fillWith(sessions) }

// fillWith makes so many keys, a multiple of maxGoroutines.
func (r *rawRedis) fillWith(keys int) error {
	r.keys = randomIDs(keys)
	for i, id := range r.keys {
		r.keys[i] = rawKey(id)
	}
	return r.update(maxGoroutines)(0, keys)
}

func (r *rawRedis) create(goroutines int) workload {
	expiry := time.Now().Add(coatcheck.DefaultIdleTimeout).UnixMilli()
	return spread(goroutines, func(int) error {
		set := r.client.B().Set().Key(rawKey(randomID())).Value(r.record).Nx().PxatMillisecondsTimestamp(expiry)
		return r.client.Do(context.Background(), set.Build()).Error()
	})
}

func (r *rawRedis) read(goroutines int) workload {
	return spread(goroutines, func(i int) error {
		_, err := r.client.Do(context.Background(), r.client.B().Get().Key(r.keys[i%len(r.keys)]).Build()).AsBytes()
		return err
	})
}

func (r *rawRedis) update(goroutines int) workload {
	return spread(goroutines, func(i int) error {
		set := r.client.B().Set().Key(r.keys[i%len(r.keys)]).Value(r.record)
		return r.client.Do(context.Background(), set.Build()).Error()
	})
}
