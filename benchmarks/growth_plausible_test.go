package benchmarks

import (
	"math"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck/benchmarks/growth"
	"github.com/coatcheck/coatcheck/redisstore"
)

// plausible holds what is counted, and does not depend on how busy the machine is,
// against what it must be.
func plausible(t *testing.T, f *growth.Figures) {
	t.Helper()
	bytes := map[string]map[int]float64{} // of a change, by kind and holders, on the most nodes
	for _, m := range f.Messages {
		if m.Nodes == f.Messages[len(f.Messages)-1].Nodes {
			if bytes[m.Invalidation] == nil {
				bytes[m.Invalidation] = map[int]float64{}
			}
			bytes[m.Invalidation][m.Holders] = m.Bytes
		}
	}
	tracking, pubsub := bytes[redisstore.Tracking.String()], bytes[redisstore.PubSub.String()]
	if message := tracking[1] - tracking[0]; message <= 0 {
		t.Errorf("with tracking a holder costs %v bytes", message)
	}
	for holders, n := range pubsub {
		if math.Abs(n-pubsub[0]) > 1 { // a message has 59; what the server says of itself varies by a few in all
			t.Errorf("with pub/sub a change takes %v bytes with %d holders, and %v with none", n, holders, pubsub[0])
		}
	}
	for _, h := range f.Hits {
		if h.HitRatio <= 0 || h.HitRatio >= 1 {
			t.Errorf("%+v: want some hits, and some misses", h)
		}
	}
	for _, r := range f.Routing {
		if expected := 1 / (1 + float64(r.Nodes-1)*r.ChangeShare); math.Abs(r.HitRatio-expected) > 0.15 {
			t.Errorf("%+v: want about %.2f", r, expected)
		}
	}
	for i := range f.Tracking[1:] {
		if f.Tracking[i+1].Bytes <= f.Tracking[i].Bytes {
			t.Errorf("%+v takes no more than %+v", f.Tracking[i+1], f.Tracking[i])
		}
	}
}

// TestSideBySide has a side that takes twice as long as the other.
func TestSideBySide(t *testing.T) {
	now := time.Time{}
	takes := func(d time.Duration) workload {
		return func(_, n int) error {
			now = now.Add(time.Duration(n) * d)
			return nil
		}
	}
	c := contest{ours: takes(20 * time.Microsecond), rival: takes(10 * time.Microsecond)}
	ours, rival, ratio, err := sideBySideBy(c, 3, func() time.Time { return now })
	if ours != 20_000 || rival != 10_000 || ratio != 0.5 || err != nil {
		t.Errorf("%v and %v ns, ratio %v, error %v; want 20,000 and 10,000 ns, 0.5", ours, rival, ratio, err)
	}
}
