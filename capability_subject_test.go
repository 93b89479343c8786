package coatcheck_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"syscall"
	"testing"

	"github.com/coatcheck/coatcheck"
)

func (unable) ListSubject(context.Context, string) iter.Seq2[coatcheck.Record, error] {
	return func(yield func(coatcheck.Record, error) bool) { yield(coatcheck.Record{}, errUnable) }
}

// catalogue is a store that lists what it is told to, and counts what is taken.
type catalogue struct {
	coatcheck.Store
	records []coatcheck.Record
	failure error // after the records
	taken   *int
}

func (l catalogue) List(context.Context) iter.Seq2[coatcheck.Record, error] {
	return func(yield func(coatcheck.Record, error) bool) {
		for _, r := range l.records {
			*l.taken++
			if !yield(r, nil) {
				return
			}
		}
		if l.failure != nil {
			yield(coatcheck.Record{}, l.failure)
		}
	}
}

// withIndex is a store that does so with a subject.
type withIndex struct{ catalogue }

func (i withIndex) ListSubject(ctx context.Context, subject string) iter.Seq2[coatcheck.Record, error] {
	return i.List(ctx)
}

// ofSubject returns what ListSubject yields, and the error with which it ends.
func ofSubject(t *testing.T, s coatcheck.Store, subject string) (ids []string, failure error) {
	t.Helper()
	for r, err := range coatcheck.ListSubject(t.Context(), s, subject) {
		switch {
		case failure != nil:
			t.Error("something is yielded after an error")
		case err != nil:
			failure = err
		default:
			ids = append(ids, r.ID)
			if r.Value != nil {
				t.Errorf("the value %q is yielded", r.Value)
			}
		}
	}
	slices.Sort(ids)
	return ids, failure
}

func TestListSubjectWithAnyStore(t *testing.T) {
	m, store := open(t)
	var want []string
	for range 3 {
		token := generate(t, m, profile{Name: "ada"}, coatcheck.ForSubject("ada"))
		want = append(want, token.ID())
		generate(t, m, profile{}, coatcheck.ForSubject("ada lovelace"))
		generate(t, m, profile{})
	}
	slices.Sort(want)
	for kind, s := range map[string]coatcheck.Store{
		"with an index":         store,
		"that can list":         struct{ lister }{store},
		"that wraps such a one": almostUnable{store},
	} {
		if got, err := ofSubject(t, s, "ada"); err != nil || !slices.Equal(got, want) {
			t.Errorf("a store %s: %q, %v, want %q", kind, got, err, want)
		}
		if got, err := ofSubject(t, s, "grace"); err != nil || len(got) > 0 {
			t.Errorf("a store %s, with a subject that is not there: %q, %v", kind, got, err)
		}
		_, err := ofSubject(t, s, "")
		wantErr(t, "a store "+kind+", with the empty subject", err, coatcheck.ErrInvalid)
	}
	for _, s := range []coatcheck.Store{bare(store), unable{store}} {
		got, err := ofSubject(t, s, "ada")
		wantErr(t, "a store that can do neither", err, errors.ErrUnsupported)
		if len(got) > 0 {
			t.Errorf("a store that can do neither yields %q", got)
		}
	}
}

type lister interface {
	coatcheck.Store
	coatcheck.Lister
}

// almostUnable is a store that wraps one that lists and has no index.
type almostUnable struct{ lister }

func (almostUnable) ListSubject(ctx context.Context, subject string) iter.Seq2[coatcheck.Record, error] {
	return unable{}.ListSubject(ctx, subject)
}

// A Lister may yield a record twice while others come and go.
func TestListSubjectYieldsWhatIsListedTwiceOnce(t *testing.T) {
	a, b := coatcheck.Record{ID: "a", Subject: "ada", Value: []byte("1")}, coatcheck.Record{ID: "b", Subject: "ada"}
	s := catalogue{records: []coatcheck.Record{a, b, a, {ID: "c", Subject: "grace"}, b}, taken: new(int)}
	if got, err := ofSubject(t, s, "ada"); err != nil || !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("yielded %q, %v, want each record once", got, err)
	}
}

func TestListSubjectEndsAtAnError(t *testing.T) {
	a := coatcheck.Record{ID: "a", Subject: "ada"}
	// The cause happens to be an operation that the system does not support.
	outage := fmt.Errorf("%w: %w", coatcheck.ErrUnavailable, syscall.ENOTSUP)
	failing := catalogue{records: []coatcheck.Record{a}, failure: outage, taken: new(int)}
	for kind, s := range map[string]coatcheck.Store{"that can list": failing, "with an index": withIndex{failing}} {
		*failing.taken = 0
		got, err := ofSubject(t, s, "ada")
		wantErr(t, "a store "+kind, err, outage)
		if !slices.Equal(got, []string{"a"}) || *failing.taken != 1 {
			t.Errorf("a store %s: %q is yielded, and %d records are looked at, want the one before the error", kind, got, *failing.taken)
		}
	}
}

func TestListSubjectCanBeLeftEarly(t *testing.T) {
	a, b := coatcheck.Record{ID: "a", Subject: "ada"}, coatcheck.Record{ID: "b", Subject: "ada"}
	many := catalogue{records: []coatcheck.Record{a, b}, taken: new(int)}
	for kind, s := range map[string]coatcheck.Store{"that can list": many, "with an index": withIndex{many}} {
		*many.taken = 0
		for range coatcheck.ListSubject(t.Context(), s, "ada") {
			break
		}
		if *many.taken != 1 {
			t.Errorf("a store %s: %d records are looked at, want 1", kind, *many.taken)
		}
	}
}
