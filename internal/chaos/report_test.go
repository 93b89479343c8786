package chaos

import (
	"testing"
	"time"
)

func TestTheTableAddsUp(t *testing.T) {
	report := Check(NewHistory(made(Create, Outside, 0, 1, 1), get(1, 2, 3, 1), change(1, 4, 5, 2),
		get(2, 6, 7, 1), ended(get(2, 8, 9, 1), Failed), made(Refresh, 1, 10, 11, 2), made(Update, 1, 12, 13, 3),
		deletion(1, 14, 15), ended(get(2, 16, 17, 1), NotFound)), delta)
	report.CachedHits, report.Lasted = 7, 2*time.Second
	report.Errors = map[string]int{"deadline": 1, "unavailable": 0}
	report.Faults = map[string]int{StallBoth: 2, CutByEnd: 3}
	const want = `sessions             1
reads                3, 2 a second
  cached hits        7
  stale              1, worst by 1.0 ms (allowed: 200 ms)
writes               3: 1 Change, 1 Update, 1 Delete
refreshes            1
errors               1 (deadline 1)
faults               5 (cut by end 3, stall both 2)
violations, P1       0 of: bounded staleness
violations, P2       0 of: read your writes
violations, P3       0 of: never backwards
violations, P4       0 of: no lost update
violations, P5       0 of: no resurrection
`
	if got := report.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
