package coatcheck_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
)

// bare hides all that a store can do besides the four methods.
func bare(s coatcheck.Store) coatcheck.Store { return struct{ coatcheck.Store }{s} }

// unable has the methods of a store that can do more, as one has that wraps
// another, and says of each that it cannot.
type unable struct{ coatcheck.Store }

var errUnable = fmt.Errorf("the store beneath cannot: %w", errors.ErrUnsupported)

func (unable) Touch(context.Context, coatcheck.Record) error { return errUnable }
func (unable) Ping(context.Context) error                    { return errUnable }
func (unable) List(context.Context) iter.Seq2[coatcheck.Record, error] {
	return func(yield func(coatcheck.Record, error) bool) { yield(coatcheck.Record{}, errUnable) }
}

func TestStoreThatCannotTouchIsExtendedByUpdate(t *testing.T) {
	for kind, wrap := range map[string]func(coatcheck.Store) coatcheck.Store{
		"bare":   bare,
		"unable": func(s coatcheck.Store) coatcheck.Store { return unable{s} },
	} {
		for _, v := range []verb{get, lookup, refresh} {
			inTime(t, v.name+" on a store "+kind, func(t *testing.T) {
				store := hook(t)
				m := newManager(t, config{Store: wrap(store)})
				token := generate(t, m, profile{Name: "ada"})
				for range 5 {
					time.Sleep(20 * minute)
					wantErr(t, v.name, v.call(t.Context(), m, token), nil)
				}
				if touches, updates := store.touches.Load(), store.updates.Load(); touches != 0 || updates != 5 {
					t.Errorf("%d touches and %d updates, want 0 and 5", touches, updates)
				}
				wantValue(t, m, token, profile{Name: "ada"})
				wantEnd(t, store, token, 30*minute)
			})
		}
	}
}

func TestTouchKeepsTheRulesWithAnyStore(t *testing.T) {
	// From its creation on, a record lives half an hour of at most one.
	tests := map[string]struct {
		edit func(*coatcheck.Record) // of what is asked for
		want time.Duration           // until the end, from creation; 0 for as before
		err  error
	}{
		"extends":                     {func(r *coatcheck.Record) { r.ExpiresAt = r.CreatedAt.Add(40 * minute) }, 40 * minute, nil},
		"never shortens":              {func(r *coatcheck.Record) { r.ExpiresAt = r.CreatedAt.Add(20 * minute) }, 0, nil},
		"never past the absolute":     {func(r *coatcheck.Record) { r.ExpiresAt = r.CreatedAt.Add(2 * hour) }, hour, nil},
		"nor by asking for no end":    {func(r *coatcheck.Record) { r.ExpiresAt = time.Time{} }, hour, nil},
		"nor by claiming another":     {func(r *coatcheck.Record) { r.ExpiresAt, r.AbsoluteDeadline = time.Time{}, time.Time{} }, hour, nil},
		"never another incarnation":   {func(r *coatcheck.Record) { r.ExpiresAt, r.Incarnation = r.CreatedAt.Add(hour), r.Incarnation+1 }, 0, coatcheck.ErrNotFound},
		"never what does not exist":   {func(r *coatcheck.Record) { r.ID = sampleID }, 0, coatcheck.ErrNotFound},
		"whatever revision is known":  {func(r *coatcheck.Record) { r.Rev, r.ExpiresAt = 77, r.CreatedAt.Add(40*minute) }, 40 * minute, nil},
		"without changing the value":  {func(r *coatcheck.Record) { r.Value, r.ExpiresAt = []byte("1"), r.CreatedAt.Add(40*minute) }, 40 * minute, nil},
		"without changing the secret": {func(r *coatcheck.Record) { r.SecretHash = [32]byte{}; r.ExpiresAt = r.CreatedAt.Add(hour) }, hour, nil},
	}
	for name, test := range tests {
		for kind, wrap := range map[string]func(coatcheck.Store) coatcheck.Store{
			"touching": func(s coatcheck.Store) coatcheck.Store { return s },
			"bare":     bare,
			"unable":   func(s coatcheck.Store) coatcheck.Store { return unable{s} },
		} {
			inTime(t, name+" on a store "+kind, func(t *testing.T) {
				store := openStore(t)
				m := newManager(t, config{Store: store, AbsoluteTimeout: hour})
				token := generate(t, m, profile{Name: "ada"})
				before := load(t, store, token)
				ask := before
				test.edit(&ask)
				time.Sleep(minute)
				_, err := coatcheck.Touch(t.Context(), wrap(store), ask)
				wantErr(t, "Touch", err, test.err)

				want := before
				if test.want != 0 {
					want.ExpiresAt = before.CreatedAt.Add(test.want)
				}
				got := load(t, store, token)
				got.Rev = want.Rev // the fallback may raise it
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("the record is\n%+v, want\n%+v", got, want)
				}
			})
		}
	}
}

