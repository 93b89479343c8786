package redisstore_test

import (
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/redistest"
	"github.com/coatcheck/coatcheck/redisstore"
)

// Tests that count what a server does want nothing but their own calls to reach
// it: no rounds of the watch (each quarter of quietNear's hour), no pings.
const quiet = time.Hour

var quietNear = coatcheck.NearCache{MaxStaleness: quiet}

// quietNode is a process that the server hears nothing of besides its calls.
func quietNode(t testing.TB, url string, kind redisstore.Invalidation, name string) *coatcheck.Manager[string] {
	t.Helper()
	s := open(t, url, redisstore.Config{Invalidation: kind, NodeID: name, Timeout: 6 * quiet}) // it pings each sixth
	m := manager(t, s, quietNear)
	eventually(t, "the first round is over", func() bool { return m.Stats().NearCache.MarkAge >= 0 })
	return m
}

// counters reads the counters of a server.
type counters struct {
	t      testing.TB
	client rueidis.Client
}

// resetReply is what the server sends, after it has reset its counters, in
// answer to CONFIG RESETSTAT: "+OK\r\n".
const resetReply = 5

func newCounters(t testing.TB, server *redistest.Server) *counters {
	t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{server.Addr}, DisableCache: true, Dialer: net.Dialer{KeepAlive: quiet},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &counters{t, client}
}

func (c *counters) reset() {
	c.t.Helper()
	if err := c.client.Do(c.t.Context(), c.client.B().ConfigResetstat().Build()).Error(); err != nil {
		c.t.Fatal(err)
	}
}

// read returns the fields of a section of INFO.
func (c *counters) read(section string) map[string]string {
	c.t.Helper()
	text, err := c.client.Do(c.t.Context(), c.client.B().Info().Section(section).Build()).ToString()
	if err != nil {
		c.t.Fatal(err)
	}
	fields := make(map[string]string)
	for line := range strings.Lines(strings.TrimPrefix(text, "txt:")) { // what kind of text RESP3 says it is
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	return fields
}

// number returns one field of the section "stats".
func (c *counters) number(field string) int {
	c.t.Helper()
	text := c.read("stats")[field]
	n, err := strconv.Atoi(text)
	if err != nil {
		c.t.Fatalf("INFO stats: %s is %q", field, text)
	}
	return n
}

// outputBytes returns what the server has sent since the last reset.
func (c *counters) outputBytes() int {
	c.t.Helper()
	return c.number("total_net_output_bytes") - resetReply
}

// commands returns how often the server has executed each command since the
// last reset, also on behalf of scripts; without those of counters.
func (c *counters) commands() map[string]int {
	c.t.Helper()
	calls := make(map[string]int)
	for name, text := range c.read("commandstats") {
		name = strings.TrimPrefix(name, "cmdstat_")
		if name == "info" || name == "config|resetstat" {
			continue
		}
		count, _, _ := strings.Cut(strings.TrimPrefix(text, "calls="), ",")
		n, err := strconv.Atoi(count)
		if err != nil {
			c.t.Fatalf("INFO commandstats: %s is %q", name, text)
		}
		calls[name] = n
	}
	return calls
}
