package chaos

import (
	"testing"
	"time"
)

func TestTheTableAddsUp(t *testing.T) {
	report := Check(NewHistory(made(Create, Outside, 0, 1, 1), get(1, 2, 3, 1), change(1, 4, 5, 2),
		get(2, 6, 7, 1), ended(get(2, 8, 9, 1), Failed), made(Refresh, 1, 10, 11, 2), made(Update, 1, 12, 13, 3),
		graced(made(Renew, 1, 13.1, 13.2, 4)), change(1, 13.3, 13.4, 5), by(made(Renew, 1, 13.5, 13.6, 6), 4), refused(change(1, 13.7, 13.8, 7)),
		by(made(Renew, 1, 13.81, 13.82, 7), 6), by(deletion(1, 14, 15), 7), revocation(1, 14, 15), ended(get(2, 16, 17, 1), NotFound),
		ended(revocation(Outside, 0, 1), Failed)), limits)
	report.CachedHits, report.Lasted = 7, 2*time.Second
	report.Errors = map[string]int{"deadline": 1, "unavailable": 0}
	report.Faults = map[string]int{StallBoth: 2, CutByEnd: 3}
	const want = `sessions             1
reads                3, 2 a second
  cached hits        7
  stale              1, worst by 1.0 ms (allowed: 200 ms)
writes               8: 2 Change, 1 Update, 3 Renew, 1 Delete, 1 Revoke
  renewals           2 at once, 1 with grace
refreshes            1
old tokens           2 refused, 1 let in within the grace
errors               1 (deadline 1)
faults               5 (cut by end 3, stall both 2)
violations, P1       0 of: bounded staleness
violations, P2       0 of: read your writes
violations, P3       0 of: never backwards
violations, P4       0 of: no lost update
violations, P5       0 of: no resurrection
violations, P6       0 of: old tokens open nothing
`
	if got := report.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
