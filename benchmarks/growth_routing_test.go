package benchmarks

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/benchmarks/growth"
	"github.com/coatcheck/coatcheck/internal/redistest"
	"github.com/coatcheck/coatcheck/redisstore"
)

// growRouting sends each request to any node, for a session that is any of some
// which all near caches have room for: what is missed was changed by another node
// in between.
func growRouting(t *testing.T, at sizes, f *growth.Figures) error {
	server := redistest.Start(t)
	var nodes []*coatcheck.Manager[int]
	for _, count := range at.nodes {
		for len(nodes) < count {
			nodes = append(nodes, openNode(t, server, redisstore.Tracking, nil))
		}
		for _, share := range []float64{0.01, 0.05, 0.2} {
			ratio, err := hitsAnywhere(t.Context(), nodes, share, at)
			if err != nil {
				return err
			}
			figures := growth.Routing{Nodes: count, ChangeShare: share, HitRatio: ratio}
			t.Logf("%+v", figures)
			f.Routing = append(f.Routing, figures)
		}
	}
	return nil
}

// hitsAnywhere counts the reads of the second half, when no node has in memory any
// more what it had only because all had read all in the beginning.
func hitsAnywhere(ctx context.Context, nodes []*coatcheck.Manager[int], changeShare float64, at sizes) (float64, error) {
	tokens := make([]coatcheck.Token, at.routed)
	for i := range tokens {
		var err error
		if tokens[i], err = nodes[0].Generate(ctx, 0); err != nil {
			return 0, err
		}
	}
	for _, node := range nodes {
		for _, token := range tokens {
			if _, err := node.Get(ctx, token); err != nil {
				return 0, err
			}
		}
	}
	random := rand.New(rand.NewPCG(1, 0))
	var hits, reads uint64
	for i := range 2 * at.requests {
		node, token := nodes[random.IntN(len(nodes))], tokens[random.IntN(len(tokens))]
		if random.Float64() < changeShare {
			if err := node.Change(ctx, token, func(n *int) error { *n++; return nil }); err != nil {
				return 0, err
			}
			continue
		}
		before := node.Stats().NearCache.Hits
		if _, err := node.Get(ctx, token); err != nil {
			return 0, err
		}
		if i >= at.requests {
			hits += node.Stats().NearCache.Hits - before
			reads++
		}
	}
	return float64(hits) / float64(reads), nil
}
