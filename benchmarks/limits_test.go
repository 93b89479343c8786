package benchmarks

import (
	"context"
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/redistest"
)

// BenchmarkBytes has the operations on Redis move the same bytes as the raw client: what
// they cost beyond that is all coatcheck's, and none of it encoding/json's.
func BenchmarkBytes(b *testing.B) {
	ctx := context.Background()
	b.Run("Get", func(b *testing.B) {
		s, manager, tokens := openBytes(b, withoutNearCache)
		besideRaw(b, s.raw.read, func(i int) error {
			_, err := manager.Get(ctx, tokens[i%sessions])
			return err
		})
	})
	b.Run("Generate", func(b *testing.B) {
		s, manager, _ := openBytes(b, withNearCache)
		value := sampleJSON()
		besideRaw(b, s.raw.create, func(int) error {
			_, err := manager.Generate(ctx, value)
			return err
		})
	})
	b.Run("Change", func(b *testing.B) {
		s, manager, tokens := openBytes(b, withNearCache)
		besideRaw(b, s.raw.update, func(i int) error {
			return manager.Change(ctx, tokens[i%sessions], func(value *[]byte) error { (*value)[0]++; return nil })
		})
	})
}

func besideRaw(b *testing.B, raw func(int) workload, ours func(int) error) {
	contest{ours: spread(maxGoroutines, ours), rival: raw(maxGoroutines)}.run(b, strconv.Itoa(maxGoroutines), "raw")
}

func openBytes(b *testing.B, near coatcheck.NearCache) (*bench, *coatcheck.Manager[[]byte], []coatcheck.Token) {
	s := openRedis(b, near)
	if err := s.raw.fill(); err != nil {
		b.Fatal(err)
	}
	open := func(near coatcheck.NearCache) *coatcheck.Manager[[]byte] {
		m, err := coatcheck.New(coatcheck.Config[[]byte]{Store: s.store, NearCache: near, Codec: coatcheck.Bytes{}})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = m.Close() })
		return m
	}
	manager := open(near)
	return s, manager, fill(b, open(withoutNearCache), manager, sampleJSON(), near.MaxEntries >= 0)
}

// leastScript does what an update cannot do without: it reads what is there, writes, and
// has the server report the next change. It does not even compare.
var leastScript = rueidis.NewLuaScript(`
redis.call('GETRANGE', KEYS[1], '0', '73')
redis.call('SET', KEYS[1], ARGV[1], 'PXAT', ARGV[2])
redis.call('STRLEN', KEYS[1])
return 1`)

// BenchmarkLimit is about what keeps an operation from the speed of the raw client,
// whoever makes it: a bare client, with the settings of redisstore's, does that and
// nothing else.
//
//   - Get: encoding/json decodes the value.
//   - Change: the server runs a script, because no command compares and swaps.
func BenchmarkLimit(b *testing.B) {
	ctx := context.Background()
	b.Run("Get", func(b *testing.B) {
		server, raw := openLimit(b)
		client := openRawRedis(b, server, delayed)
		besideRaw(b, raw.read, func(i int) error {
			got, err := client.Do(ctx, client.B().Get().Key(raw.keys[i%sessions]).Build()).AsBytes()
			if err != nil {
				return err
			}
			var value session
			return json.Unmarshal(got[len(got)-sampleBytes:], &value)
		})
	})
	b.Run("Change", func(b *testing.B) {
		server, raw := openLimit(b)
		client := openRawRedis(b, server, delayed, tracked)
		own := rawRedis{client: client, record: raw.record} // for what one changes the other would be told of
		if err := own.fill(); err != nil {
			b.Fatal(err)
		}
		expiry := strconv.FormatInt(time.Now().Add(coatcheck.DefaultIdleTimeout).UnixMilli(), 10)
		besideRaw(b, raw.update, func(i int) error {
			return leastScript.Exec(ctx, client, own.keys[i%sessions:][:1], []string{own.record, expiry}).Error()
		})
	})
}

func openLimit(b *testing.B) (*redistest.Server, *rawRedis) {
	server := redistest.Start(b)
	raw := openRedisOn(b, server, withoutNearCache).raw.(*rawRedis)
	if err := raw.fill(); err != nil {
		b.Fatal(err)
	}
	return server, raw
}
