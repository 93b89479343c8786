package benchmarks

import (
	"context"
	"strings"
	"testing"

	"github.com/redis/rueidis"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/benchmarks/growth"
	"github.com/coatcheck/coatcheck/internal/redistest"
	"github.com/coatcheck/coatcheck/redisstore"
)

func growRecords(t *testing.T, at sizes, f *growth.Figures) error {
	for _, bytes := range at.recordValues {
		taken, err := recordBytes(t, bytes, at.records)
		if err != nil {
			return err
		}
		figures := growth.Records{ValueBytes: bytes, Bytes: taken}
		t.Logf("%+v", figures)
		f.Records = append(f.Records, figures)
	}
	return nil
}

func recordBytes(t *testing.T, bytes, sessions int) (float64, error) {
	server := redistest.Start(t)
	defer server.Kill()
	store, err := openRedisStore(server, redisstore.NoInvalidation)
	if err != nil {
		return 0, err
	}
	defer store.Close()
	client := server.Client()
	const quotes = 2 // of JSON
	grown, err := filed(store, sessions, strings.Repeat("a", bytes-quotes), false, func() (int64, error) { return settledBytes(client) })
	return float64(grown) / float64(sessions), err
}

// growTracking has one process after the other read all sessions, and keep none:
// what a server remembers does not depend on what is kept.
func growTracking(t *testing.T, at sizes, f *growth.Figures) error {
	server := redistest.Start(t, "--tracking-table-max-keys", "0")
	client := server.Client()
	maker, err := openRedisStore(server, redisstore.NoInvalidation)
	if err != nil {
		return err
	}
	defer maker.Close()
	manager, err := coatcheck.New(coatcheck.Config[string]{Store: maker, NearCache: withoutNearCache})
	if err != nil {
		return err
	}
	defer manager.Close()
	ids := make([]string, at.tracked)
	for i := range ids {
		token, err := manager.Generate(t.Context(), smallValue)
		if err != nil {
			return err
		}
		ids[i] = token.ID()
	}
	taken := int64(0)
	holders := 0
	for _, count := range at.holders {
		for ; holders < count; holders++ {
			more, err := oneMoreHolder(t, server, client, ids)
			if err != nil {
				return err
			}
			taken += more
		}
		figures := growth.Tracking{Holders: count, Bytes: float64(taken) / float64(len(ids))}
		t.Logf("%+v", figures)
		f.Tracking = append(f.Tracking, figures)
	}
	return nil
}

// oneMoreHolder returns what the server takes when one more process has read the
// sessions, and stays connected.
func oneMoreHolder(t *testing.T, server *redistest.Server, client rueidis.Client, ids []string) (int64, error) {
	store, err := openRedisStore(server, redisstore.Tracking)
	if err != nil {
		return 0, err
	}
	t.Cleanup(func() { _ = store.Close() })
	before, err := settledBytes(client)
	if err != nil {
		return 0, err
	}
	err = spread(maxGoroutines, func(i int) error {
		_, err := store.Load(context.Background(), ids[i])
		return err
	})(0, len(ids))
	if err != nil {
		return 0, err
	}
	after, err := settledBytes(client)
	return after - before, err
}
