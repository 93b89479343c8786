package chaos

import (
	"slices"
	"testing"
	"time"
)

// TestViolationsAreSeen takes from the near cache one guard after the other:
// a proof that would not notice is none.
func TestViolationsAreSeen(t *testing.T) {
	for _, mutant := range []struct {
		tag    string
		tuned  func(*plan)
		broken []Promise
	}{
		{"coatcheck_no_freshness_rule", longSilence, []Promise{BoundedStaleness, OldTokens}},
		{"coatcheck_no_fill_guard", overtakenReads, []Promise{BoundedStaleness}},
	} {
		program := buildNode(t, "-tags", mutant.tag)
		for _, invalidation := range []string{"tracking", "pubsub"} {
			t.Run(mutant.tag+"/"+invalidation, func(t *testing.T) {
				p := everything(t, program, invalidation)
				mutant.tuned(&p)
				p.mustBreak(t, mutant.broken...)
			})
		}
	}
}

// TestANaiveCacheIsSeen has the nodes put a cache in front of the manager that
// keeps no promise.
func TestANaiveCacheIsSeen(t *testing.T) {
	p := everything(t, buildNode(t, "-tags", "chaos_naive_cache"), "tracking")
	p.calm()
	p.mustBreak(t, BoundedStaleness, ReadYourWrites, NoResurrection, OldTokens)
}

// TestASparedSessionIsSeen has the nodes forget one session when they end all of
// a subject.
func TestASparedSessionIsSeen(t *testing.T) {
	p := everything(t, buildNode(t, "-tags", "chaos_partial_revoke"), "tracking")
	p.calm()
	p.mustBreak(t, NoResurrection)
}

// calm leaves all faults out.
func (p *plan) calm() {
	p.server, p.proxy, p.nodePause = nil, ProxyFaults{Pause: Span{time.Hour, time.Hour}}, Span{}
}

// longSilence has invalidations come late, or never, while the nodes go on.
func longSilence(p *plan) {
	p.server, p.nodePause = nil, Span{}
	p.proxy.Kinds = []Cards{{StallReplies, 4}, {SwallowReplies, 1}}
	p.proxy.Pause = Span{200 * time.Millisecond, 500 * time.Millisecond}
	p.proxy.Stall = Span{500 * time.Millisecond, 900 * time.Millisecond}
}

// overtakenReads has many reads under way while their session is changed. Where
// one connection carries all, the answer to the read and the invalidation that
// follows it then arrive in one piece, so that whoever waits for the answer
// seldom looks at it before the invalidation is through; where there are two
// connections, the answer may come later than the invalidation.
func overtakenReads(p *plan) {
	p.server, p.nodePause = nil, Span{}
	p.goroutines, p.pace = 16, 3*time.Millisecond
	p.proxy.Kinds = []Cards{{StallReplies, 1}}
	p.proxy.Pause = Span{2 * time.Millisecond, 20 * time.Millisecond}
	p.proxy.Stall = Span{2 * time.Millisecond, 30 * time.Millisecond}
}

// mustBreak runs a plan in short rounds until each of the promises was seen
// broken, for 20 seconds at most.
func (p plan) mustBreak(t *testing.T, want ...Promise) {
	t.Helper()
	began := time.Now()
	missing := slices.Clone(want)
	for p.lasts = 2 * time.Second; time.Since(began) < 20*time.Second; p.seed++ {
		report := p.run(t)
		t.Logf("after %v:\n%v", time.Since(began).Round(time.Millisecond), report)
		missing = slices.DeleteFunc(missing, func(promise Promise) bool { return report.Violations[promise] > 0 })
		if len(missing) == 0 || t.Failed() {
			return
		}
	}
	t.Errorf("nobody noticed: %v", missing)
}
