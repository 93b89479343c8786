package redisstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/redistest"
	"github.com/coatcheck/coatcheck/redisstore"
	"github.com/coatcheck/coatcheck/storetest"
)

func TestMain(m *testing.M) {
	// A client that was closed just now may have a refresh of its topology to
	// sleep for, a second at most.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"))
}

func open(t testing.TB, url string, config redisstore.Config) *redisstore.Store {
	t.Helper()
	s, err := redisstore.Open(t.Context(), url, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// target is what storetest wants of a store on the server with this URL.
func target(url string, config redisstore.Config) (storetest.Target, error) {
	s, err := redisstore.Open(context.Background(), url, config)
	if err != nil {
		return storetest.Target{}, err
	}
	return storetest.Target{
		Store: s,
		Other: func() (coatcheck.Store, error) { return redisstore.Open(context.Background(), url, config) },
		Close: s.Close,
	}, nil
}

// kinds are the two ways to learn of changes.
var kinds = []redisstore.Invalidation{redisstore.Tracking, redisstore.PubSub}

func TestContract(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			shared := redistest.Start(t)
			storetest.Run(t, func() (storetest.Target, error) {
				return target(shared.URL(), redisstore.Config{Invalidation: kind})
			})
		})
	}
}

// TestContractWithFailures runs the whole contract on a server that keeps an
// append-only file, is killed and comes back.
func TestContractWithFailures(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
			storetest.Run(t, func() (storetest.Target, error) {
				target, err := target(server.URL(), redisstore.Config{Invalidation: kind})
				target.Outage = func() (func() error, error) {
					server.Kill()
					return server.Restart, nil
				}
				target.Restart = func() (coatcheck.Store, error) {
					return target.Store, server.Restart()
				}
				return target, err
			})
		})
	}
}

func TestContractOnCluster(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			nodes := redistest.StartCluster(t, 3)
			storetest.Run(t, func() (storetest.Target, error) {
				return target(nodes[1].URL(), redisstore.Config{Invalidation: kind})
			})
		})
	}
}

// TestStalledServerIsUnavailable stops the server's process without closing a
// connection: a call must not hang although its context has no deadline.
func TestStalledServerIsUnavailable(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server.URL(), redisstore.Config{Timeout: 300 * time.Millisecond})
	server.Pause()
	_, err := s.Load(t.Context(), strings.Repeat("a", 22))
	if !errors.Is(err, coatcheck.ErrUnavailable) {
		t.Errorf("Load from a stalled server: %v, want ErrUnavailable", err)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the error blames a context that has no deadline: %v", err)
	}
	server.Resume()
	for {
		if _, err := s.Load(t.Context(), strings.Repeat("a", 22)); errors.Is(err, coatcheck.ErrNotFound) {
			break
		} else if t.Context().Err() != nil {
			t.Fatalf("no recovery: %v", err)
		}
	}
}

func TestPrefixesAreApart(t *testing.T) {
	server := redistest.Start(t)
	a := open(t, server.URL(), redisstore.Config{Prefix: "a*[x]?:"})
	b := open(t, server.URL(), redisstore.Config{Prefix: "abx:"}) // which a's prefix matches as a pattern
	m, err := coatcheck.New(coatcheck.Config[string]{Store: a})
	if err != nil {
		t.Fatal(err)
	}
	token, err := m.Generate(t.Context(), "hat")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Load(t.Context(), token.ID()); !errors.Is(err, coatcheck.ErrNotFound) {
		t.Errorf("a record is visible under another prefix: %v", err)
	}
	for name, want := range map[*redisstore.Store]int{a: 1, b: 0} {
		n := 0
		for _, err := range name.List(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n != want {
			t.Errorf("List yields %d records, want %d", n, want)
		}
	}
}

func TestClosedStore(t *testing.T) {
	server := redistest.Start(t)
	const storeName = "the-store-of-the-test"
	s := open(t, server.URL()+"?client_name="+storeName, redisstore.Config{})
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := s.Load(t.Context(), "x"); !errors.Is(err, coatcheck.ErrClosed) {
			t.Errorf("Load after Close: %v, want ErrClosed", err)
		}
	}
	observer := server.Client()
	for begin := time.Now(); ; {
		clients, err := observer.Do(t.Context(), observer.B().ClientList().Build()).ToString()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(clients, "name="+storeName) {
			break
		}
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("the connection outlives the store:\n%s", clients)
		}
	}
}

func TestForeignKeyIsErrDecode(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client()
	s := open(t, server.URL(), redisstore.Config{})
	id := strings.Repeat("a", 22)
	ctx := t.Context()
	for what, args := range map[string][]string{
		"another type": {"HSET", "coat:" + id, "field", "value"},
		"other bytes":  {"SET", "coat:" + id, "hello"},
	} {
		client.Do(ctx, client.B().Del().Key("coat:"+id).Build())
		if err := client.Do(ctx, client.B().Arbitrary(args...).Build()).Error(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Load(ctx, id); !errors.Is(err, coatcheck.ErrDecode) {
			t.Errorf("Load of a key with %s: %v, want ErrDecode", what, err)
		}
		if err := s.Update(ctx, coatcheck.Record{ID: id, Rev: 2}); err == nil {
			t.Errorf("Update of a key with %s succeeds", what)
		}
	}
}

func TestConfigNamesAllFaults(t *testing.T) {
	_, err := redisstore.Open(t.Context(), "redis://127.0.0.1:1", redisstore.Config{Prefix: "{a}", Timeout: -1})
	if !errors.Is(err, coatcheck.ErrInvalid) {
		t.Fatalf("Open: %v, want ErrInvalid", err)
	}
	for _, field := range []string{"Prefix", "Timeout"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("the error does not name %s: %v", field, err)
		}
	}
}
