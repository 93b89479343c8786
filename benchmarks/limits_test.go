package benchmarks

import (
	"context"
	secrets "crypto/rand"
	"crypto/sha256"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/redistest"
)

// BenchmarkBytes has the operations on Redis move the same bytes as the raw client: what
// they cost beyond that is all coatcheck's, and none of it a codec's.
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
		besideRawWithServer(b, s.raw.(*rawRedis), func(i int) error {
			return manager.Change(ctx, tokens[i%sessions], func(value *[]byte) error { (*value)[0]++; return nil })
		})
	})
}

func besideRaw(b *testing.B, raw func(int) workload, ours func(int) error) {
	contest{ours: spread(maxGoroutines, ours), rival: raw(maxGoroutines)}.run(b, strconv.Itoa(maxGoroutines), "raw")
}

// besideRawWithServer also reports what a change costs the server.
func besideRawWithServer(b *testing.B, raw *rawRedis, ours func(int) error) {
	server := serverTime{client: raw.client}
	contest{
		ours: server.of(spread(maxGoroutines, ours)), rival: raw.update(maxGoroutines),
	}.runAs(b, strconv.Itoa(maxGoroutines), func(b *testing.B, r *result) {
		r.report(b, "raw")
		b.ReportMetric(server.each(), "server-ns/op")
		b.ReportMetric(float64(r.rival.Nanoseconds())/float64(r.ops)/server.each(), "x-raw-at-most")
	})
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

// leastScript does what an update cannot do without: it compares incarnation and revision,
// writes, and has the server report the next change.
var leastScript = rueidis.NewLuaScript(`
if redis.call('GETRANGE', KEYS[1], '0', '16') ~= ARGV[3] then
	return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PXAT', ARGV[2])
redis.call('STRLEN', KEYS[1])
return 1`)

// BenchmarkLimit is about what keeps an operation from the speed of the raw client,
// whoever makes it: a bare client, which sends commands together, does that and nothing
// else.
//
//   - Generate: a token is drawn and hashed, and the value encoded.
//   - Get: the server is to report the next change, the token is hashed, and the value
//     decoded.
//   - Change: the server runs a script, because no command compares and swaps. It takes
//     server-ns/op of its processor's time, so that a client that takes none reaches
//     x-raw-at-most.
func BenchmarkLimit(b *testing.B) {
	ctx := context.Background()
	b.Run("Generate", func(b *testing.B) {
		server, raw := openLimit(b)
		client := openRawRedis(b, server, delayed, tracked)
		head := raw.record[:len(raw.record)-sampleBytes-sha256.Size]
		expiry := time.Now().Add(coatcheck.DefaultIdleTimeout).UnixMilli()
		besideRaw(b, raw.create, func(int) error {
			token := secrets.Text()
			hash := sha256.Sum256([]byte(token))
			value, err := coatcheck.JSON[session]{}.Encode(sample)
			if err != nil {
				return err
			}
			record := head + string(hash[:]) + string(value)
			set := client.B().Set().Key(rawKey(token[:22])).Value(record).Nx().PxatMillisecondsTimestamp(expiry)
			return client.Do(ctx, set.Build()).Error()
		})
	})
	b.Run("Get", func(b *testing.B) {
		server, raw := openLimit(b)
		client := openRawRedis(b, server, delayed, tracked)
		besideRaw(b, raw.read, func(i int) error {
			key := raw.keys[i%sessions]
			got, err := client.Do(ctx, client.B().Get().Key(key).Build()).AsBytes()
			if err != nil {
				return err
			}
			if hash := sha256.Sum256([]byte(key)); hash == [sha256.Size]byte(got) {
				return errors.New("it was said to be another token's")
			}
			_, err = coatcheck.JSON[session]{}.Decode(got[len(got)-sampleBytes:])
			return err
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
		besideRawWithServer(b, raw, func(i int) error {
			written, err := leastScript.Exec(ctx, client, own.keys[i%sessions:][:1], []string{own.record, expiry, own.record[:17]}).AsBool()
			if err == nil && !written {
				err = errors.New("it has found another revision")
			}
			return err
		})
	})
}

// serverTime is the processor time that a server takes for a workload.
type serverTime struct {
	client rueidis.Client
	took   float64 // in seconds
	ops    int
}

func (s *serverTime) of(w workload) workload {
	return func(first, n int) error {
		before, err := s.total()
		if err != nil {
			return err
		}
		if err := w(first, n); err != nil {
			return err
		}
		after, err := s.total()
		s.took, s.ops = s.took+after-before, s.ops+n
		return err
	}
}

// each returns what one operation takes, in nanoseconds.
func (s *serverTime) each() float64 { return s.took / float64(s.ops) * 1e9 }

// total returns all that the server has taken since it was started, in seconds.
func (s *serverTime) total() (seconds float64, err error) {
	for _, field := range []string{"used_cpu_sys", "used_cpu_user"} {
		text, err := serverText(s.client, "cpu", field)
		if err != nil {
			return 0, err
		}
		part, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return 0, err
		}
		seconds += part
	}
	return seconds, nil
}

func openLimit(b *testing.B) (*redistest.Server, *rawRedis) {
	server := redistest.Start(b)
	raw := openRedisOn(b, server, withoutNearCache).raw.(*rawRedis)
	if err := raw.fill(); err != nil {
		b.Fatal(err)
	}
	return server, raw
}
