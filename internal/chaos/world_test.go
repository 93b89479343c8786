package chaos

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/redistest"
	"github.com/coatcheck/coatcheck/redisstore"
)

// outsideTimeout bounds each call of the outside, which no proxy delays.
const outsideTimeout = 3 * time.Second

// world is a server, the sessions on it, and the nodes that use them. What it
// does itself it does from outside: on the server, and without a near cache.
type world struct {
	t        *testing.T
	server   *redistest.Server
	admin    rueidis.Client
	manager  *coatcheck.Manager[Value]
	recorder *Recorder
	files    []string // the histories
	nodes    []*node
	proxies  []*Proxy

	// mu is held while a session is created, and while all are deleted at once,
	// so that it is certain which existed.
	mu     sync.Mutex
	tokens []coatcheck.Token // by number
	places [Places]uint32    // which numbers are in use
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t}
	// What is acknowledged, or was read, survives a kill.
	w.server = redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	w.admin = w.server.Client()
	quiet := slog.New(slog.DiscardHandler) // it is known that the server comes and goes
	store, err := redisstore.Open(t.Context(), w.server.URL(), redisstore.Config{
		Timeout: time.Second, Invalidation: redisstore.NoInvalidation, Logger: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	w.manager, err = coatcheck.New(coatcheck.Config[Value]{
		Store: store, NearCache: coatcheck.NearCache{MaxEntries: -1}, Logger: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.manager.Close() })
	w.recorder, err = NewRecorder(w.file("outside"))
	if err != nil {
		t.Fatal(err)
	}
	for place := range w.places {
		if _, err := w.create(place); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// file names a new file of the history.
func (w *world) file(name string) string {
	w.files = append(w.files, filepath.Join(w.t.TempDir(), name))
	return w.files[len(w.files)-1]
}

// addNode starts a process behind a proxy of its own.
func (w *world) addNode(p plan) {
	w.t.Helper()
	number := len(w.nodes)
	seed := p.seed + uint64(number)*1000
	proxy, err := StartProxy(w.server.Addr, p.proxy, seed)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = proxy.Close() })
	w.proxies = append(w.proxies, proxy)
	n := startNode(w.t, p.program, NodeConfig{
		Node: uint8(number), URL: "redis://" + proxy.Addr(), Invalidation: p.invalidation,
		MaxStaleness: maxStaleness, Goroutines: p.goroutines, Pace: p.pace,
		History: w.file(fmt.Sprint("node-", number)), Seed: seed,
	})
	w.nodes = append(w.nodes, n)
	var all []Session
	for place, session := range w.places {
		all = append(all, Session{Place: place, Number: session, Token: string(w.tokens[session])})
	}
	n.order(Order{Sessions: all})
}

// create gives a place to a new session.
func (w *world) create(place int) (Session, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ctx, cancel := context.WithTimeout(w.t.Context(), outsideTimeout)
	defer cancel()
	r := Record{Kind: Create, Node: Outside, Rev: 1, Session: uint32(len(w.tokens)), Start: Now()}
	token, err := w.manager.Generate(ctx, Value{})
	if err != nil { // nobody will know the token, should there be one
		return Session{}, err
	}
	r.End = Now()
	w.recorder.Add(r)
	w.tokens = append(w.tokens, token)
	w.places[place] = r.Session
	return Session{Place: place, Number: r.Session, Token: string(token)}, nil
}

// get reads a session from outside.
func (w *world) get(number uint32) Outcome {
	ctx, cancel := context.WithTimeout(w.t.Context(), outsideTimeout)
	defer cancel()
	r := Record{Kind: Get, Node: Outside, Session: number, Start: Now()}
	value, info, err := w.manager.Lookup(ctx, w.tokens[number])
	r.End = Now()
	r.Rev, r.N, r.Op = uint32(info.Rev), value.N, value.Op
	switch {
	case errors.Is(err, coatcheck.ErrNotFound):
		r.Outcome = NotFound
	case err != nil:
		r.Outcome = Failed
	}
	w.recorder.Add(r)
	return r.Outcome
}

// topUp replaces the sessions that are gone, and tells the nodes, until it is
// stopped.
func (w *world) topUp(stop <-chan struct{}) {
	for {
		var fresh []Session
		for place, number := range w.places {
			outcome := w.get(number)
			if outcome == Failed {
				break // the server is down
			}
			if outcome == NotFound {
				if s, err := w.create(place); err == nil {
					fresh = append(fresh, s)
				}
			}
		}
		if len(fresh) > 0 {
			for _, n := range w.nodes {
				n.order(Order{Sessions: fresh})
			}
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-stop:
			return
		}
	}
}

// deleteAll empties the server: every session is deleted at once.
func (w *world) deleteAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	ctx, cancel := context.WithTimeout(w.t.Context(), outsideTimeout)
	defer cancel()
	r := Record{Kind: Delete, Node: Outside, Start: Now()}
	err := w.admin.Do(ctx, w.admin.B().Flushall().Build()).Error()
	r.End = Now()
	if err != nil {
		r.Outcome = Failed
	}
	for _, r.Session = range w.places {
		w.recorder.Add(r)
	}
}

// stopNodes ends the processes and returns their totals, added up.
func (w *world) stopNodes() Totals {
	all := Totals{Errors: map[string]int{}}
	for _, n := range w.nodes {
		totals, err := n.stop()
		if err != nil {
			w.t.Error(err)
		}
		all.CachedHits += totals.CachedHits
		for cause, count := range totals.Errors {
			all.Errors[cause] += count
		}
	}
	return all
}

// look reads all sessions that there ever were, when all is quiet and
// everybody has had the time to hear of every change.
func (w *world) look() {
	time.Sleep(2 * maxStaleness) // this much is promised
	for number := range w.tokens {
		for attempt := 0; w.get(uint32(number)) == Failed; attempt++ {
			if attempt == 3 {
				w.t.Fatal("the server does not answer in the end")
			}
		}
	}
}
