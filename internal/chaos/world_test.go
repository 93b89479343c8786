package chaos

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
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
	proxies  []*Proxy
	office   office

	// mu is held while a session is created, and while many are ended at once, so
	// that it is certain which existed.
	mu      sync.Mutex
	places  [Places]uint32 // which numbers are in use
	created uint32         // how many sessions there were

	revoking [Subjects]atomic.Int32 // how many revocations are under way
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
		RenewEvery: renewEvery, RenewGrace: renewGrace, OnReuse: coatcheck.ReportReuse,
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
		_, err := w.create(place)
		for attempt := 1; err != nil; attempt++ {
			if attempt == patience {
				t.Fatal(err)
			}
			_, err = w.create(place)
		}
	}
	return w
}

// patience is how often the outside tries what no fault keeps it from: the disk
// of a busy machine may.
const patience = 5

// file names a new file of the history.
func (w *world) file(name string) string {
	w.files = append(w.files, filepath.Join(w.t.TempDir(), name))
	return w.files[len(w.files)-1]
}

// addNode starts a process behind a proxy of its own.
func (w *world) addNode(p plan) {
	w.t.Helper()
	number := len(w.office.nodes)
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
		RenewEvery: renewEvery, RenewGrace: renewGrace,
	}, w.hear)
	w.office.join(n)
	var all []Session
	for _, number := range w.places {
		all = append(all, w.office.latest(number))
	}
	n.order(Order{Sessions: all})
}

// hear takes an answer of a node. It must not wait for what the server does: the
// others are to know a new token soon.
func (w *world) hear(from *node, a Answer) {
	if a.Renewed != nil {
		w.office.issued(*a.Renewed)
		w.office.tell(Order{Sessions: []Session{*a.Renewed}}, from)
	}
	if a.Revoked != nil {
		w.revoking[*a.Revoked].Add(-1)
	}
}

// create gives a place to a new session.
func (w *world) create(place int) (Session, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ctx, cancel := context.WithTimeout(w.t.Context(), outsideTimeout)
	defer cancel()
	subject := SubjectOf(place)
	meanwhile := w.revoking[subject].Load() > 0
	r := Record{Kind: Create, Node: Outside, Rev: 1, Session: w.created, Start: Now()}
	token, err := w.manager.Generate(ctx, Value{}, coatcheck.ForSubject(SubjectName(subject)))
	if err != nil { // nobody will know the token, should there be one
		return Session{}, err
	}
	r.End = Now()
	w.recorder.Add(r)
	if meanwhile { // it may end this one, too, or not
		r.Kind, r.Rev, r.Secret, r.Outcome = Revoke, 0, NoSecret, Failed
		w.recorder.Add(r)
	}
	w.created++
	w.places[place] = r.Session
	s := Session{Place: place, Number: r.Session, Token: string(token), Rev: 1}
	w.office.issued(s)
	return s, nil
}

// get reads a session from outside.
func (w *world) get(s Session) Outcome {
	ctx, cancel := context.WithTimeout(w.t.Context(), outsideTimeout)
	defer cancel()
	r := Record{Kind: Get, Node: Outside, Session: s.Number, Secret: s.Secret, Start: Now()}
	value, info, err := w.manager.Lookup(ctx, coatcheck.Token(s.Token))
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

// lostAfter is how long nobody seems to have a session's token before it is given
// up: whoever has renewed it may have been stopped before he could tell, or the
// answer that brought the token was lost.
const lostAfter = time.Second

// topUp replaces the sessions that are gone, and tells the nodes, until it is
// stopped.
func (w *world) topUp(stop <-chan struct{}) {
	var missed [Places]time.Time // since when no token is known
	for {
		var fresh []Session
		for place, number := range w.places {
			s := w.office.latest(number)
			outcome := w.get(s)
			if outcome == Failed {
				break // the server is down
			}
			if outcome == OK {
				missed[place] = time.Time{}
				continue
			}
			if missed[place].IsZero() {
				missed[place] = time.Now()
			}
			if !w.gone(s, time.Since(missed[place]) > lostAfter) {
				continue
			}
			if s, err := w.create(place); err == nil {
				missed[place] = time.Time{}
				fresh = append(fresh, s)
			}
		}
		if len(fresh) > 0 {
			w.office.tell(Order{Sessions: fresh}, nil)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-stop:
			return
		}
	}
}

// gone reports whether there is no such session any more, under whatever token;
// if it is lost, it is ended.
func (w *world) gone(s Session, lost bool) bool {
	ctx, cancel := context.WithTimeout(w.t.Context(), outsideTimeout)
	defer cancel()
	id := coatcheck.Token(s.Token).ID()
	_, err := w.manager.Describe(ctx, id)
	if err != nil || !lost {
		return errors.Is(err, coatcheck.ErrNotFound)
	}
	r := Record{Kind: Delete, Node: Outside, Session: s.Number, Secret: NoSecret, Start: Now()}
	err = w.manager.Revoke(ctx, id)
	r.End = Now()
	if err != nil {
		r.Outcome = Failed
	}
	w.recorder.Add(r)
	return err == nil
}

// revokeSubjects has nodes end all sessions of a subject, until it is stopped.
func (w *world) revokeSubjects(p plan, stop <-chan struct{}) {
	random := random(p.seed + 3)
	for {
		select {
		case <-time.After(p.revokePause.Pick(random)):
		case <-stop:
			return
		}
		subject := random.IntN(Subjects)
		n := w.office.nodes[random.IntN(len(w.office.nodes))]
		w.mu.Lock()
		revocation := Revocation{Subject: subject}
		for place, number := range w.places {
			if SubjectOf(place) == subject {
				revocation.Sessions = append(revocation.Sessions, number)
			}
		}
		w.revoking[subject].Add(1)
		w.mu.Unlock()
		n.order(Order{Revoke: &revocation})
	}
}

// deleteAll empties the server: every session is deleted at once.
func (w *world) deleteAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	ctx, cancel := context.WithTimeout(w.t.Context(), outsideTimeout)
	defer cancel()
	r := Record{Kind: Delete, Node: Outside, Secret: NoSecret, Start: Now()}
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
	for _, n := range w.office.nodes {
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

// look reads all sessions that there ever were, with all of their tokens, when all
// is quiet and everybody has had the time to hear of every change.
func (w *world) look() {
	time.Sleep(2*maxStaleness + renewGrace) // this much is promised
	for _, s := range w.office.everything() {
		for attempt := 0; w.get(s) == Failed; attempt++ {
			if attempt == patience {
				w.t.Fatal("the server does not answer in the end")
			}
		}
	}
}
