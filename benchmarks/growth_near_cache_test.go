package benchmarks

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/maypok86/otter/v2"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/benchmarks/growth"
)

// collections is of how many the median is taken.
const collections = 5

func growNearCache(t *testing.T, at sizes, f *growth.Figures) error {
	for _, sessions := range at.held {
		figures, err := nearCacheOf(sessions, at.rounds)
		if err != nil {
			return err
		}
		t.Logf("%+v", figures)
		f.NearCache = append(f.NearCache, figures)
	}
	return nil
}

func nearCacheOf(sessions, rounds int) (growth.NearCache, error) {
	h, err := holdAll(coatcheck.TinyLFU, sessions)
	if err != nil {
		return growth.NearCache{}, err
	}
	defer h.manager.Close()
	var took, paused []float64
	for range collections {
		c := collect()
		took, paused = append(took, c.took.Seconds()*1e3), append(paused, c.paused.Seconds()*1e6)
	}

	order := rand.New(rand.NewPCG(1, 0)).Perm(sessions)
	tokens := make([]coatcheck.Token, sessions) // side by side in memory, as read from requests that just came
	for i, number := range order {
		tokens[i] = inventedToken(number)
	}
	bare := otter.Must(&otter.Options[string, *numbers]{MaximumSize: sessions + 1000})
	defer bare.StopAllGoroutines()
	for number := range sessions {
		bare.Set(inventedToken(number).ID(), &numbers{A: int64(number)})
	}
	misses := h.manager.Stats().NearCache.Misses
	get, raw, _, err := sideBySide(contest{
		ours:  each(func(i int) bool { return cachedNumber(h.manager, tokens[i%sessions]) == int64(order[i%sessions]) }),
		rival: each(func(i int) bool { return bareNumber(bare, tokens[i%sessions]) == int64(order[i%sessions]) }),
	}, rounds)
	if err == nil && h.manager.Stats().NearCache.Misses != misses {
		err = errMissing
	}
	return growth.NearCache{
		Sessions: sessions, GetNanos: get, OtterNanos: raw,
		BytesASession: float64(h.bytes)/float64(sessions) - numbersBytes,
		GCMillis:      median(took), PauseMicros: median(paused),
	}, err
}

// each does the operations one after the other.
func each(do func(i int) bool) workload { return parallel(1, do) }

const noNumber = -1

func cachedNumber(m *coatcheck.Manager[numbers], token coatcheck.Token) int64 {
	value, err := m.Get(context.Background(), token)
	if err != nil {
		return noNumber
	}
	return value.A
}

func bareNumber(cache *otter.Cache[string, *numbers], token coatcheck.Token) int64 {
	value, ok := cache.GetIfPresent(string(token[:22]))
	if !ok {
		return noNumber
	}
	return value.A
}
