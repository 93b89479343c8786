package compare

import (
	"fmt"
	"maps"
	"math"
	"strings"

	"github.com/coatcheck/coatcheck/benchmarks/internal/chart"
)

// target is what coatcheck is to reach: all of its bounds. Beside it stands what else
// was measured that says why it was not.
type target struct {
	what   string
	bounds []bound
	beside []beside
}

// beside is what a sentence says of a metric.
type beside struct {
	metric   string
	sentence string // with a verb for the figure
}

// bound is one figure's. It is that of a metric, or if inverse is set, inverse
// divided by that.
type bound struct {
	metric  string
	inverse float64
	most    bool // limit is the most that it may be, else the least
	exactly bool // limit is what it is to be
	limit   float64
	of      string // what the figure counts
}

// Metrics that the tournament gives, besides those of the Go benchmarks.
func readMetric(clients int, unit string) string { return subjectMetric(yardstick, clients, unit) }

func subjectMetric(subject string, clients int, unit string) string {
	return fmt.Sprintf("%s/%s/%d/%d %s", Read, subject, baseValue, clients, unit)
}

// besideBytes is what the operation reaches with values that need no encoding, as those
// of the bare client.
func besideBytes(operation string) beside {
	return beside{"Bytes/" + operation + "/64 x-raw", "%s with values that are bytes already, as the bare client's are"}
}

// besideLimit is what a bare client reaches that does one thing besides.
func besideLimit(operation, what string) beside {
	return beside{"Limit/" + operation + "/64 x-raw", "%s is what a bare client reaches that " + what}
}

var targets = []target{
	{"`Manager.Get`, cached, typed", []bound{
		{metric: "CachedGet/held-1/goroutines-1 x-otter", inverse: 1, most: true, limit: 2, of: "times a bare lookup in the cache"},
		{metric: "CachedGet/held-1/goroutines-1 allocs/op", most: true, limit: 0, of: "allocations"},
	}, nil},
	{"a request that reads its session through the middleware", []bound{
		{metric: readMetric(baseClients, "ns/op"), most: true, limit: 450, of: "ns of all processors, 64 at once"},
		{metric: readMetric(fewClients, "ns/op"), most: true, limit: 450, of: "ns, 2 at once"},
		{metric: readMetric(baseClients, "allocs/op"), most: true, limit: 3, of: "allocations"},
	}, []beside{
		{subjectMetric("scs-memory", baseClients, "times"), "64 at once, scs in memory takes %s times as long"},
		{subjectMetric("bare-context", baseClients, "ns/op"), "middleware that does nothing but put a value into the context takes %s ns"},
		{subjectMetric("coatcheck-redis-from", baseClients, "ns/op"), "`Handler` and `From` take %s ns"},
	}},
	{"`Generate` on Redis, 64 at once", []bound{
		{metric: "Generate/redis/64 x-raw", limit: 0.85, of: "of the speed of a bare, pipelined SET"},
	}, []beside{
		besideBytes("Generate"),
		besideLimit("Generate", "draws a token, hashes it and encodes the value, and does nothing else"),
	}},
	{"`Change` on Redis, 64 at once", []bound{
		{metric: "Change/redis/64 x-raw", limit: 0.6, of: "of the speed of a bare, pipelined SET"},
	}, []beside{
		besideBytes("Change"),
		{"Bytes/Change/64 x-raw-at-most", "%s if it cost nothing but the server's time"},
		besideLimit("Change", "runs a script which compares, writes, and has the next change reported, and nothing else: no command of Redis compares and swaps"),
		{"Limit/Change/64 x-raw-at-most", "%s if that client cost nothing but the server's time"},
	}},
	{"`Get` that misses, on Redis, 64 at once", []bound{
		{metric: "Get/redis/64 x-raw", limit: 0.9, of: "of the speed of a bare, pipelined GET"},
	}, []beside{
		besideBytes("Get"),
		besideLimit("Get", "is to be told of the next change, hashes the token and decodes the JSON, and does nothing else"),
	}},
	{"memory of the near cache, a million sessions", []bound{
		{metric: "NearCacheMemory/TinyLFU B/session-above-value", most: true, limit: 250, of: "bytes a session above its value"},
	}, nil},
	{"memory of Redis", []bound{
		{metric: "Memory/redis B/session-above-value", most: true, limit: 160, of: "bytes a session above its value"},
		{metric: "Memory/redis-tracked B/session-above-value", most: true, limit: 160, of: "when one process has read it, and is to hear of its changes"},
	}, []beside{
		{"Memory/redis-bare B/session-above-value", "%s for the value alone, set with a deadline"},
		{"Memory/redis-least B/session-above-value", "%s for the value and 21 bytes more, 16 of them to know the token by: from 45 bytes on Redis keeps a value in memory of its own"},
	}},
	{"creations on SQLite that survive a crash of the process, 64 at once", []bound{
		{metric: "Generate/sqlite/64 ns/op", inverse: 1e9, limit: 30_000, of: "a second"},
	}, nil},
	{"a change has returned → gone from other nodes", []bound{
		{metric: "Invalidation/tracking gone-p99-roundtrips", most: true, limit: 2, of: "round trips at the 99th percentile"},
	}, nil},
	{"messages a change", []bound{
		{metric: "messages/nodes-16/holders-0", exactly: true, limit: 0, of: "where no other of 16 nodes holds the session"},
		{metric: "messages/nodes-16/holders-1", exactly: true, limit: 1, of: "where one does"},
		{metric: "messages/nodes-16/holders-15", exactly: true, limit: 15, of: "where all do"},
	}, nil},
}

