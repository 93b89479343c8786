package redisstore_test

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/redistest"
	"github.com/coatcheck/coatcheck/redisstore"
)

// TestMessagesAChange counts the messages that one change costs, by the bytes
// that the server says it has sent: those of the answer to the writer, and for
// each message as many as its text has. With tracking exactly the other nodes
// that hold the session get one; with pub/sub each node does, the writer too.
func TestMessagesAChange(t *testing.T) {
	const changes = 100
	table := &strings.Builder{}
	rows := tabwriter.NewWriter(table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(rows, "invalidation\tnodes\tother holders\tmessages/change\toutput bytes/change\t")
	for _, kind := range kinds {
		server := redistest.Start(t)
		counters := newCounters(t, server)
		var nodes []*coatcheck.Manager[string]
		for _, count := range []int{1, 4, 16} {
			for len(nodes) < count {
				nodes = append(nodes, quietNode(t, server.URL(), kind, fmt.Sprintf("node-%02d", len(nodes))))
			}
			for _, holders := range holders(count) {
				got := bytesOfChanges(t, counters, nodes, holders, changes)
				each, want := messageBytes(kind), holders
				if kind == redisstore.PubSub {
					want = count
				}
				messages := float64(got-changes*answerBytes) / float64(each*changes)
				fmt.Fprintf(rows, "%v\t%d\t%d\t%.2f\t%.1f\t\n", kind, count, holders, messages, float64(got)/changes)
				if got != changes*(answerBytes+want*each) {
					t.Errorf("%v, %d nodes, %d other holders: %d bytes for %d changes, that is %.2f messages each; want %d",
						kind, count, holders, got, changes, messages, want)
				}
			}
		}
	}
	rows.Flush()
	t.Logf("\n%s", table)
}

// holders are the numbers of other holders to try: none, one and all.
func holders(nodes int) []int {
	if nodes == 1 {
		return []int{0}
	}
	return []int{0, 1, nodes - 1}
}

// bytesOfChanges returns what the server sends while the first node changes so
// many sessions once each, all of which so many other nodes hold.
func bytesOfChanges(t *testing.T, counters *counters, nodes []*coatcheck.Manager[string], holders, changes int) int {
	t.Helper()
	var tokens []coatcheck.Token
	for range changes {
		token, err := nodes[0].Generate(t.Context(), "hat")
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range nodes[1 : 1+holders] {
			get(t, m, token, "hat")
		}
		tokens = append(tokens, token)
	}
	change := func(token coatcheck.Token) {
		if err := nodes[0].Update(t.Context(), token, "coat"); err != nil {
			t.Fatal(err)
		}
	}
	// The first change ever also carries the script, and is left out.
	first, err := nodes[0].Generate(t.Context(), "hat")
	if err != nil {
		t.Fatal(err)
	}
	change(first)

	dropped := make([]uint64, len(nodes))
	for i, m := range nodes {
		dropped[i] = m.Stats().NearCache.Invalidations
	}
	counters.reset()
	for _, token := range tokens {
		change(token)
	}
	sent := counters.outputBytes()
	if calls := counters.commands()["evalsha"]; calls != changes {
		t.Errorf("%d changes took %d EVALSHA", changes, calls)
	}

	// Those who held the sessions, and they alone, have dropped them.
	for i, m := range nodes[1:] {
		want := uint64(0)
		if i < holders {
			want = uint64(changes)
		}
		eventually(t, "the holders drop what was changed", func() bool {
			return m.Stats().NearCache.Invalidations-dropped[1+i] == want
		})
	}
	return sent
}

// answerBytes is what the writer is told: ":1\r\n".
const answerBytes = 4

// messageBytes is the size of a message about a change to revision 2, in RESP3.
func messageBytes(kind redisstore.Invalidation) int {
	id := strings.Repeat("i", 22)
	if kind == redisstore.Tracking {
		return len(">2\r\n") + bulkBytes("invalidate") + len("*1\r\n") + bulkBytes("coat:"+id)
	}
	return len(">3\r\n") + bulkBytes("message") + bulkBytes("coat:changes") + bulkBytes("node-00/"+rand.Text()+",update,"+id+",2")
}

func bulkBytes(text string) int { return len(fmt.Sprintf("$%d\r\n%s\r\n", len(text), text)) }
