package growth

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// small is a scenario whose figures can be computed by hand: all sessions are used
// alike, so that a cache for a tenth of them hits a tenth.
var (
	small = Scenario{
		Sessions: 1e6, Nodes: 11, Requests: 10_000, ChangeShare: 0.1, Life: 1000 * time.Second, ValueBytes: 300,
		Zipf:       0,
		MaxEntries: 100_000, MaxStaleness: time.Second, TouchInterval: 900 * time.Second,
		ServerBytes: 1e8, ServerShare: 0.5,
	}
	smallSlopes = Slopes{
		Record: line{200, 1}, Tracked: line{100, 10}, Entry: 200, Message: 60, OfIdeal: 0.9,
		Get: 5000, Change: 10_000, Create: 8000, Tell: 1000, Connections: 1,
	}
)

type figure struct {
	name      string
	got, want float64
}

func compare(t *testing.T, figures []figure) {
	t.Helper()
	for _, f := range figures {
		if math.Abs(f.got-f.want) > 1e-9*math.Abs(f.want) {
			t.Errorf("%s: %v, want %v", f.name, f.got, f.want)
		}
	}
}

func TestModelToAnyNode(t *testing.T) {
	d := Model(small, smallSlopes)
	compare(t, []figure{
		{"touches", d.Touches, 1000}, // 1e6 / (900 s + 100 s between two requests)
		{"changes", d.Changes, 1000},
		{"creations", d.Creates, 1000},
		{"kept", d.Kept, 1. / 3}, // 1 / (1 + 10 · 0.2)
		{"holders", d.Holders, 11. / 3},
		{"room", d.Room, 0.09}, // 0.9 · 0.1
		{"hit ratio", d.HitRatio, 0.03},
		{"misses", d.Misses, 10_700},
		{"commands", d.Commands, 13_700},
		{"records", d.RecordBytes, 5e8},
		{"tracking table", d.TrackingBytes, 1e6 * (100 + 110./3)},
		{"servers for memory", d.ForMemory, 7}, // 6.4e8 / 1e8
		{"marks", d.Marks, 44},
		{"time for marks", d.MarkShare, 44 * 5e-6},
		{"busy", d.Busy, 0.0535 + 0.02 + 0.008 + 20_000e-6/3},
		{"servers for commands", d.ForCommands, 1},
		{"servers", d.Servers, 7},
		{"messages", d.Messages, 2000 * 10. / 3}, // each write to ten others, a third of which hold it
		{"messages by pub/sub", d.PubSub, 11_000},
		{"tracked keys", d.TrackedKeys, 1e6 / 7.},
		{"hit ratio by default", d.HitAtDefault, 0.03},
		{"connections", d.Connections, 11},
		{"network", d.NetworkBytes, 12_700*377 + 400_000 + d.Touches*143 + 44*7*50},
		{"near cache", d.NearBytes, 5e7},
	})
}

func TestModelToOneNode(t *testing.T) {
	sticky := small
	sticky.Sticky = true
	d := Model(sticky, smallSlopes)
	compare(t, []figure{
		{"hit ratio", d.HitRatio, 1}, // 11 · 100,000 entries are more than all sessions
		{"misses", d.Misses, 1000},   // once after each creation
		{"commands", d.Commands, 4000},
		{"messages", d.Messages, 0},
		{"tracking table", d.TrackingBytes, 1.1e8},
		{"room for a quarter of what the servers would have to remember", room(sticky, smallSlopes, 250_000), 0.225},
	})
}

func TestModelOfMarksAlone(t *testing.T) {
	s := small
	s.Nodes, s.MaxStaleness = 1000, 10*time.Millisecond // 400,000 marks a second, 5 µs each
	if d := Model(s, smallSlopes); !math.IsInf(d.ForCommands, 1) {
		t.Errorf("%v servers would do, want that none does", d.ForCommands)
	}
}

func TestLimits(t *testing.T) {
	limits := Limits(small, smallSlopes)
	for i, l := range limits {
		if i > 0 && l.Use() > limits[i-1].Use() {
			t.Errorf("%q is used more than %q before it", l.Name, limits[i-1].Name)
		}
		switch l.Name {
		case "room in the near caches": // 1e6 sessions, where one near cache has room for 100,000
			compare(t, []figure{{"use of the near caches", l.Use(), 10}})
			nearly(t, "sessions that fill a near cache", l.BreaksAt, 100_000)
		case "connections of a server": // 10,000, one of each of 11 nodes
			compare(t, []figure{{"use of connections", l.Use(), 0.0011}})
			nearly(t, "sessions of as many nodes", l.BreaksAt, 1e6*10_000/11)
		}
	}
}

// TestLimitsThatGrowAlong has each node bring room for the sessions that it serves.
func TestLimitsThatGrowAlong(t *testing.T) {
	sticky := small
	sticky.Sticky = true
	for _, l := range Limits(sticky, smallSlopes) {
		if l.Name == "room in the near caches" && !math.IsInf(l.BreaksAt, 1) {
			t.Errorf("the near caches are full at %v sessions, want never", l.BreaksAt)
		}
	}
}

func nearly(t *testing.T, name string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-6*want {
		t.Errorf("%s: %v, want %v", name, got, want)
	}
}

func TestFit(t *testing.T) {
	l := fit([]point{{1, 5}, {2, 7}, {4, 11}})
	compare(t, []figure{{"at 0", l.At0, 3}, {"slope", l.Slope, 2}, {"between", l.at(3), 9}})
	noisy := fit([]point{{0, 1}, {0, 3}, {2, 4}, {2, 6}})
	compare(t, []figure{{"at 0, noisy", noisy.At0, 2}, {"slope, noisy", noisy.Slope, 1.5}})
}

func TestHarmonic(t *testing.T) {
	for _, s := range []float64{0, 0.9, 1, 1.01} {
		for _, n := range []int{1, 999, 1001, 300_000} {
			sum := 0.0
			for k := 1; k <= n; k++ {
				sum += math.Pow(float64(k), -s)
			}
			if got := harmonic(float64(n), s); math.Abs(got-sum) > 1e-6*sum {
				t.Errorf("s %v, n %d: %v, want %v", s, n, got, sum)
			}
		}
	}
}

// TestZipfDraws counts draws of three sessions, used 1 : 1/2 : 1/3 of the time.
func TestZipfDraws(t *testing.T) {
	z, random := NewZipf(1, 3), rand.New(rand.NewPCG(1, 0))
	const draws = 110_000
	var counts [3]float64
	for range draws {
		counts[z.Draw(random)]++
	}
	for i, want := range []float64{60_000, 30_000, 20_000} {
		if math.Abs(counts[i]-want) > 1000 { // five standard deviations and more
			t.Errorf("session %d was drawn %v times, want about %v", i, counts[i], want)
		}
	}
}