// Verdict says whether a target was met.
type Verdict struct {
	What, Wanted, Measured string
	Beside                 string
	Met                    bool
	Missing                string // a metric without which nobody knows
}

func (t target) judge(metrics Metrics) Verdict {
	v := Verdict{What: t.what, Met: true}
	var wanted, measured []string
	for _, b := range t.bounds {
		sign := "≥ "
		switch {
		case b.exactly:
			sign = "= "
		case b.most:
			sign = "≤ "
		}
		wanted = append(wanted, sign+chart.Figure(b.limit)+" "+b.of)
		figure, ok := metrics[b.metric]
		if !ok {
			return Verdict{What: t.what, Missing: b.metric}
		}
		if b.inverse != 0 {
			figure = b.inverse / figure
		}
		if (b.most || b.exactly) && figure > b.limit || !b.most && figure < b.limit {
			v.Met = false
		}
		measured = append(measured, chart.Figure(figure))
	}
	v.Wanted, v.Measured = strings.Join(wanted, "; "), strings.Join(measured, "; ")
	var sentences []string
	for _, b := range t.beside {
		figure, ok := metrics[b.metric]
		if !ok {
			return Verdict{What: t.what, Missing: b.metric}
		}
		sentences = append(sentences, fmt.Sprintf(b.sentence, chart.Figure(figure)))
	}
	v.Beside = strings.Join(sentences, "; ")
	return v
}

// Verdicts returns one for each target.
func (r *Results) Verdicts() []Verdict {
	metrics := Metrics{}
	maps.Copy(metrics, r.Metrics)
	for _, clients := range []int{fewClients, baseClients} {
		cell := r.Cell(Read, baseValue, clients)
		if cell == nil {
			continue
		}
		for _, s := range cell.Standings {
			metrics[subjectMetric(s.Subject, clients, "ns/op")] = s.Nanoseconds.Median
			metrics[subjectMetric(s.Subject, clients, "times")] = s.Times.Median
			// What starts the round allocates, too: a small share for each operation.
			metrics[subjectMetric(s.Subject, clients, "allocs/op")] = math.Round(s.Allocs)
		}
	}
	var all []Verdict
	for _, t := range targets {
		all = append(all, t.judge(metrics))
	}
	return all
}
