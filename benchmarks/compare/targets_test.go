package compare

import (
	"maps"
	"math"
	"strings"
	"testing"
)

// atLimits has a figure for each metric that a target rests on, each at its limit.
func atLimits() Metrics {
	metrics := Metrics{}
	for _, t := range targets {
		for _, b := range t.bounds {
			metrics[b.metric] = b.limit
			if b.inverse != 0 {
				metrics[b.metric] = b.inverse / b.limit
			}
			if b.inverse != 0 && !b.most {
				metrics[b.metric] = math.Nextafter(metrics[b.metric], 0) // for it was rounded
			}
		}
		for _, b := range t.beside {
			metrics[b.metric] = 7
		}
	}
	return metrics
}

func TestTargetsAreMetAtTheirLimits(t *testing.T) {
	for _, target := range targets {
		if v := target.judge(atLimits()); !v.Met || v.Missing != "" {
			t.Errorf("%+v, want it met", v)
		}
	}
}

// TestEachBoundCounts makes one figure worse by a hundredth, or leaves it out.
func TestEachBoundCounts(t *testing.T) {
	for _, target := range targets {
		for _, b := range target.bounds {
			metrics := atLimits()
			worse := b.limit*0.99 - 0.001
			if b.most {
				worse = b.limit*1.01 + 0.001
			}
			if b.inverse != 0 {
				worse = b.inverse / worse
			}
			metrics[b.metric] = worse
			if v := target.judge(metrics); v.Met || v.Missing != "" {
				t.Errorf("with %s at %v: %+v, want it not met", b.metric, worse, v)
			}
			delete(metrics, b.metric)
			if v := target.judge(metrics); v.Met || v.Missing != b.metric {
				t.Errorf("without %s: %+v, want that it is missing", b.metric, v)
			}
		}
	}
}

// TestWhoTellsNobodyMissesTheTarget: messages are to be as many as holders, not fewer.
func TestWhoTellsNobodyMissesTheTarget(t *testing.T) {
	messages := targets[len(targets)-1]
	for _, holders := range []string{"1", "15"} {
		metrics := atLimits()
		metrics["messages/nodes-16/holders-"+holders] = 0
		if v := messages.judge(metrics); v.Met || v.Missing != "" {
			t.Errorf("none for %s holders: %+v, want it not met", holders, v)
		}
	}
}

// TestWhatStandsBeside is told, and needed, met or not.
func TestWhatStandsBeside(t *testing.T) {
	for _, target := range targets {
		for _, b := range target.beside {
			metrics := atLimits()
			if v := target.judge(metrics); !strings.Contains(v.Beside, strings.ReplaceAll(b.sentence, "%s", "7")) {
				t.Errorf("%q does not say %q", v.Beside, b.sentence)
			}
			delete(metrics, b.metric)
			if v := target.judge(metrics); v.Missing != b.metric {
				t.Errorf("without %s: %+v, want that it is missing", b.metric, v)
			}
		}
	}
}

func TestVerdictTexts(t *testing.T) {
	v := targets[0].judge(Metrics{"CachedGet/held-1/goroutines-1 x-otter": 0.4, "CachedGet/held-1/goroutines-1 allocs/op": 0})
	want := Verdict{
		What:     "`Manager.Get`, cached, typed",
		Wanted:   "≤ 2 times a bare lookup in the cache; ≤ 0 allocations",
		Measured: "2.5; 0",
	}
	if v != want {
		t.Errorf("got %+v, want %+v", v, want)
	}
}

// TestMiddlewareIsOfTheTournament takes the figures of one request from the reads.
func TestMiddlewareIsOfTheTournament(t *testing.T) {
	own := Standing{Subject: yardstick, Nanoseconds: Quartiles{1, 449, 500}, Allocs: 3.2}
	scs := Standing{Subject: "scs-memory", Nanoseconds: Quartiles{1, 1230, 1300}, Times: Quartiles{50, 60, 70}}
	bare := Standing{Subject: "bare-context", Nanoseconds: Quartiles{1, 123, 500}}
	from := Standing{Subject: "coatcheck-redis-from", Nanoseconds: Quartiles{1, 321, 500}}
	r := Results{Metrics: atLimits()}
	for _, clients := range []int{fewClients, baseClients} {
		r.Cells = append(r.Cells, Cell{Read, baseValue, clients, yardstick, []Standing{own, scs, bare, from}})
	}
	before := maps.Clone(r.Metrics)
	if v := r.Verdicts()[1]; !v.Met || v.Measured != "449; 449; 3" || !strings.Contains(v.Beside, " 60 times") || !strings.Contains(v.Beside, " 123 ns") || !strings.Contains(v.Beside, " 321 ns") {
		t.Errorf("%+v, want it met", v)
	}
	r.Cells[0].Standings[0].Nanoseconds.Median = 451
	if v := r.Verdicts()[1]; v.Met || v.Measured != "449; 451; 3" {
		t.Errorf("%+v, want it not met", v)
	}
	if !maps.Equal(r.Metrics, before) {
		t.Error("the verdicts have changed the metrics")
	}
}
