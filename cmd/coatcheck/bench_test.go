package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/coatcheck/coatcheck/internal/redistest"
)

// quickly is a load that is soon done.
var quickly = []string{"--duration", "200ms", "--warmup", "20ms", "--sessions", "100", "--goroutines", "8"}

// benchRun runs `coatcheck bench` and returns what it prints.
func benchRun(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	err = run(t.Context(), append([]string{"bench"}, args...), streams{&out, &errs})
	return out.String(), errs.String(), err
}

// benchJSON is benchRun for a report as JSON, and nothing else on standard output.
func benchJSON(t *testing.T, args ...string) benchReport {
	t.Helper()
	out, errs, err := benchRun(t, append(args, "--format", "json")...)
	if err != nil {
		t.Fatalf("%v\n%s", err, errs)
	}
	return parseReport(t, out)
}

func parseReport(t *testing.T, text string) (r benchReport) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil || decoder.More() {
		t.Fatalf("no report in JSON, or more than that (error %v):\n%s", err, text)
	}
	return r
}

// TestBenchOnEachStore: the figures agree with each other, and the stores are as they
// were before.
func TestBenchOnEachStore(t *testing.T) {
	const mix = "read=5,change=1,update=1,create=1,refresh=1,delete=1"
	for _, kind := range []string{"memory", "sqlite", "redis"} {
		t.Run(kind, func(t *testing.T) {
			const password = "pass-of-the-store"
			store, dir, keys := kind+":", t.TempDir(), func() string { return "" }
			switch kind {
			case "sqlite":
				store += filepath.Join(dir, "new.db")
			case "redis":
				redis := redistest.Start(t, "--requirepass", password)
				store, keys = "redis://:"+password+"@"+redis.Addr, func() string { return string(redis.Dump(password)) }
				start(t, "--store", store).create(t, `{"of":"somebody"}`)
			}
			before := keys()
			out, errs, err := benchRun(t, append(quickly, "--store", store, "--mix", mix, "--format", "json")...)
			ending := map[string]string{"memory": "they end with", "sqlite": "removes the file", "redis": "deletes them"}[kind]
			if err != nil || !strings.HasPrefix(errs, "This puts load on "+kind+":") || !strings.Contains(errs, "It makes 100 sessions, touches no others, and "+ending) {
				t.Errorf("error %v, and it says\n%s", err, errs)
			}
			if strings.Contains(out+errs, password) {
				t.Error("the store's password is repeated")
			}
			r := parseReport(t, out)
			var kinds []string
			var sum benchRow
			for _, row := range r.Operations {
				kinds = append(kinds, row.Kind)
				sum.Count += row.Count
				sum.Errors += row.Errors
				sum.Max = max(sum.Max, row.Max)
				if row.Count > 0 && row.P50 <= 0 || row.P50 > row.P90 || row.P90 > row.P99 || row.P99 > row.P999 || row.P999 > row.Max {
					t.Errorf("%+v", row)
				}
			}
			if want := "read change update create refresh delete"; strings.Join(kinds, " ") != want {
				t.Errorf("there are %q, want %s", kinds, want)
			}
			if r.All.Count != sum.Count || r.All.Errors != sum.Errors || r.All.Max != sum.Max || sum.Errors > 0 || len(r.Errors) > 0 {
				t.Errorf("all: %+v, sum of the rows: %+v, errors: %+v", r.All, sum, r.Errors)
			}
			if r.Interrupted || r.All.Count == 0 || r.NearCache.Hits+r.NearCache.Misses == 0 || (r.RoundTrip > 0) != (kind != "memory") || r.Elapsed <= 0 {
				t.Errorf("%+v", r)
			}
			if keys() != before {
				t.Error("the store is not as it was before")
			}
			if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
				t.Errorf("files are left: %v (error %v)", files, err)
			}
		})
	}
}

// TestBenchCountsReadsAsTheNearCacheDoes: each is a hit, a miss or stale.
func TestBenchCountsReadsAsTheNearCacheDoes(t *testing.T) {
	for _, entries := range []string{"100", "0"} {
		r := benchJSON(t, append(quickly, "--store", redistest.Start(t).URL(), "--mix", "read=1", "--near-cache-entries", entries, "--zipf", "1.2")...)
		lookups, want := r.NearCache.Hits+r.NearCache.Misses+r.NearCache.Stale, r.All.Count
		if entries == "0" {
			want = 0
		}
		if lookups != want || r.All.Count == 0 {
			t.Errorf("%s entries: %d reads, %+v", entries, r.All.Count, r.NearCache)
		}
	}
}

