package redisstore_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/redistest"
	"github.com/coatcheck/coatcheck/redisstore"
)

func manager(t testing.TB, s coatcheck.Store, near coatcheck.NearCache) *coatcheck.Manager[string] {
	t.Helper()
	m, err := coatcheck.New(coatcheck.Config[string]{Store: s, NearCache: near})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// node is a process with a near cache, that has been told how far its store has
// reported.
func node(t testing.TB, url string, config redisstore.Config, near coatcheck.NearCache) *coatcheck.Manager[string] {
	t.Helper()
	m := manager(t, open(t, url, config), near)
	eventually(t, "the watch begins", func() bool { return m.Stats().NearCache.MarkAge >= 0 })
	return m
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for begin := time.Now(); !holds(); time.Sleep(time.Millisecond) { // between two looks at the condition
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("not so within 20 s: %s", what)
		}
	}
}

func get(t testing.TB, m *coatcheck.Manager[string], token coatcheck.Token, want string) {
	t.Helper()
	if got, err := m.Get(t.Context(), token); err != nil || got != want {
		t.Errorf("Get: %q, %v; want %q", got, err, want)
	}
}

// TestChangesReachOtherNodes has two nodes hold a session, and each change it
// and end it in turn. MaxStaleness is an hour: only a report can do it.
func TestChangesReachOtherNodes(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.String(), func(t *testing.T) {
			server := redistest.Start(t)
			near := coatcheck.NearCache{MaxStaleness: time.Hour}
			var nodes []*coatcheck.Manager[string]
			for range 2 {
				nodes = append(nodes, manager(t, open(t, server.URL(), redisstore.Config{Invalidation: kind}), near))
			}
			for _, m := range nodes { // the first mark is the last for a quarter of an hour
				eventually(t, "the watch begins", func() bool { return m.Stats().NearCache.MarkAge >= 0 })
			}
			token, err := nodes[0].Generate(t.Context(), "0")
			if err != nil {
				t.Fatal(err)
			}
			for i := range 20 {
				writer, reader := nodes[i%2], nodes[1-i%2]
				get(t, writer, token, strconv.Itoa(i))
				get(t, reader, token, strconv.Itoa(i))
				if err := writer.Update(t.Context(), token, strconv.Itoa(i+1)); err != nil {
					t.Fatal(err)
				}
				get(t, writer, token, strconv.Itoa(i+1))
				eventually(t, "the other node has the change", func() bool {
					got, err := reader.Get(t.Context(), token)
					return err == nil && got == strconv.Itoa(i+1)
				})
			}
			if err := nodes[0].Delete(t.Context(), token); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the other node knows of the end", func() bool {
				_, err := nodes[1].Get(t.Context(), token)
				return errors.Is(err, coatcheck.ErrNotFound)
			})
		})
	}
}

// With tracking even what coatcheck has no part in is noticed.
func TestTrackingNoticesForeignHands(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client()
	m := node(t, server.URL(), redisstore.Config{}, coatcheck.NearCache{MaxStaleness: time.Minute})
	for name, command := range map[string]func(id string) rueidis.Completed{
		"DEL": func(id string) rueidis.Completed { return client.B().Del().Key("coat:" + id).Build() },
		"PEXPIRE": func(id string) rueidis.Completed {
			return client.B().Pexpire().Key("coat:" + id).Milliseconds(1).Build()
		},
		"FLUSHALL": func(string) rueidis.Completed { return client.B().Flushall().Build() },
	} {
		token, err := m.Generate(t.Context(), "cap")
		if err == nil {
			err = m.Update(t.Context(), token, "hat") // what was only created is not watched
		}
		if err != nil {
			t.Fatal(err)
		}
		get(t, m, token, "hat")
		if err := client.Do(t.Context(), command(token.ID())).Error(); err != nil {
			t.Fatal(err)
		}
		eventually(t, name+" is noticed", func() bool {
			_, err := m.Get(t.Context(), token)
			return errors.Is(err, coatcheck.ErrNotFound)
		})
	}
}

// Of FLUSHALL no message tells; pub/sub notices it all the same.
func TestFlushallIsNoticed(t *testing.T) {
	for name, start := range map[string]func(testing.TB) []*redistest.Server{
		"single":  func(t testing.TB) []*redistest.Server { return []*redistest.Server{redistest.Start(t)} },
		"cluster": func(t testing.TB) []*redistest.Server { return redistest.StartCluster(t, 3) },
	} {
		for _, kind := range kinds {
			t.Run(name+"/"+kind.String(), func(t *testing.T) {
				servers := start(t)
				near := coatcheck.NearCache{MaxStaleness: 2 * time.Second}
				var nodes []*coatcheck.Manager[string]
				for range 2 { // the first to notice must not hide it from the second
					nodes = append(nodes, node(t, servers[0].URL(), redisstore.Config{Invalidation: kind}, near))
				}
				var tokens []coatcheck.Token
				for range 20 { // on all servers
					token, err := nodes[0].Generate(t.Context(), "hat")
					if err != nil {
						t.Fatal(err)
					}
					tokens = append(tokens, token)
				}
				for range 3 * len(servers) {
					for _, m := range nodes {
						for _, token := range tokens {
							get(t, m, token, "hat")
						}
					}
				}
				for _, server := range servers {
					client := server.Client()
					for _, one := range client.Nodes() {
						if err := one.Do(t.Context(), one.B().Flushall().Build()).Error(); err != nil {
							t.Fatal(err)
						}
					}
				}
				flushed := time.Now()
				for _, m := range nodes {
					for _, token := range tokens {
						for {
							began := time.Now()
							_, err := m.Get(t.Context(), token)
							if errors.Is(err, coatcheck.ErrNotFound) {
								break
							}
							if began.Sub(flushed) > near.MaxStaleness {
								t.Fatalf("%v after FLUSHALL: %v", began.Sub(flushed), err)
							}
						}
					}
				}
			})
		}
	}
}

