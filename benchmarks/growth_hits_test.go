package benchmarks

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/benchmarks/growth"
)

func growHits(t *testing.T, at sizes, f *growth.Figures) error {
	for _, trace := range []struct {
		zipf  float64
		scans bool
	}{{1.01, false}, {0.9, false}, {0.9, true}} {
		popularity := growth.NewZipf(trace.zipf, at.popular)
		for _, share := range []float64{0.01, 0.05, 0.1} {
			for _, e := range evictions {
				ratio, err := hitRatio(e.eviction, int(share*float64(at.popular)), popularity, at, trace.scans)
				if err != nil {
					return fmt.Errorf("%s: %w", e.name, err)
				}
				figures := growth.Hits{
					Eviction: e.name, Zipf: trace.zipf, Sessions: at.popular, CacheShare: share, Scans: trace.scans, HitRatio: ratio,
				}
				t.Logf("%+v", figures)
				f.Hits = append(f.Hits, figures)
			}
		}
	}
	return nil
}

// A trace has twenty stretches of requests. Where there are scans, each begins with
// one, which looks at so many sessions in a row as the near cache has room for.
const stretches = 20

// hitRatio is of the second half of a trace, and does not count what scans read.
func hitRatio(eviction coatcheck.Eviction, entries int, popularity *growth.Zipf, at sizes, scans bool) (float64, error) {
	manager, err := coatcheck.New(coatcheck.Config[numbers]{Store: inventor{}, NearCache: coatcheck.NearCache{
		MaxEntries: entries, MaxStaleness: time.Hour, Eviction: eviction,
	}})
	if err != nil {
		return 0, err
	}
	defer manager.Close()
	random := rand.New(rand.NewPCG(1, 0))
	row := random.Perm(at.popular) // that a scan comes to a session has nothing to do with how popular it is
	var hits, reads uint64
	for stretch := range stretches {
		if scans {
			for i := range entries {
				if cachedNumber(manager, inventedToken(row[(stretch*entries+i)%at.popular])) == noNumber {
					return 0, errMissing
				}
			}
		}
		before := manager.Stats().NearCache.Hits
		for range at.drawn / stretches {
			if cachedNumber(manager, inventedToken(popularity.Draw(random))) == noNumber {
				return 0, errMissing
			}
		}
		if stretch >= stretches/2 {
			hits += manager.Stats().NearCache.Hits - before
			reads += uint64(at.drawn / stretches)
		}
	}
	return float64(hits) / float64(reads), nil
}
