package redistest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// StartSentinel runs a Sentinel, until the end of the test, that watches a
// primary under a name, with a replica to put in its place. It returns when
// the Sentinel knows of the replica.
func StartSentinel(t testing.TB, name string, primary *Server) (sentinel, replica *Server) {
	t.Helper()
	primaryHost, primaryPort, _ := net.SplitHostPort(primary.Addr)
	replica = Start(t, "--replicaof", primaryHost, primaryPort, "--repl-diskless-sync-delay", "0")

	dir := t.TempDir()
	sentinel = start(t, dir, func(host, port string) []string {
		config := fmt.Sprintf("bind %s\nport %s\ndir %s\nsentinel monitor %s %s %s 1\n"+
			"sentinel down-after-milliseconds %[4]s 500\nsentinel failover-timeout %[4]s 3000\n",
			host, port, dir, name, primaryHost, primaryPort)
		file := filepath.Join(dir, "sentinel.conf")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{file, "--sentinel"}
	})
	_, replicaPort, _ := net.SplitHostPort(replica.Addr)
	deadline := time.Now().Add(startTimeout)
	for {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		if strings.Contains(string(log), "+slave slave "+primaryHost+":"+replicaPort) && replica.linked() {
			return sentinel, replica
		}
		if time.Now().After(deadline) {
			t.Fatalf("redistest: the Sentinel does not find the replica:\n%s", log)
		}
		time.Sleep(10 * time.Millisecond) // between two looks at the condition
	}
}

// linked reports whether a replica has caught up with its primary.
func (s *Server) linked() bool {
	return strings.Contains(s.do("INFO replication"), "master_link_status:up")
}

// WaitForReplica returns when a replica has what this primary has acknowledged.
func (s *Server) WaitForReplica() {
	s.t.Helper()
	// WAIT is about the writes of its own connection: this one is the last.
	client := s.Client()
	results := client.DoMulti(s.t.Context(),
		client.B().Set().Key("redistest:last").Value("").Build(),
		client.B().Wait().Numreplicas(1).Timeout(startTimeout.Milliseconds()).Build())
	if n, err := results[1].AsInt64(); err != nil || n < 1 {
		s.t.Fatalf("redistest: no replica has caught up (error %v)", err)
	}
}
