package redisstore_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/redistest"
	"github.com/coatcheck/coatcheck/redisstore"
)

// TestWriteThenReadTakesOneCommand has a node write and then read what it wrote,
// 1,000 times, and counts what the server has done: the reads cost nothing.
//
// INFO commandstats also counts the commands of scripts. That leaves no doubt:
// update.lua makes one GETRANGE and one SET, and either a STRLEN or a PUBLISH, so
// that any more would have come from the client. A command that
// fails counts, too. How often the server has read from a socket tells what was
// sent together.
func TestWriteThenReadTakesOneCommand(t *testing.T) {
	const pairs = 1000
	table := &strings.Builder{}
	rows := tabwriter.NewWriter(table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(rows, "invalidation\tpair\tround trips\tcommands, of the client and of scripts")
	for _, kind := range kinds {
		server := redistest.Start(t)
		counters := newCounters(t, server)
		m := quietNode(t, server.URL(), kind, "node")
		token, err := m.Generate(t.Context(), "hat 0")
		if err == nil {
			err = m.Update(t.Context(), token, "hat 1") // the first one carries the script
		}
		if err != nil {
			t.Fatal(err)
		}

		script := map[string]int{"evalsha": pairs, "set": pairs, "getrange": pairs, "strlen": pairs}
		creation := map[string]int{"set": pairs}
		if kind == redisstore.PubSub {
			script = map[string]int{"evalsha": pairs, "set": pairs, "getrange": pairs, "publish": pairs}
		}
		for _, c := range []struct {
			name  string
			write func(value string) (coatcheck.Token, error)
			want  map[string]int
		}{
			{"Update, Get", func(value string) (coatcheck.Token, error) {
				return token, m.Update(t.Context(), token, value)
			}, script},
			{"Change, Get", func(value string) (coatcheck.Token, error) {
				return token, m.Change(t.Context(), token, func(v *string) error { *v = value; return nil })
			}, script},
			{"Generate, Get", func(value string) (coatcheck.Token, error) {
				return m.Generate(t.Context(), value)
			}, creation},
		} {
			counters.reset()
			for i := range pairs {
				value := fmt.Sprint("coat ", i)
				written, err := c.write(value)
				if err != nil {
					t.Fatal(err)
				}
				get(t, m, written, value)
			}
			// The read that brings the question itself counts.
			trips := counters.number("total_reads_processed") - 1
			calls := counters.commands()
			fmt.Fprintf(rows, "%v\t%s\t%d\t%v\n", kind, c.name, trips, calls)
			if trips != pairs {
				t.Errorf("%v: %d pairs of %s took %d round trips", kind, pairs, c.name, trips)
			}
			if !maps.Equal(calls, c.want) {
				t.Errorf("%v: %d pairs of %s took the commands %v, want %v", kind, pairs, c.name, calls, c.want)
			}
		}
	}
	rows.Flush()
	t.Logf("\n%s", table)
}
