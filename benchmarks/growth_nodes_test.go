package benchmarks

import (
	"context"
	"net"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/benchmarks/growth"
	"github.com/coatcheck/coatcheck/internal/redistest"
	"github.com/coatcheck/coatcheck/redisstore"
)

var invalidations = []redisstore.Invalidation{redisstore.Tracking, redisstore.PubSub}

// quiet is how long nodes leave the server alone whose messages are counted: no
// rounds of the watch (each quarter of it), no pings.
const quiet = time.Hour

func growMessages(t *testing.T, at sizes, f *growth.Figures) error {
	for _, kind := range invalidations {
		server := redistest.Start(t)
		counter, err := rueidis.NewClient(rueidis.ClientOption{
			InitAddress: []string{server.Addr}, DisableCache: true, Dialer: net.Dialer{KeepAlive: quiet},
		})
		if err != nil {
			return err
		}
		t.Cleanup(counter.Close)
		var nodes []*coatcheck.Manager[int]
		for _, count := range at.nodes {
			for len(nodes) < count {
				node, err := quietNode(t, server, kind, len(nodes))
				if err != nil {
					return err
				}
				nodes = append(nodes, node)
			}
			for _, holders := range otherHolders(count) {
				figures := growth.Messages{Invalidation: kind.String(), Nodes: count, Holders: holders}
				figures.Bytes, figures.ServerNanos, err = costOfAChange(t.Context(), counter, nodes, holders, at.changes)
				if err != nil {
					return err
				}
				t.Logf("%+v", figures)
				f.Messages = append(f.Messages, figures)
			}
		}
	}
	return nil
}

// quietNode has a name as long as all others'.
func quietNode(t *testing.T, server *redistest.Server, kind redisstore.Invalidation, number int) (*coatcheck.Manager[int], error) {
	store, err := redisstore.Open(t.Context(), server.URL(), redisstore.Config{
		Invalidation: kind, NodeID: strconv.Itoa(100 + number), Logger: troubleLog(), Timeout: 6 * quiet, // it pings each sixth
	})
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = store.Close() })
	return watching(t, coatcheck.Config[int]{Store: store, NearCache: coatcheck.NearCache{MaxStaleness: quiet}}), nil
}

// otherHolders are none, one and all, each once.
func otherHolders(nodes int) []int {
	return slices.Compact([]int{0, min(1, nodes-1), nodes - 1})
}

// costOfAChange returns what the server sends when the first node changes a session
// that so many others hold, and the time of its processor that it takes.
func costOfAChange(ctx context.Context, counter rueidis.Client, nodes []*coatcheck.Manager[int], holders, changes int) (bytes, nanos float64, err error) {
	var tokens []coatcheck.Token
	for range changes + 1 {
		token, err := nodes[0].Generate(ctx, 0)
		if err != nil {
			return 0, 0, err
		}
		for _, node := range nodes[1 : 1+holders] {
			if _, err := node.Get(ctx, token); err != nil {
				return 0, 0, err
			}
		}
		tokens = append(tokens, token)
	}
	// The first change ever also carries the script, and is left out.
	if err := nodes[0].Update(ctx, tokens[changes], 1); err != nil {
		return 0, 0, err
	}
	before, err := serverSeconds(counter)
	if err != nil {
		return 0, 0, err
	}
	if err := counter.Do(ctx, counter.B().ConfigResetstat().Build()).Error(); err != nil {
		return 0, 0, err
	}
	for _, token := range tokens[:changes] {
		if err := nodes[0].Update(ctx, token, 1); err != nil {
			return 0, 0, err
		}
	}
	sent, err := serverNumber(counter, "stats", "total_net_output_bytes")
	if err != nil {
		return 0, 0, err
	}
	after, err := serverSeconds(counter)
	const resetReply = len("+OK\r\n") // sent after the reset
	of := float64(changes)
	return float64(sent-int64(resetReply)) / of, (after - before) * 1e9 / of, err
}

// growDelays has all other nodes hold the session that is changed.
func growDelays(t *testing.T, at sizes, f *growth.Figures) error {
	for _, kind := range invalidations {
		for _, nodes := range at.nodes {
			if nodes == 1 {
				continue // nobody to wait for
			}
			t.Run(kind.String()+" "+strconv.Itoa(nodes), func(t *testing.T) { // which closes the nodes
				figures, err := delayOf(t, kind, nodes, at.races)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%+v", figures)
				f.Delays = append(f.Delays, figures)
			})
		}
	}
	return nil
}

func delayOf(t *testing.T, kind redisstore.Invalidation, nodes, changes int) (growth.Delay, error) {
	server := redistest.Start(t)
	client := server.Client()
	r := openRace(t, server, kind, nodes-1)
	const others = 2 // connections: the race's bare client, and client
	clients, err := serverNumber(client, "clients", "connected_clients")
	if err != nil {
		return growth.Delay{}, err
	}
	for range changes {
		if err := r.run(); err != nil {
			return growth.Delay{}, err
		}
	}
	r.sort()
	return growth.Delay{
		Invalidation: kind.String(), Nodes: nodes,
		P50Micros: microseconds(quantileOf(r.gone, 0.5)), P99Micros: microseconds(quantileOf(r.gone, 0.99)),
		TripMicros: microseconds(quantileOf(r.trips, 0.5)), Connections: int(clients) - others,
	}, nil
}
