package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/redistest"
	"github.com/coatcheck/coatcheck/redisstore"
)

// TestListSubjectTakesThreeRoundTrips lists a thousand sessions of a subject,
// through a proxy that passes nothing on before all commands of a round trip
// have come. The dead that the index names take no more.
func TestListSubjectTakesThreeRoundTrips(t *testing.T) {
	for _, c := range []struct {
		name         string
		living, dead int
		trips        []int // the commands of each
	}{
		{"the living", 1000, 0, []int{1, 1000}},
		{"with the dead", 1000, 500, []int{1, 1500, 1}},
		{"the dead", 0, 10, []int{1, 10, 1}},
		{"nobody", 0, 0, []int{1}},
		{"more", 1501, 0, []int{1, 1500, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := redistest.Start(t)
			s := open(t, server.URL(), quietly)
			counters := newCounters(t, server)
			want := make(map[string]coatcheck.Record)
			var wg sync.WaitGroup
			for i := range c.living + c.dead {
				r := record("ada")
				r.Value = []byte(strings.Repeat("a value that is not asked for ", 200))
				if i < c.living {
					want[r.ID] = r
				}
				wg.Go(func() {
					if err := s.Create(t.Context(), r); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			client := server.Client()
			for r, err := range s.ListSubject(t.Context(), "ada") {
				if _, lives := want[r.ID]; lives {
					continue
				}
				if err == nil {
					err = client.Do(t.Context(), client.B().Del().Key("coat:"+r.ID).Build()).Error()
				}
				if err != nil {
					t.Fatal(err)
				}
			}

			p := newProxy(t, server)
			victim := open(t, p.URL(), redisstore.Config{Timeout: 6 * quiet, Logger: quietly.Logger})
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			p.gather(c.trips...)
			counters.reset()
			found, err := listed(ctx, victim, "ada")
			if err != nil {
				t.Fatalf("not in round trips of %v commands: %v", c.trips, err)
			}
			sent := counters.outputBytes()
			if !slices.Equal(slices.Sorted(maps.Keys(found)), slices.Sorted(maps.Keys(want))) {
				t.Errorf("%d records are listed, want %d", len(found), len(want))
			}
			for id, r := range found {
				if r.Value != nil || r.SecretHash != want[id].SecretHash || r.Subject != "ada" || !r.ExpiresAt.Equal(want[id].ExpiresAt) {
					t.Errorf("listed %+v, want %+v without the value", r, want[id])
					break
				}
			}
			total := 0
			for _, n := range c.trips {
				total += n
			}
			commands, trips := p.counted()
			calls := counters.commands()
			t.Logf("%d living, %d dead: %d round trips, %v, %d bytes", c.living, c.dead, trips, calls, sent)
			if trips != len(c.trips) || commands != total {
				t.Errorf("%d commands in %d round trips, want %v", commands, trips, c.trips)
			}
			if most := 200 + (c.living+c.dead)*1100; sent > most {
				t.Errorf("%d bytes were sent, want %d at most: no values", sent, most)
			}
			if found, err := listed(ctx, s, "ada"); err != nil || len(found) != c.living {
				t.Errorf("a second listing has %d, %v", len(found), err)
			}
			if n, err := client.Do(ctx, client.B().Zcard().Key("coat:subject:ada").Build()).AsInt64(); err != nil || int(n) != c.living {
				t.Errorf("the index names %d, %v; want %d", n, err, c.living)
			}
		})
	}
}

// TestCommandsOfASubject counts what the server does for sessions of a subject,
// on behalf of scripts, too.
func TestCommandsOfASubject(t *testing.T) {
	for _, kind := range kinds {
		server := redistest.Start(t)
		counters := newCounters(t, server)
		s := open(t, server.URL(), redisstore.Config{Invalidation: kind, Timeout: 6 * quiet})
		warm(t, s)
		r, bare := record("ada"), record("")
		do := func(name string, trips int, want map[string]int, op func() error) {
			t.Helper()
			if kind == redisstore.PubSub { // it publishes instead of reading what it wrote
				if strings.HasPrefix(name, "Update") {
					delete(want, "strlen")
				}
				if !strings.HasPrefix(name, "Create") {
					want["publish"] = 1
				}
			}
			counters.reset()
			if err := op(); err != nil {
				t.Fatal(err)
			}
			// The read that brings the question itself counts.
			took, calls := counters.number("total_reads_processed")-1, counters.commands()
			t.Logf("%v: %s: %d round trips, %v", kind, name, took, calls)
			if !maps.Equal(calls, want) {
				t.Errorf("%v: %s took %v, want %v", kind, name, calls, want)
			}
			if took != trips {
				t.Errorf("%v: %s took %d round trips, want %d", kind, name, took, trips)
			}
		}
		index := map[string]int{"time": 1, "zrange": 1, "zremrangebyscore": 1, "zadd": 1, "pexpireat": 1}
		with := func(a, b map[string]int) map[string]int {
			sum := maps.Clone(a)
			for name, n := range b {
				sum[name] += n
			}
			return sum
		}
		do("Create", 1, map[string]int{"set": 1}, func() error { return s.Create(t.Context(), bare) })
		do("Create with a subject", 3, with(index, map[string]int{"set": 1, "evalsha": 2, "getrange": 1, "strlen": 1, "setrange": 1, "pexpireat": 1}),
			func() error { return s.Create(t.Context(), r) })
		do("Update", 1, map[string]int{"evalsha": 1, "getrange": 1, "strlen": 1, "set": 1}, func() error {
			r.Rev++
			return s.Update(t.Context(), r)
		})
		do("Update that changes the subject", 3, with(index, map[string]int{"evalsha": 3, "getrange": 2, "strlen": 1, "set": 1}), func() error {
			r.Rev++
			r.Subject = "bob"
			return s.Update(t.Context(), r)
		})
		do("Delete", 1, map[string]int{"evalsha": 1, "getrange": 1, "del": 1}, func() error { return s.Delete(t.Context(), bare.ID) })
		do("Delete with a subject", 2, map[string]int{"evalsha": 1, "getrange": 1, "del": 1, "zrem": 1}, func() error { return s.Delete(t.Context(), r.ID) })
	}
}

// TestListPassesIndexesOver has a subject whose index has a name as long as an
// ID.
func TestListPassesIndexesOver(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server.URL(), redisstore.Config{})
	r := record("fourteen bytes"[:14])
	if err := s.Create(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for got, err := range s.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, got.ID)
	}
	if !slices.Equal(ids, []string{r.ID}) {
		t.Errorf("List yields %q, want %q", ids, r.ID)
	}
	// What is filed under such a name is no record, and stays.
	id := "subject:" + r.Subject
	if err := s.Delete(t.Context(), id); !errors.Is(err, coatcheck.ErrDecode) {
		t.Errorf("Delete of an index: %v, want ErrDecode", err)
	}
	if found, err := listed(t.Context(), s, r.Subject); err != nil || len(found) != 1 {
		t.Errorf("after that %d are listed, %v; want 1", len(found), err)
	}
}

// TestPruningMissesNoneLiving has several processes create, change, delete and
// re-create records under the same few IDs, while others list and prune all the
// while: who has created one, or given it the subject, finds it.
func TestPruningMissesNoneLiving(t *testing.T) {
	for name, start := range map[string]func(testing.TB) []*redistest.Server{
		"single":  func(t testing.TB) []*redistest.Server { return []*redistest.Server{redistest.Start(t)} },
		"cluster": func(t testing.TB) []*redistest.Server { return redistest.StartCluster(t, 3) },
	} {
		for _, kind := range kinds {
			t.Run(name+"/"+kind.String(), func(t *testing.T) {
				servers := start(t)
				config := redisstore.Config{Invalidation: kind, Logger: quietly.Logger}
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				var listers, writers sync.WaitGroup
				for range 2 {
					s := open(t, servers[0].URL(), config)
					listers.Go(func() {
						for i := 0; ctx.Err() == nil; i++ {
							if _, err := listed(ctx, s, []string{"ada", "bob"}[i%2]); err != nil && ctx.Err() == nil {
								t.Error(err)
								return
							}
						}
					})
				}
				for range 3 {
					s := open(t, servers[0].URL(), config)
					for range 2 {
						writers.Go(func() {
							if err := liveOften(ctx, s); err != nil {
								t.Error(err)
							}
						})
					}
				}
				writers.Wait()
				stop()
				listers.Wait()
			})
		}
	}
}

// liveOften has a record live again and again under one ID, and looks it up
// whenever it has been given a subject.
func liveOften(ctx context.Context, s *redisstore.Store) error {
	id := record("").ID
	for round := range 60 {
		r := record("ada")
		r.ID = id
		if err := s.Create(ctx, r); err != nil {
			return err
		}
		if err := find(ctx, s, r); err != nil {
			return fmt.Errorf("round %d, after Create: %w", round, err)
		}
		for _, subject := range []string{"bob", "ada"} {
			r.Rev++
			r.Subject = subject
			if err := s.Update(ctx, r); err != nil {
				return err
			}
			if err := find(ctx, s, r); err != nil {
				return fmt.Errorf("round %d, after Update: %w", round, err)
			}
		}
		if err := s.Delete(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func find(ctx context.Context, s *redisstore.Store, r coatcheck.Record) error {
	found, err := listed(ctx, s, r.Subject)
	if got, ok := found[r.ID]; err == nil && (!ok || got.Incarnation != r.Incarnation) {
		return fmt.Errorf("a living record of %s is not listed", r.Subject)
	}
	return err
}
