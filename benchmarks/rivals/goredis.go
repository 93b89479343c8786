package rivals

import (
	"runtime"

	"github.com/redis/go-redis/v9"
)

// newGoRedis opens a client with a connection for each of the clients at once, so
// that nobody waits for one. go-redis has 10 a processor if it is not told.
func newGoRedis(env Env) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr:     env.Redis,
		PoolSize: max(env.Parallel, 10*runtime.GOMAXPROCS(0)),
	})
}
