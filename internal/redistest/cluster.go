package redistest

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

const slots = 16384 // of a Redis Cluster

// StartCluster runs a cluster of so many primaries until the end of the test
// and returns its nodes.
func StartCluster(t testing.TB, primaries int) []*Server {
	t.Helper()
	var nodes []*Server
	for i := range primaries {
		_, busPort, _ := net.SplitHostPort(freeAddr(t))
		node := Start(t, "--cluster-enabled", "yes", "--cluster-port", busPort)
		nodes = append(nodes, node)
		first, next := i*slots/primaries, (i+1)*slots/primaries
		node.do(fmt.Sprintf("CLUSTER ADDSLOTSRANGE %d %d", first, next-1))
		if i > 0 {
			_, port, _ := net.SplitHostPort(node.Addr)
			nodes[0].do(fmt.Sprintf("CLUSTER MEET 127.0.0.1 %s %s", port, busPort))
		}
	}
	deadline := time.Now().Add(startTimeout)
	for _, node := range nodes {
		for {
			info := node.do("CLUSTER INFO")
			if strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d", primaries)) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("redistest: the cluster does not form:\n%s", info)
			}
			time.Sleep(10 * time.Millisecond) // between two looks at the condition
		}
	}
	return nodes
}

// do sends one command to this node, whatever its part in a cluster.
func (s *Server) do(command string) string {
	s.t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{s.Addr}, DisableCache: true, ForceSingleClient: true})
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	answer, err := client.Do(s.t.Context(), client.B().Arbitrary(strings.Fields(command)...).Build()).ToString()
	if err != nil {
		s.t.Fatalf("redistest: %s: %v", command, err)
	}
	return answer
}