// TestBenchWithNodes: each has a near cache of its own, and hears of changes by
// the others.
func TestBenchWithNodes(t *testing.T) {
	for what, args := range map[string][]string{
		"tracking": {"--store", redistest.Start(t).URL()},
		"pubsub":   {"--store", redistest.Start(t).URL(), "--redis-invalidation", "pubsub"},
		"none":     {"--store", redistest.Start(t).URL(), "--redis-invalidation", "none", "--max-staleness", "50ms"},
		"sqlite":   {"--store", "sqlite:" + filepath.Join(t.TempDir(), "new.db"), "--max-staleness", "100ms"},
	} {
		t.Run(what, func(t *testing.T) {
			r := benchJSON(t, append(append(quickly, "--nodes", "2"), args...)...)
			if e := r.Elsewhere; r.All.Errors > 0 || e == nil || e.Changes == 0 || e.P50 <= 0 || e.P50 > e.Max {
				t.Errorf("%+v, elsewhere %+v", r, e)
			}
		})
	}
}

// TestBenchAtARate: not more than asked for.
func TestBenchAtARate(t *testing.T) {
	const rate = 100
	r := benchJSON(t, append(quickly, "--store", "memory:", "--rate", strconv.Itoa(rate))...)
	if due := uint64(rate*r.Elapsed.Seconds()) + 1; r.All.Count == 0 || r.All.Count > due {
		t.Errorf("%d operations in %v, of which %d were due", r.All.Count, r.Elapsed, due)
	}
}

// TestBenchKeeps leaves what it was told to: in Redis under a prefix that no service
// has.
func TestBenchKeeps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new.db")
	benchJSON(t, append(quickly, "--store", "sqlite:"+path, "--keep")...)
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		t.Errorf("%v, error %v", info, err)
	}
	redis := redistest.Start(t)
	benchJSON(t, append(quickly, "--store", redis.URL(), "--keep")...)
	if n, ours := size(t, redis), strings.Count(string(redis.Dump("")), "bench:"); n != 100 || ours != 100 {
		t.Errorf("%d keys are left, %d under bench:, want 100", n, ours)
	}
}