func TestTouchNeverRevives(t *testing.T) {
	ends := map[string]func(*testing.T, coatcheck.Store, coatcheck.Record){
		"expired": func(*testing.T, coatcheck.Store, coatcheck.Record) { time.Sleep(30 * minute) },
		"deleted": func(t *testing.T, s coatcheck.Store, r coatcheck.Record) {
			wantErr(t, "Delete", s.Delete(t.Context(), r.ID), nil)
		},
	}
	for name, end := range ends {
		inTime(t, name, func(t *testing.T) {
			m, store := open(t)
			token := generate(t, m, profile{})
			r := load(t, store, token)
			end(t, store, r)
			r.ExpiresAt = time.Now().Add(hour)
			for _, s := range []coatcheck.Store{store, bare(store)} {
				_, err := coatcheck.Touch(t.Context(), s, r)
				wantErr(t, "Touch", err, coatcheck.ErrNotFound)
			}
			wantGone(t, m, token)
		})
	}
}

// A change that comes in between extends the record too, so there is nothing
// left to do; a deletion does not.
func TestTouchFallbackThatIsOvertaken(t *testing.T) {
	tests := map[string]struct {
		overtake verb
		want     error
	}{
		"by a change":   {change, nil},
		"by a deletion": {remove, coatcheck.ErrNotFound},
	}
	for name, test := range tests {
		inTime(t, name, func(t *testing.T) {
			store := hook(t)
			m, other := newManager(t, config{Store: bare(store)}), newManager(t, config{Store: store.Store})
			token := generate(t, m, profile{})
			time.Sleep(10 * minute)
			store.before = func(method string) error {
				if method == "Update" {
					return test.overtake.call(t.Context(), other, token)
				}
				return nil
			}
			wantErr(t, "Refresh", m.Refresh(t.Context(), token), test.want)
			store.before = failing(nil)
			wantErr(t, "Get", get.call(t.Context(), other, token), test.want)
		})
	}
}

func TestListOfAStoreThatCannotIsUnsupported(t *testing.T) {
	for _, store := range []coatcheck.Store{bare(openStore(t)), unable{openStore(t)}} {
		n := 0
		for r, err := range coatcheck.List(t.Context(), store) {
			n++
			wantErr(t, "List", err, errors.ErrUnsupported)
			if r.ID != "" {
				t.Errorf("yielded %+v with the error", r)
			}
		}
		if n != 1 {
			t.Errorf("yielded %d times, want once", n)
		}
	}
}

// failingTouch is a store that can touch and ping, and fails.
type failingTouch struct {
	coatcheck.Store
	err error
}

func (f failingTouch) Touch(context.Context, coatcheck.Record) error { return f.err }
func (f failingTouch) Ping(context.Context) error                    { return f.err }

// An outage whose cause happens to be an operation that the system does not
// support is an outage: nothing else is tried.
func TestOutageIsNoLackOfCapability(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, store := open(t)
		r := load(t, store, generate(t, m, profile{}))
		failing := failingTouch{store, fmt.Errorf("%w: %w", coatcheck.ErrUnavailable, syscall.ENOTSUP)}
		r.ExpiresAt = time.Now().Add(hour)
		_, err := coatcheck.Touch(t.Context(), failing, r)
		wantErr(t, "Touch", err, coatcheck.ErrUnavailable)
		wantErr(t, "Ping", coatcheck.Ping(t.Context(), failing), coatcheck.ErrUnavailable)
	})
}

func TestListYieldsEveryRecordOnce(t *testing.T) {
	m, store := open(t)
	missing := map[string]bool{}
	for range 10 {
		missing[generate(t, m, profile{}).ID()] = true
	}
	for r, err := range coatcheck.List(t.Context(), store) {
		wantErr(t, "List", err, nil)
		if !missing[r.ID] {
			t.Errorf("%s is yielded twice, or was never created", r.ID)
		}
		delete(missing, r.ID)
	}
	if len(missing) > 0 {
		t.Errorf("%d records were not yielded", len(missing))
	}
}

// pinged is a store that can tell for itself, by an error of its own.
type pinged struct{ coatcheck.Store }

var errPinged = errors.New("pinged")

func (pinged) Ping(context.Context) error { return errPinged }

func TestPingAsksTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		store := hook(t)
		wantErr(t, "a store that can tell", coatcheck.Ping(ctx, pinged{store}), errPinged)
		wantErr(t, "one that cannot, up", coatcheck.Ping(ctx, bare(store)), nil)
		wantErr(t, "one that says that it cannot, up", coatcheck.Ping(ctx, unable{store}), nil)
		store.before = failing(coatcheck.ErrUnavailable, "Load")
		wantErr(t, "one that says that it cannot, down", coatcheck.Ping(ctx, unable{store}), coatcheck.ErrUnavailable)
		wantErr(t, "one that cannot, down", coatcheck.Ping(ctx, bare(store)), coatcheck.ErrUnavailable)
	})
}

func TestEarlierTakesZeroForNever(t *testing.T) {
	never := time.Time{}
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := []struct{ a, b, want time.Time }{
		{never, never, never},
		{never, at, at},
		{at, never, at},
		{at, at, at},
		{at, at.Add(1), at},
		{at.Add(1), at, at},
	}
	for _, test := range tests {
		if got := coatcheck.Earlier(test.a, test.b); !got.Equal(test.want) {
			t.Errorf("Earlier(%v, %v) is %v, want %v", test.a, test.b, got, test.want)
		}
	}
}
