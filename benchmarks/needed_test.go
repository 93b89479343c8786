package benchmarks

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/redistest"
)

// BenchmarkNeeded compares with a bare client that does, besides its command, what the
// operation cannot do without: what it costs more than that is coatcheck's own.
//
//   - Get: the server is to report the next change of what it hands out; the token is
//     hashed and the value decoded.
//   - Generate: 40 random bytes, the hash and the encoded value.
//   - Change: the value decoded and encoded; the command is the very script of
//     redisstore, because no command of Redis compares and swaps.
func BenchmarkNeeded(b *testing.B) {
	ctx := context.Background()
	b.Run("Get", func(b *testing.B) {
		s, raw := openNeeded(b, withoutNearCache)
		tokens := s.fill(b, false)
		needed(b, raw.read, func(i int) error {
			_, err := s.manager.Get(ctx, tokens[i%sessions])
			return err
		})
	})
	b.Run("Generate", func(b *testing.B) {
		s, raw := openNeeded(b, withNearCache)
		needed(b, raw.create, func(int) error {
			_, err := s.manager.Generate(ctx, sample)
			return err
		})
	})
	b.Run("Change", func(b *testing.B) {
		s, raw := openNeeded(b, withNearCache)
		tokens := s.fill(b, true)
		needed(b, raw.change, func(i int) error {
			return s.manager.Change(ctx, tokens[i%sessions], func(s *session) error { s.Views++; return nil })
		})
	})
}

func needed(b *testing.B, rival, ours func(int) error) {
	contest{ours: spread(maxGoroutines, ours), rival: spread(maxGoroutines, rival)}.run(b, strconv.Itoa(maxGoroutines), "needed")
}

// neededRedis does what is needed, with the settings of redisstore's client.
type neededRedis struct {
	client  rueidis.Client
	script  *rueidis.Lua
	expiry  int64
	keys    []string
	records [][]byte // of the keys, as they are in Redis
	token   [44]byte // one is as good as another to be hashed
}

func openNeeded(b *testing.B, near coatcheck.NearCache) (*bench, *neededRedis) {
	server := redistest.Start(b)
	s := openRedisOn(b, server, near)
	client := openRawRedis(b, server, delayed, tracked)
	text, err := os.ReadFile("../redisstore/lua/update.lua")
	if err != nil {
		b.Fatal(err)
	}
	raw := &neededRedis{
		client: client, script: rueidis.NewLuaScript(string(text)),
		expiry: time.Now().Add(coatcheck.DefaultIdleTimeout).UnixMilli(),
	}
	record := s.raw.(*rawRedis).record
	for _, id := range randomIDs(sessions) {
		raw.keys = append(raw.keys, rawKey(id))
		raw.records = append(raw.records, []byte(record))
	}
	if err := spread(maxGoroutines, func(i int) error {
		return client.Do(context.Background(), client.B().Set().Key(raw.keys[i]).Value(record).Build()).Error()
	})(0, sessions); err != nil {
		b.Fatal(err)
	}
	return s, raw
}

// sampleBytes is how long the sample is as JSON: see TestSampleIs100Bytes.
const sampleBytes = 100

// Of a record these bytes say which it is and what revision; the value comes last.
const incarnationAt, revisionAt, revisionEnd = 1, 9, 17

func (n *neededRedis) read(i int) error {
	got, err := n.client.Do(context.Background(), n.client.B().Get().Key(n.keys[i%sessions]).Build()).AsBytes()
	if err != nil {
		return err
	}
	if sha256.Sum256(n.token[:]) == [32]byte{} {
		return errMissing
	}
	var value session
	return json.Unmarshal(got[len(got)-sampleBytes:], &value)
}

func (n *neededRedis) create(int) error {
	var random [40]byte
	rand.Read(random[:])
	id := base64.RawURLEncoding.EncodeToString(random[:16])
	hash := sha256.Sum256(n.token[:])
	value, err := json.Marshal(sample)
	if err != nil {
		return err
	}
	record := make([]byte, 0, len(n.records[0]))
	record = append(record, n.records[0][:len(n.records[0])-len(value)-len(hash)]...)
	record = append(append(record, hash[:]...), value...)
	set := n.client.B().Set().Key(rawKey(id)).Value(rueidis.BinaryString(record)).Nx().PxatMillisecondsTimestamp(n.expiry)
	return n.client.Do(context.Background(), set.Build()).Error()
}

func (n *neededRedis) change(i int) error {
	i %= sessions
	old := n.records[i]
	var value session
	if err := json.Unmarshal(old[len(old)-sampleBytes:], &value); err != nil {
		return err
	}
	value.Views++
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	record := append(make([]byte, 0, len(old)), old[:len(old)-len(data)]...)
	binary.BigEndian.PutUint64(record[revisionAt:], binary.BigEndian.Uint64(old[revisionAt:])+1)
	record = append(record, data...)
	written, err := n.script.Exec(context.Background(), n.client, []string{n.keys[i]}, []string{
		rueidis.BinaryString(old[incarnationAt:revisionEnd]), rueidis.BinaryString(record), strconv.FormatInt(n.expiry, 10), "",
	}).AsInt64()
	if err == nil && written != 1 {
		return errMissing
	}
	n.records[i] = record
	return err
}
