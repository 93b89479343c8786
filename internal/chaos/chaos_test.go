package chaos

import (
	"flag"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	lasts      = flag.Duration("chaos.for", 7*time.Second, "how long to run, for each kind of invalidation")
	nodes      = flag.Int("chaos.nodes", 4, "how many processes")
	goroutines = flag.Int("chaos.goroutines", 8, "of each process")
	pace       = flag.Duration("chaos.pace", 2*time.Millisecond, "mean pause of a goroutine between two operations")
	seedFlag   = flag.Uint64("chaos.seed", 0, "chooses the faults and the operations; 0 for any")
	race       = flag.Bool("chaos.race", false, "build the nodes with the race detector")
)

// What all nodes have. Tokens are renewed with grace often, and at once in between,
// so that some are retired twice.
const (
	maxStaleness = 200 * time.Millisecond
	renewEvery   = time.Second
	renewGrace   = 400 * time.Millisecond
)

// plan is what happens in a run.
type plan struct {
	program           string // of the nodes
	invalidation      string
	lasts             time.Duration
	nodes, goroutines int
	pace              time.Duration
	proxy             ProxyFaults
	server            []Cards // faults of the injector
	serverPause       Span    // between two of them
	nodePause         Span    // between two stops of a node; zero for none
	revokePause       Span    // between two revocations of all sessions of a subject; zero for none
	stop              Span    // how long the server or a node is stopped
	seed              uint64
}

// everything is a plan with all kinds of faults.
func everything(t *testing.T, program, invalidation string) plan {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-chaos.seed=%d", seed)
	return plan{
		program: program, invalidation: invalidation, lasts: *lasts,
		nodes: *nodes, goroutines: *goroutines, pace: *pace, seed: seed,
		proxy: ProxyFaults{
			Kinds: []Cards{
				{StallReplies, 6}, {StallRequests, 2}, {StallBoth, 2},
				{SwallowReplies, 2}, {SwallowRequests, 1}, {SwallowBoth, 1}, {CutByReset, 1}, {CutByEnd, 1},
			},
			Pause:   Span{100 * time.Millisecond, 1500 * time.Millisecond},
			Stall:   Span{5 * time.Millisecond, 900 * time.Millisecond},
			Swallow: Span{time.Second, 2 * time.Second},
		},
		server: []Cards{
			{killNormal, 3}, {killPubSub, 3}, {stopServer, 3}, {restartServer, 2}, {deleteAll, 1},
		},
		serverPause: Span{100 * time.Millisecond, 600 * time.Millisecond},
		nodePause:   Span{200 * time.Millisecond, 1200 * time.Millisecond},
		revokePause: Span{100 * time.Millisecond, 600 * time.Millisecond},
		stop:        Span{20 * time.Millisecond, 700 * time.Millisecond},
	}
}

// run lets a plan happen and returns what came out.
func (p plan) run(t *testing.T) *Report {
	t.Helper()
	w := newWorld(t)
	for range p.nodes {
		w.addNode(p)
	}
	began := time.Now()
	in := &injector{world: w, plan: p, counts: map[string]int{}}
	stop := make(chan struct{})
	var aside sync.WaitGroup
	aside.Go(func() { w.topUp(stop) })
	if p.revokePause != (Span{}) {
		aside.Go(func() { w.revokeSubjects(p, stop) })
	}
	stopped := 0
	if p.nodePause != (Span{}) {
		aside.Go(func() { stopped = in.harmNodes(began.Add(p.lasts)) })
	}
	quiet := sync.OnceFunc(func() {
		close(stop)
		aside.Wait()
	})
	defer quiet() // also if the server does not come back
	in.harmServer(began.Add(p.lasts))
	quiet()
	totals := w.stopNodes()
	lasted := time.Since(began)
	for _, proxy := range w.proxies {
		for fault, n := range proxy.Counts() {
			in.counts[fault] += n
		}
	}
	in.counts[stopNode] = stopped
	w.look()
	if err := w.recorder.Close(); err != nil {
		t.Fatal(err)
	}
	history, err := ReadHistory(w.files...)
	if err != nil {
		t.Fatal(err)
	}
	report := Check(history, Limits{MaxStaleness: maxStaleness, RenewGrace: renewGrace})
	report.CachedHits, report.Errors, report.Faults, report.Lasted = totals.CachedHits, totals.Errors, in.counts, lasted
	report.Errors["outside"] = report.Failures() - sum(report.Errors)
	return report
}

// TestChaos is the proof: with all kinds of faults at once no promise is broken.
func TestChaos(t *testing.T) {
	var args []string
	if *race {
		args = append(args, "-race")
	}
	program := buildNode(t, args...)
	for _, invalidation := range []string{"tracking", "pubsub"} {
		t.Run(invalidation, func(t *testing.T) {
			report := everything(t, program, invalidation).run(t)
			t.Logf("\n%v", report)
			for p, n := range report.Violations {
				if n > 0 {
					t.Errorf("P%d, %v: %d violations, such as\n%s", p+1, Promise(p), n, strings.Join(report.Examples[p], "\n"))
				}
			}
			// It would prove nothing if nothing had happened.
			if report.Reads() < 1000 || report.CachedHits < 500 || report.Writes() < 100 || report.Outcomes[Delete][OK] == 0 || sum(report.Faults) < 10 {
				t.Error("hardly anything has happened")
			}
			atOnce := report.Outcomes[Renew][OK] - report.WithGrace
			if atOnce < 10 || report.WithGrace < 10 || report.WithinGrace < 10 || report.RefusedOld < 10 || report.Outcomes[Revoke][OK] < 10 {
				t.Error("hardly any token was renewed and used, or subject revoked")
			}
		})
	}
}

func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }
