package chaos

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// limits of the histories below.
var limits = Limits{MaxStaleness: 200 * time.Millisecond, RenewGrace: 400 * time.Millisecond}

// made is an operation that succeeded, with the value that revision has where
// all writes are Changes. Times are in milliseconds.
func made(kind Kind, node uint8, start, end float64, rev uint32) Record {
	r := Record{Kind: kind, Node: node, Start: int64(start * 1e6), End: int64(end * 1e6)}
	if !r.ends() {
		r.Rev = rev
	}
	if !r.ends() && kind != Refresh {
		r.Op, r.N = opOf(rev), rev-1
	}
	return r
}

func opOf(rev uint32) uint64 { return uint64(rev - 1) } // 0 is the creation

func get(node uint8, start, end float64, rev uint32) Record { return made(Get, node, start, end, rev) }

func change(node uint8, start, end float64, rev uint32) Record {
	return made(Change, node, start, end, rev)
}

func deletion(node uint8, start, end float64) Record { return made(Delete, node, start, end, 0) }

func ended(r Record, as Outcome) Record {
	r.Outcome, r.Rev = as, 0
	if as == NotFound && r.Kind == Get {
		r.Op, r.N = 0, 0
	}
	return r
}

func later(r Record, nanoseconds int64) Record {
	r.Start, r.End = r.Start+nanoseconds, r.End+nanoseconds
	return r
}

func valued(r Record, n uint32, op uint64) Record {
	r.N, r.Op = n, op
	return r
}

const (
	p1, p2, p3, p4, p5, p6 = BoundedStaleness, ReadYourWrites, NeverBackwards, NoLostUpdate, NoResurrection, OldTokens
	A, B                   = 1, 2 // nodes
)

// story is a history of one session, and the promises that it breaks.
type story struct {
	name    string
	records []Record // besides the creation
	want    []Promise
}

// TestCheckFindsEachViolation pairs each history that breaks a promise with its
// nearest neighbours that break none.
func TestCheckFindsEachViolation(t *testing.T) {
	tell(t, []story{
		{"stale for as long as is allowed",
			[]Record{change(A, 10, 11, 2), get(B, 211, 212, 1)}, nil},
		{"stale for a nanosecond longer",
			[]Record{change(A, 10, 11, 2), later(get(B, 211, 212, 1), 1)}, []Promise{p1}},
		{"begun in time, however late it ends",
			[]Record{change(A, 10, 11, 2), get(B, 211, 9000, 1)}, nil},
		{"a change that failed need not be seen",
			[]Record{ended(change(A, 10, 11, 2), Failed), get(B, 9000, 9001, 1)}, nil},
		{"a change that failed may be seen at once",
			[]Record{ended(change(A, 10, 11, 2), Failed), get(B, 10.5, 10.6, 2)}, nil},
		{"a change that failed may be made long after",
			[]Record{ended(change(A, 10, 11, 2), Failed), get(B, 5000, 5001, 1), get(B, 6000, 6001, 2)}, nil},
		{"of two missed changes the one that ended first counts",
			[]Record{change(A, 10, 1000, 2), change(B, 20, 30, 3), later(get(B+1, 230, 231, 1), 1)}, []Promise{p1}},
		{"the one that ended first is not missed",
			[]Record{change(A, 10, 30, 2), change(B, 20, 1000, 3), later(get(B+1, 230, 231, 2), 1)}, nil},
		{"stale within bounds by two revisions",
			[]Record{change(A, 10, 11, 2), change(A, 20, 21, 3), get(B, 100, 101, 1)}, nil},
		{"an update is missed too long",
			[]Record{made(Update, A, 10, 11, 2), get(B, 300, 301, 1)}, []Promise{p1}},

		{"a change and a deletion are missed, the change too long",
			[]Record{change(A, 10, 11, 2), deletion(A, 12, 1000), later(get(B, 211, 212, 1), 1)}, []Promise{p1}},

		{"own write, then an older read",
			[]Record{change(A, 10, 11, 2), get(A, 12, 13, 1)}, []Promise{p2}},
		{"another node's write, then an older read",
			[]Record{change(A, 10, 11, 2), get(B, 12, 13, 1)}, nil},
		{"own write under way, and an older read",
			[]Record{change(A, 10, 13, 2), get(A, 12, 14, 1)}, nil},
		{"own write ends in the nanosecond in which an older read begins",
			[]Record{change(A, 10, 12, 2), get(A, 12, 13, 1)}, nil},
		{"own write that failed, then an older read",
			[]Record{ended(change(A, 10, 11, 2), Failed), get(A, 12, 13, 1)}, nil},
		{"own deletion, then a read",
			[]Record{deletion(A, 10, 11), get(A, 12, 13, 1)}, []Promise{p2}},
		{"own deletion that failed, then a read",
			[]Record{ended(deletion(A, 10, 11), Failed), get(A, 12, 13, 1)}, nil},

		{"backwards on one node",
			[]Record{change(A, 10, 11, 2), get(B, 12, 13, 2), get(B, 14, 15, 1)}, []Promise{p3}},
		{"backwards on another node",
			[]Record{change(A, 10, 11, 2), get(B, 12, 13, 2), get(B+1, 14, 15, 1)}, nil},
		{"backwards, but at the same time",
			[]Record{change(A, 10, 11, 2), get(B, 12, 14, 2), get(B, 13, 15, 1)}, nil},
		{"found after not found",
			[]Record{deletion(A, 10, 11), ended(get(B, 12, 13, 1), NotFound), get(B, 14, 15, 1)}, []Promise{p3}},
		{"found after not found on another node",
			[]Record{deletion(A, 10, 11), ended(get(B, 12, 13, 1), NotFound), get(B+1, 14, 15, 1)}, nil},
		{"found and not found at the same time",
			[]Record{deletion(A, 10, 11), ended(get(B, 12, 14, 1), NotFound), get(B, 13, 15, 1)}, nil},
		{"not found, then an error",
			[]Record{deletion(A, 10, 11), ended(get(B, 12, 13, 1), NotFound), ended(get(B, 14, 15, 1), Failed)}, nil},

		{"two changes make one revision",
			[]Record{change(A, 10, 20, 2), valued(change(B, 11, 21, 2), 1, 99)}, []Promise{p4}},
		{"two changes make two revisions at the same time",
			[]Record{change(A, 10, 20, 3), change(B, 11, 21, 2)}, nil},
		{"a change makes an earlier revision than one that ended before it began",
			[]Record{change(A, 10, 11, 3), change(B, 12, 13, 2)}, []Promise{p4}},
		{"a change makes a revision that was read before",
			[]Record{ended(change(A, 10, 11, 2), Failed), get(B, 12, 13, 2), valued(change(A, 14, 15, 2), 1, 99)}, []Promise{p4}},
		{"a change makes an earlier revision than was read before",
			[]Record{ended(change(A, 10, 11, 3), Failed), get(B, 12, 13, 3), change(A, 14, 15, 2)}, []Promise{p4}},
		{"a change makes the revision after the one that was read before",
			[]Record{ended(change(A, 10, 11, 2), Failed), get(B, 12, 13, 2), change(A, 14, 15, 3)}, nil},
		{"the counter lags behind the revision",
			[]Record{change(A, 10, 11, 2), valued(change(A, 12, 13, 3), 1, 2)}, []Promise{p4}},
		{"the counter lags behind the revision in a change that only a reader knows of",
			[]Record{change(A, 10, 11, 2), ended(valued(change(A, 12, 13, 3), 1, 2), Failed), valued(get(B, 14, 15, 3), 1, 2)}, []Promise{p4}},
		{"an update sets the counter, a change adds one",
			[]Record{valued(made(Update, A, 10, 11, 2), 70, 1), valued(change(A, 12, 13, 3), 71, 2)}, nil},
		{"an update sets the counter, a change takes it from before",
			[]Record{valued(made(Update, A, 10, 11, 2), 70, 1), valued(change(A, 12, 13, 3), 1, 2)}, []Promise{p4}},
		{"the counter after a revision that nobody knows of",
			[]Record{ended(made(Update, A, 10, 11, 2), Failed), valued(change(A, 12, 13, 3), 71, 2)}, nil},
		{"another value is read than was written at the revision",
			[]Record{change(A, 10, 11, 2), ended(change(B, 10, 11, 3), Failed), valued(get(A, 12, 13, 2), 2, 2)}, []Promise{p4}},
		{"two readers see two values at the revision of a change that failed",
			[]Record{ended(made(Update, A, 10, 11, 2), Failed), ended(made(Update, A, 10, 11, 3), Failed),
				get(A, 12, 13, 2), valued(get(A, 12, 13, 2), 2, 2)}, []Promise{p4}},
		{"two readers see the same value at the revision of a change that failed",
			[]Record{ended(change(A, 10, 11, 2), Failed), get(A, 12, 13, 2), get(B, 12, 13, 2)}, nil},
		{"a value is read at two revisions",
			[]Record{change(A, 10, 11, 2), valued(get(A, 12, 13, 3), 1, 1)}, []Promise{p4}},
		{"a value is read that nobody wrote",
			[]Record{valued(get(A, 12, 13, 2), 1, 99)}, []Promise{p4}},
		{"a value is read that was answered not to have been written",
			[]Record{ended(change(A, 10, 11, 2), Conflict), get(A, 12, 13, 2)}, []Promise{p4}},
		{"a value is read before it is written",
			[]Record{get(B, 5, 9, 2), change(A, 10, 11, 2)}, []Promise{p4}},
		{"a value is read before it is written by a change that failed",
			[]Record{get(B, 5, 9, 2), ended(change(A, 10, 11, 2), Failed)}, []Promise{p4}},
		{"a value is read while it is written",
			[]Record{get(B, 5, 10, 2), change(A, 10, 11, 2)}, nil},
		{"a counter is read that is not the written one",
			[]Record{change(A, 10, 11, 2), valued(get(A, 12, 13, 2), 7, 1)}, []Promise{p4}},
		{"one change is recorded twice",
			[]Record{change(A, 10, 11, 2), valued(change(B, 12, 13, 3), 2, opOf(2))}, []Promise{p4}},
		{"gone although nobody deleted it",
			[]Record{ended(get(A, 10, 11, 1), NotFound)}, []Promise{p4}},
		{"gone before anybody deleted it",
			[]Record{ended(change(A, 10, 11, 2), NotFound), deletion(B, 12, 13)}, []Promise{p4}},
		{"gone while somebody deletes it",
			[]Record{ended(get(A, 10, 12, 1), NotFound), deletion(B, 12, 13)}, nil},
		{"gone long after a deletion that failed",
			[]Record{ended(deletion(B, 10, 11), Failed), get(A, 5000, 5001, 1), ended(get(A, 6000, 6001, 1), NotFound)}, nil},

		{"changed after it was deleted",
			[]Record{deletion(A, 10, 11), change(B, 12, 13, 2)}, []Promise{p5}},
		{"updated after it was deleted",
			[]Record{deletion(A, 10, 11), made(Update, B, 12, 13, 2)}, []Promise{p5}},
		{"extended after it was deleted",
			[]Record{deletion(A, 10, 11), made(Refresh, B, 12, 13, 1)}, []Promise{p5}},
		{"changed while it was deleted",
			[]Record{deletion(A, 10, 11), change(B, 11, 13, 2)}, nil},
		{"changed after a deletion that failed",
			[]Record{ended(deletion(A, 10, 11), Failed), change(B, 12, 13, 2)}, nil},
		{"changed after a deletion that failed but that was seen",
			[]Record{ended(deletion(A, 10, 11), Failed), ended(get(A, 12, 13, 1), NotFound), change(B, 14, 15, 2)}, []Promise{p5}},
		{"not changed after it was deleted",
			[]Record{deletion(A, 10, 11), ended(change(B, 12, 13, 2), NotFound)}, nil},
		{"read as long after its deletion as is allowed",
			[]Record{deletion(A, 10, 11), get(B, 211, 212, 1)}, nil},
		{"read a nanosecond longer after its deletion",
			[]Record{deletion(A, 10, 11), later(get(B, 211, 212, 1), 1)}, []Promise{p1, p5}},
		{"read long after a deletion that failed",
			[]Record{ended(deletion(A, 10, 11), Failed), get(B, 9000, 9001, 1)}, nil},
		{"deleted twice",
			[]Record{deletion(A, 10, 11), deletion(B, 12, 13), ended(get(B, 14, 15, 1), NotFound)}, nil},
	})
}