// TestOutageEndsCachedReads kills the server: reads from memory fail within
// MaxStaleness, and come back by themselves.
func TestOutageEndsCachedReads(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.String(), func(t *testing.T) {
			const bound = 200 * time.Millisecond
			server := redistest.Start(t, "--appendonly", "yes")
			m := node(t, server.URL(), redisstore.Config{Invalidation: kind, Timeout: 500 * time.Millisecond}, coatcheck.NearCache{MaxStaleness: bound})
			token, err := m.Generate(t.Context(), "hat")
			if err != nil {
				t.Fatal(err)
			}
			get(t, m, token, "hat")

			server.Kill()
			killed := time.Now()
			for {
				began := time.Now()
				_, err := m.Get(t.Context(), token)
				if errors.Is(err, coatcheck.ErrUnavailable) {
					t.Logf("reads from memory ended %v after the server", began.Sub(killed).Round(time.Millisecond))
					break
				}
				if err != nil || began.Sub(killed) > bound {
					t.Fatalf("a read that began %v after the server had ended: %v", began.Sub(killed), err)
				}
			}

			if err := server.Restart(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "reads succeed again", func() bool {
				_, err := m.Get(t.Context(), token)
				return err == nil
			})
			eventually(t, "reads are served from memory for longer than without marks", func() bool {
				get(t, m, token, "hat")
				s := m.Stats().NearCache
				return s.MarkAge >= 0 && s.MarkAge < bound
			})
		})
	}
}

// TestReconnectsLeaveNothingBehind cuts the connections 100 times. TestMain
// looks for goroutines that are left.
func TestReconnectsLeaveNothingBehind(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.String(), func(t *testing.T) {
			server := redistest.Start(t)
			client := server.Client()
			m := node(t, server.URL(), redisstore.Config{Invalidation: kind}, coatcheck.NearCache{MaxStaleness: 40 * time.Millisecond})
			for range 100 {
				eventually(t, "there is a connection to cut", func() bool {
					n, err := client.Do(t.Context(), client.B().Arbitrary("CLIENT", "KILL", "SKIPME", "yes").Build()).AsInt64()
					if err != nil {
						t.Fatal(err)
					}
					return n > 0
				})
			}
			eventually(t, "marks come again", func() bool {
				s := m.Stats().NearCache
				return s.MarkAge >= 0 && s.MarkAge < 40*time.Millisecond
			})
			clients, err := client.Do(t.Context(), client.B().ClientList().Build()).ToString()
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(clients, "\n"); n > 4 {
				t.Errorf("%d connections are left:\n%s", n, clients)
			}
		})
	}
}

// Two processes that were given one name must hear of each other all the same.
func TestNodesOfOneName(t *testing.T) {
	server := redistest.Start(t)
	config := redisstore.Config{Invalidation: redisstore.PubSub, NodeID: "web"}
	near := coatcheck.NearCache{MaxStaleness: time.Hour}
	a, b := node(t, server.URL(), config, near), node(t, server.URL(), config, near)
	token, err := a.Generate(t.Context(), "hat")
	if err != nil {
		t.Fatal(err)
	}
	get(t, b, token, "hat")
	if err := a.Update(t.Context(), token, "coat"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the other node has the change", func() bool {
		got, err := b.Get(t.Context(), token)
		return err == nil && got == "coat"
	})
	get(t, b, token, "coat")

	// A session that other hands have ended is ended everywhere on request.
	client := server.Client()
	if err := client.Do(t.Context(), client.B().Del().Key("coat:"+token.ID()).Build()).Error(); err != nil {
		t.Fatal(err)
	}
	_ = a.Delete(t.Context(), token)
	get(t, b, token, "coat") // pub/sub does not hear of other hands
	waiting, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- a.Delete(waiting, token, coatcheck.Everywhere()) }() // for MaxStaleness
	defer func() {
		stop()
		<-ended
	}()
	eventually(t, "the other node knows of the end", func() bool {
		_, err := b.Get(t.Context(), token)
		return errors.Is(err, coatcheck.ErrNotFound)
	})
}
