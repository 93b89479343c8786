package benchmarks

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeTime passes only when a workload says so.
type fakeTime struct {
	at      time.Time
	running bool
	started time.Time
	counted time.Duration
}

func (f *fakeTime) now() time.Time { return f.at }
func (f *fakeTime) StartTimer()    { f.running, f.started = true, f.at }

func (f *fakeTime) StopTimer() {
	if f.running {
		f.counted += f.at.Sub(f.started)
	}
	f.running = false
}

// costing returns a workload that takes cost for each operation, and where it
// notes the operations' numbers.
func (f *fakeTime) costing(cost time.Duration) (workload, *[]int) {
	var done []int
	return func(first, n int) error {
		for i := range n {
			done = append(done, first+i)
		}
		f.at = f.at.Add(time.Duration(n) * cost)
		return nil
	}, &done
}

func TestRounds(t *testing.T) {
	var f fakeTime
	ours, doneOurs := f.costing(4 * time.Microsecond)
	rival, doneRival := f.costing(time.Microsecond)
	disturbed := func(first, n int) error {
		if first == 300 { // one round out of ten
			f.at = f.at.Add(time.Hour)
		}
		return rival(first, n)
	}
	pauses := 0
	pause := func() error { pauses++; f.at = f.at.Add(time.Minute); return nil }
	c := contest{ours: ours, rival: disturbed, between: pause, timer: &f, now: f.now}

	r, err := c.play(1050, 100)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.ratios) != 10 || pauses != 10 {
		t.Errorf("%d rounds and %d pauses, want 10", len(r.ratios), pauses)
	}
	if got := r.quantile(0.5); got != 0.25 {
		t.Errorf("median %v, want 0.25: ours costs 4 times as much", got)
	}
	if want := 1050 * 4 * time.Microsecond; f.counted != want {
		t.Errorf("the timer counted %v, want %v: ours and nothing else", f.counted, want)
	}
	if want := 1050*time.Microsecond + time.Hour; r.rival != want {
		t.Errorf("the rival took %v, want %v", r.rival, want)
	}
	if len(*doneOurs) != 1050 || !slices.Equal(*doneOurs, *doneRival) {
		t.Errorf("ours did %d operations, the rival %d, or others; want the same 1050", len(*doneOurs), len(*doneRival))
	}
}

func TestRoundSize(t *testing.T) {
	var f fakeTime
	ours, _ := f.costing(3 * time.Microsecond)
	rival, _ := f.costing(time.Microsecond)
	c := contest{ours: ours, rival: rival, timer: &f, now: f.now}
	size, err := c.size(64)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Duration(size) * 3 * time.Microsecond; size%64 != 0 || took > roundTime || took < roundTime*9/10 {
		t.Errorf("size %d takes %v, want a multiple of 64 that takes about %v", size, took, roundTime)
	}
}

func TestLevelRounds(t *testing.T) {
	var f fakeTime
	ours, doneOurs := f.costing(3 * time.Microsecond)
	rival, doneRival := f.costing(10 * time.Nanosecond)
	c := contest{ours: ours, rival: rival, level: true, timer: &f, now: f.now}
	size, err := c.size(64)
	if err != nil {
		t.Fatal(err)
	}
	*doneOurs, *doneRival = nil, nil
	r, err := c.play(10*size, size)
	if err != nil {
		t.Fatal(err)
	}
	if len(*doneOurs) != 10*size || len(*doneRival) != 3000*size {
		t.Errorf("ours did %d operations, the rival %d; want %d and 300 times as many", len(*doneOurs), len(*doneRival), 10*size)
	}
	if got := r.quantile(0.5); got != 1.0/300 {
		t.Errorf("median %v, want 1/300: of one operation beside one", got)
	}
	if want := time.Duration(10*size) * 10 * time.Nanosecond; r.rival != want {
		t.Errorf("the rival took %v, want %v: as for as many operations as ours", r.rival, want)
	}
}

func TestSpreadDoesEachOperationOnce(t *testing.T) {
	for _, goroutines := range []int{1, 3, 64} {
		var mu sync.Mutex
		var done []int
		err := spread(goroutines, func(i int) error {
			mu.Lock()
			defer mu.Unlock()
			done = append(done, i)
			return nil
		})(10, 50)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(done)
		if len(done) != 50 || done[0] != 10 || done[49] != 59 || len(slices.Compact(done)) != 50 {
			t.Errorf("%d goroutines did %v, want 10 to 59", goroutines, done)
		}
	}
}

func TestErrorsEndTheContest(t *testing.T) {
	var f fakeTime
	fine, _ := f.costing(time.Microsecond)
	broken := spread(1, func(i int) error {
		if i >= 250 {
			return errors.New("broken")
		}
		return nil
	})
	for _, c := range []contest{{ours: broken, rival: fine}, {ours: fine, rival: broken}} {
		c.timer, c.now = &f, f.now
		if r, err := c.play(1000, 100); err == nil || !strings.Contains(err.Error(), "broken") || len(r.ratios) != 2 {
			t.Errorf("error %v after %d rounds, want that of the third", err, len(r.ratios))
		}
	}
}