func tell(t *testing.T, stories []story) {
	created := made(Create, Outside, 0, 1, 1)
	for _, test := range stories {
		t.Run(test.name, func(t *testing.T) {
			report := Check(NewHistory(append([]Record{created}, test.records...)...), limits)
			var got []Promise
			for p, n := range report.Violations {
				if n > 0 {
					got = append(got, Promise(p))
				}
				if (n > 0) != (len(report.Examples[p]) > 0) {
					t.Errorf("%v: %d violations, examples %q", Promise(p), n, report.Examples[p])
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("broken: %v, want %v\n%v", got, test.want, report.Examples)
			}
		})
	}
}

func TestCheckKeepsSessionsApart(t *testing.T) {
	var records []Record
	for session := range uint32(10) {
		for _, r := range []Record{made(Create, Outside, 0, 1, 1), change(1, 10, 11, 2), get(2, 300, 301, 1), get(2, 302, 303, 1)} {
			r.Session = 3 * session // not every number is in use
			records = append(records, r)
		}
	}
	report := Check(NewHistory(records...), limits)
	if report.Sessions != 10 || report.Violations != [promises]int{BoundedStaleness: 20} {
		t.Errorf("%d sessions, violations %v", report.Sessions, report.Violations)
	}
	if n := len(report.Examples[BoundedStaleness]); n != maxExamples {
		t.Errorf("%d examples, want %d", n, maxExamples)
	}
	if report.StaleReads != 20 || report.WorstStaleness != 291*time.Millisecond {
		t.Errorf("%d stale reads, worst by %v, want 20 by 291ms", report.StaleReads, report.WorstStaleness)
	}
}

func TestAnExampleShowsWhatHappenedAround(t *testing.T) {
	report := Check(NewHistory(made(Create, Outside, 0, 1, 1), get(1, 5, 6, 1), change(1, 90, 91, 2),
		change(1, 100, 101, 3), get(2, 110, 111, 1), get(1, 120, 121, 2), get(1, 900, 901, 3)), limits)
	text := report.Examples[ReadYourWrites][0]
	for _, want := range []string{"-> ", ">> ", "revision 2, N=1 by 0/1"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	if n := strings.Count(text, "\n"); n != 4 { // the headline, two changes, the read
		t.Errorf("%d lines, want 4:\n%s", n, text)
	}
}
