package redisstore

import (
	"testing"
	"time"

	"github.com/coatcheck/coatcheck/internal/redistest"
)

// TestIndexKeepsTheLatestEnd adds names with ends that come earlier and later.
// Of two updates that give a record another end the one that loses may add its
// name last.
func TestIndexKeepsTheLatestEnd(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, server, Config{})
	client := server.Client()
	const hour = time.Hour
	now := time.Now()
	for _, step := range []struct {
		id   string
		end  time.Duration // from now on; 0 for never
		want map[string]time.Duration
		life time.Duration // of the index
	}{
		{"a", 20 * hour, map[string]time.Duration{"a": 20 * hour}, 20 * hour},
		{"a", 10 * hour, map[string]time.Duration{"a": 20 * hour}, 20 * hour},
		{"a", 30 * hour, map[string]time.Duration{"a": 30 * hour}, 30 * hour},
		{"b", 5 * hour, map[string]time.Duration{"a": 30 * hour, "b": 5 * hour}, 30 * hour},
		// Whose end has come stays named for as long as clocks may differ, and no
		// longer.
		{"c", -clockTolerance / 2, map[string]time.Duration{"a": 30 * hour, "b": 5 * hour, "c": -clockTolerance / 2}, 30 * hour},
		{"d", -2 * clockTolerance, map[string]time.Duration{"a": 30 * hour, "b": 5 * hour, "c": -clockTolerance / 2, "d": -2 * clockTolerance}, 30 * hour},
		{"b", 5 * hour, map[string]time.Duration{"a": 30 * hour, "b": 5 * hour, "c": -clockTolerance / 2}, 30 * hour},
		{"b", 0, map[string]time.Duration{"a": 30 * hour, "b": 0, "c": -clockTolerance / 2}, 0},
		{"a", 40 * hour, map[string]time.Duration{"a": 40 * hour, "b": 0, "c": -clockTolerance / 2}, 0},
	} {
		r := sample()
		r.ID, r.Subject = step.id, "ada"
		r.AbsoluteDeadline, r.ExpiresAt = time.Time{}, time.Time{}
		if step.end != 0 {
			r.AbsoluteDeadline, r.ExpiresAt = now.Add(step.end), now.Add(step.end-hour)
		}
		if err := s.addToIndex(t.Context(), "test", &r); err != nil {
			t.Fatal(err)
		}
		scores, err := client.Do(t.Context(), client.B().Zrange().Key(s.indexKey("ada")).Min("0").Max("-1").Withscores().Build()).AsZScores()
		if err != nil {
			t.Fatal(err)
		}
		if len(scores) != len(step.want) {
			t.Errorf("after %s until %v: the index is %v, want %v", step.id, step.end, scores, step.want)
		}
		for _, got := range scores {
			id, _, _ := parseIndexName(got.Member)
			want, ok := step.want[id]
			wantScore := float64(now.Add(want).UnixMilli())
			if !ok || want != 0 && got.Score != wantScore || want == 0 && got.Score < 1e300 {
				t.Errorf("after %s until %v: %s has the score %f, want %f", step.id, step.end, id, got.Score, wantScore)
			}
		}
		ttl, err := client.Do(t.Context(), client.B().Pttl().Key(s.indexKey("ada")).Build()).AsInt64()
		if err != nil {
			t.Fatal(err)
		}
		life := time.Duration(ttl) * time.Millisecond
		if want := time.Until(now.Add(step.life + clockTolerance)); step.life == 0 && ttl != -1 || step.life != 0 && (life-want).Abs() > 10*time.Second {
			t.Errorf("after %s until %v: the index lives for %v, want %v", step.id, step.end, life, want)
		}
	}
}

// A record of version 1 was written when there was no index: the first change
// names it.
func TestFirstVersionIsIndexedOnceChanged(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, server, Config{})
	r := firstVersionRecord(t, server)
	for _, want := range []int{0, 1} {
		n := 0
		for got, err := range s.ListSubject(t.Context(), r.Subject) {
			if err != nil {
				t.Fatal(err)
			}
			if got.ID == r.ID {
				n++
			}
		}
		if n != want {
			t.Errorf("at revision %d it is listed %d times, want %d", r.Rev, n, want)
		}
		r.Rev++
		if err := s.Update(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
}