// size returns how many keys a server has.
func size(t *testing.T, redis *redistest.Server) int64 {
	t.Helper()
	client := redis.Client()
	n, err := client.Do(t.Context(), client.B().Dbsize().Build()).AsInt64()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestBenchLeavesDatabasesAlone: it refuses a file that exists, whatever is in it.
func TestBenchLeavesDatabasesAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := benchRun(t, append(quickly, "--store", "sqlite:"+path)...)
	if err == nil || !strings.Contains(err.Error(), path+" exists") {
		t.Errorf("error %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() > 0 {
		t.Errorf("%v, error %v", info, err)
	}
}

func TestBenchSettingsByEnvironment(t *testing.T) {
	for name, value := range map[string]string{
		"BENCH_STORE": "memory:", "STORE": "of a service", "NEAR_CACHE_ENTRIES": "7", "MAX_STALENESS": "70ms",
		"BENCH_DURATION": "50ms", "BENCH_WARMUP": "0", "BENCH_GOROUTINES": "3", "BENCH_SESSIONS": "5", "BENCH_VALUE_BYTES": "50",
		"BENCH_MIX": "refresh=2", "BENCH_ZIPF": "2", "BENCH_RATE": "1000", "BENCH_FORMAT": "json",
	} {
		t.Setenv("COATCHECK_"+name, value)
	}
	out, errs, err := benchRun(t)
	if err != nil {
		t.Fatalf("%v\n%s", err, errs)
	}
	want := benchLoad{Mix: "refresh=2", Rate: 1000, Goroutines: 3, Nodes: 1, Sessions: 5, ValueBytes: 50, Zipf: 2, NearCacheEntries: 7, MaxStaleness: 70e6}
	if r := parseReport(t, out); r.Load != want || !strings.HasPrefix(r.Store, "memory:") {
		t.Errorf("%+v\nwant %+v", r.Load, want)
	}
}

// TestBenchRefusals: what is wrong is said, with what to do, and no password is
// repeated.
func TestBenchRefusals(t *testing.T) {
	redis := redistest.Start(t)
	redis.Kill() // an address where nobody answers
	dir := t.TempDir()
	t.Setenv("COATCHECK_STORE", "memory:") // is for serve
	for what, c := range map[string]struct {
		args []string
		want string
	}{
		"no store":           {nil, "--store is missing"},
		"unknown store":      {[]string{"--store", "mysql://u:hunter2@h/d"}, "sqlite:PATH"},
		"unreachable":        {[]string{"--store", "redis://:hunter2@" + redis.Addr}, "unavailable"},
		"no folder":          {[]string{"--store", "sqlite:" + dir + "/no/x.db"}, dir + "/no"},
		"no path":            {[]string{"--store", "sqlite:"}, "--store: "},
		"options of SQLite":  {[]string{"--store", "sqlite:" + dir + "/x.db?mode=ro"}, "no options"},
		"nodes in memory":    {[]string{"--store", "memory:", "--nodes", "2"}, "--nodes is 2"},
		"no duration":        {[]string{"--store", "memory:", "--duration", "0"}, "--duration is 0s: must be positive"},
		"endless":            {[]string{"--store", "memory:", "--duration", "2562047h"}, "at most 720h"},
		"endless warmup":     {[]string{"--store", "memory:", "--warmup", "2562047h"}, "at most 720h"},
		"duration in words":  {[]string{"--store", "memory:", "--duration", "soon"}, "--duration"},
		"negative warmup":    {[]string{"--store", "memory:", "--warmup=-1s"}, "--warmup is -1s"},
		"no goroutines":      {[]string{"--store", "memory:", "--goroutines", "0"}, "--goroutines is 0: must be at least 1"},
		"no nodes":           {[]string{"--store", "memory:", "--nodes=-1"}, "--nodes is -1"},
		"idle nodes":         {[]string{"--store", "redis://" + redis.Addr, "--nodes", "3", "--goroutines", "2"}, "--nodes is 3: must be at most --goroutines, which is 2"},
		"no sessions":        {[]string{"--store", "memory:", "--sessions", "0"}, "--sessions is 0"},
		"small value":        {[]string{"--store", "memory:", "--value-bytes", "10"}, "--value-bytes is 10: must be from 34"},
		"large value":        {[]string{"--store", "memory:", "--value-bytes", "65537"}, "to --max-value-bytes, which is 65536"},
		"larger than limit":  {[]string{"--store", "memory:", "--max-value-bytes", "99"}, "--value-bytes is 100"},
		"unknown kind":       {[]string{"--store", "memory:", "--mix", "write=1"}, `--mix: "write" is no kind of operation: want read, change`},
		"mix without shares": {[]string{"--store", "memory:", "--mix", "read"}, `--mix: "read": want a number`},
		"negative share":     {[]string{"--store", "memory:", "--mix", "read=-1"}, `--mix: "read=-1": want a number`},
		"small skew":         {[]string{"--store", "memory:", "--zipf", "0.99"}, "--zipf is 0.99: must be above 1 and at most 100, or 0"},
		"endless skew":       {[]string{"--store", "memory:", "--zipf", "inf"}, "--zipf is +Inf"},
		"large skew":         {[]string{"--store", "memory:", "--zipf", "100.1"}, "--zipf is 100.1"},
		"no skew":            {[]string{"--store", "memory:", "--zipf", "NaN"}, "--zipf is NaN"},
		"negative rate":      {[]string{"--store", "memory:", "--rate=-1"}, "--rate is -1"},
		"no rate":            {[]string{"--store", "memory:", "--rate", "NaN"}, "--rate is NaN"},
		"endless rate":       {[]string{"--store", "memory:", "--rate", "inf"}, "--rate is +Inf: must be from 0.001 to 1e9, or 0"},
		"tiny rate":          {[]string{"--store", "memory:", "--rate", "1e-12"}, "--rate is 1e-12"},
		"large rate":         {[]string{"--store", "memory:", "--rate", "1.1e9"}, "--rate is 1.1e+09"},
		"tiny staleness":     {[]string{"--store", "memory:", "--max-staleness", "5ms"}, "\n--max-staleness is 5ms"},
		"unknown format":     {[]string{"--store", "memory:", "--format", "xml"}, `"table","json"`},
		"two at once":        {[]string{"--store", "memory:", "--goroutines", "0", "--sessions", "0"}, "--goroutines is 0: must be at least 1\n--sessions is 0"},
	} {
		t.Run(what, func(t *testing.T) {
			out, errs, err := benchRun(t, c.args...)
			if err == nil || !strings.Contains(err.Error(), c.want) || out != "" {
				t.Errorf("error %v, want one that names %q\n%s", err, c.want, out)
			}
			if err != nil && strings.Contains(err.Error()+errs, "hunter2") {
				t.Error("a password is repeated")
			}
		})
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("files are left: %v (error %v)", files, err)
	}
}
