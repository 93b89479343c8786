package coatcheck_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
)

// listing is a store that asks before each record that it lists, and may have an
// index.
type listing struct {
	*hooked
	during func(n int) error
	lists  atomic.Int64
}

func list(t testing.TB) *listing {
	t.Helper()
	return &listing{hooked: hook(t), during: func(int) error { return nil }}
}

// ListSubject says that there is no index.
func (s *listing) ListSubject(context.Context, string) iter.Seq2[coatcheck.Record, error] {
	return func(yield func(coatcheck.Record, error) bool) { yield(coatcheck.Record{}, errors.ErrUnsupported) }
}

func (s *listing) List(ctx context.Context) iter.Seq2[coatcheck.Record, error] {
	s.lists.Add(1)
	return func(yield func(coatcheck.Record, error) bool) {
		n := 0
		for r, err := range s.Store.List(ctx) {
			if fault := s.during(n); fault != nil {
				err = fault
			}
			if n++; !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// indexed finds subjects by itself.
type indexed struct {
	*listing
	asked atomic.Int64
	err   error
}

func (s *indexed) ListSubject(ctx context.Context, subject string) iter.Seq2[coatcheck.Record, error] {
	s.asked.Add(1)
	return func(yield func(coatcheck.Record, error) bool) {
		if s.err != nil {
			yield(coatcheck.Record{}, s.err)
			return
		}
		for r, err := range s.Store.List(ctx) {
			if r.Value = nil; r.Subject == subject && !yield(r, err) {
				return
			}
		}
	}
}

// idsOf returns the IDs of what Sessions returns.
func idsOf(t testing.TB, m *coatcheck.Manager[profile], subject string) string {
	t.Helper()
	all, err := m.Sessions(t.Context(), subject)
	wantErr(t, "Sessions", err, nil)
	var ids []string
	for _, s := range all {
		ids = append(ids, s.ID)
	}
	return strings.Join(ids, " ")
}

func TestSessionsAreListedLatestFirst(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, store, _ := desk(t, n, config{})
		at := time.Now().UTC()
		a := generate(t, m, profile{}, coatcheck.ForSubject("ada"))
		generate(t, m, profile{}, coatcheck.ForSubject("bob"))
		generate(t, m, profile{})
		time.Sleep(minute)
		b, err := m.Generate(calledBy(t, home), profile{}, coatcheck.ForSubject("ada"))
		wantErr(t, "Generate", err, nil)
		time.Sleep(minute)
		a = renew(t, m, a) // which makes it no later
		time.Sleep(10 * minute)
		wantValue(t, m, b, profile{})

		for _, m := range []*coatcheck.Manager[profile]{m, across(t, store, n)} {
			all, err := m.Sessions(t.Context(), "ada")
			wantErr(t, "Sessions", err, nil)
			want := []coatcheck.Info{{
				ID: b.ID(), Rev: 1, Subject: "ada", Client: home, CreatedAt: at.Add(minute), RenewedAt: at.Add(minute),
				LastSeen: at.Add(12 * minute), ExpiresAt: at.Add(42 * minute),
			}, {
				ID: a.ID(), Rev: 2, Subject: "ada", CreatedAt: at, RenewedAt: at.Add(2 * minute),
				LastSeen: at.Add(2 * minute), ExpiresAt: at.Add(32 * minute),
			}}
			if len(all) != 2 || all[0] != want[0] || all[1] != want[1] {
				t.Errorf("Sessions:\n%+v, want\n%+v", all, want)
			}
			for _, want := range want {
				got, err := m.Describe(t.Context(), want.ID)
				if wantErr(t, "Describe", err, nil); got != want {
					t.Errorf("Describe: %+v, want %+v", got, want)
				}
			}
		}
		time.Sleep(25 * minute)
		if got := idsOf(t, m, "ada"); got != b.ID() {
			t.Errorf("after the end of one: %s", got)
		}
		if got := idsOf(t, m, "nobody of that name"); got != "" {
			t.Errorf("of a stranger: %s", got)
		}
	})
}

func TestSessionsOfOneMomentAreInOrderOfID(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, _, _ := desk(t, n, config{})
		for range 20 {
			generate(t, m, profile{}, coatcheck.ForSubject("ada"))
		}
		ids := strings.Fields(idsOf(t, m, "ada"))
		for i := 1; i < len(ids); i++ {
			if ids[i-1] >= ids[i] {
				t.Errorf("%s comes before %s", ids[i-1], ids[i])
			}
		}
	})
}

// A read that extends nothing leaves no trace: LastSeen is exact to a
// TouchInterval.
func TestLastSeen(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, _, _ := desk(t, n, config{TouchInterval: 5 * minute})
		token := generate(t, m, profile{})
		idle := generate(t, m, profile{}, coatcheck.WithIdleTimeout(coatcheck.Never))
		at := time.Now()
		for passed, seen := range map[time.Duration]time.Duration{5*minute - time.Millisecond: 0} {
			time.Sleep(passed)
			wantValue(t, m, token, profile{})
			wantLastSeen(t, m, token, at.Add(seen))
		}
		time.Sleep(time.Millisecond)
		wantValue(t, m, token, profile{})
		wantLastSeen(t, m, token, time.Now())
		time.Sleep(minute)
		wantErr(t, "Refresh", m.Refresh(t.Context(), token), nil)
		wantLastSeen(t, m, token, time.Now())
		wantValue(t, m, idle, profile{})
		wantLastSeen(t, m, idle, at) // its use extends nothing
		idle = renew(t, m, idle)
		wantLastSeen(t, m, idle, time.Now())

		// The absolute deadline, which keeps the idle one back, tells of no use.
		short := generate(t, m, profile{}, coatcheck.WithAbsoluteTimeout(40*minute))
		time.Sleep(20 * minute)
		short = renew(t, m, short)
		wantLastSeen(t, m, short, time.Now())
	})
}

func wantLastSeen(t testing.TB, m *coatcheck.Manager[profile], token coatcheck.Token, want time.Time) {
	t.Helper()
	info, err := m.Describe(t.Context(), token.ID())
	if wantErr(t, "Describe", err, nil); !info.LastSeen.Equal(want) {
		t.Errorf("last seen at %v, want %v", info.LastSeen, want)
	}
}

func TestSubjectsAreFoundByTheIndexIfThereIsOne(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		for name, c := range map[string]struct {
			err   error
			lists bool
			want  error
		}{
			"index":                      {nil, false, nil},
			"one that says it is none":   {errUnable, true, nil},
			"one that cannot be reached": {coatcheck.ErrUnavailable, false, coatcheck.ErrUnavailable},
		} {
			store := &indexed{listing: list(t), err: c.err}
			m, _, _ := desk(t, n, config{Store: store})
			token := generate(t, m, profile{}, coatcheck.ForSubject("ada"))
			all, err := m.Sessions(t.Context(), "ada")
			wantErr(t, name, err, c.want)
			if c.want == nil && (len(all) != 1 || all[0].ID != token.ID()) {
				t.Errorf("%s: %+v", name, all)
			}
			if store.asked.Load() != 1 || (store.lists.Load() > 0) != c.lists {
				t.Errorf("%s: asked %d times, listed %d times", name, store.asked.Load(), store.lists.Load())
			}
			ended, err := m.RevokeAll(t.Context(), "ada")
			if wantErr(t, name, err, c.want); c.want == nil && ended != 1 {
				t.Errorf("%s: ended %d", name, ended)
			}
		}
		store := bare(openStore(t))
		m := newManager(t, config{Store: store, NearCache: n.NearCache})
		token := generate(t, m, profile{}, coatcheck.ForSubject("ada"))
		_, err := m.Sessions(t.Context(), "ada")
		wantErr(t, "Sessions of a store that cannot", err, errors.ErrUnsupported)
		_, err = m.RevokeAll(t.Context(), "ada")
		wantErr(t, "RevokeAll of a store that cannot", err, errors.ErrUnsupported)
		wantValue(t, m, token, profile{})
		wantErr(t, "Revoke needs none", m.Revoke(t.Context(), token.ID(), coatcheck.IfSubject("ada")), nil)
		wantGone(t, m, token)
	})
}

// repetitive lists records twice, as a store may while others come and go.
type repetitive struct{ *hooked }

func (s repetitive) List(ctx context.Context) iter.Seq2[coatcheck.Record, error] {
	return func(yield func(coatcheck.Record, error) bool) {
		for r, err := range s.Store.List(ctx) {
			for range 2 {
				if !yield(r, err) {
					return
				}
			}
		}
	}
}

func TestSessionsAreListedOnce(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, _, _ := desk(t, n, config{Store: repetitive{hook(t)}})
		token := generate(t, m, profile{}, coatcheck.ForSubject("ada"))
		if got := idsOf(t, m, "ada"); got != token.ID() {
			t.Errorf("listed %q", got)
		}
		ended, err := m.RevokeAll(t.Context(), "ada")
		if wantErr(t, "RevokeAll", err, nil); ended != 1 {
			t.Errorf("ended %d", ended)
		}
	})
}

// A store whose clock is behind still has what is over.
func TestWhatIsOverIsNotDescribed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, config{Store: &undead{}, NearCache: storeOnly})
		token := generate(t, m, profile{}, coatcheck.ForSubject("ada"))
		_, err := m.Describe(t.Context(), token.ID())
		wantErr(t, "Describe", err, nil)
		time.Sleep(30 * minute)
		_, err = m.Describe(t.Context(), token.ID())
		wantErr(t, "Describe what is over", err, coatcheck.ErrNotFound)
		wantErr(t, "Revoke it", m.Revoke(t.Context(), token.ID(), coatcheck.IfSubject("ada")), coatcheck.ErrNotFound)
	})
}

func TestListingThatFailsHalfWayFails(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		store := list(t)
		m, _, _ := desk(t, n, config{Store: store})
		for range 5 {
			generate(t, m, profile{}, coatcheck.ForSubject("ada"))
		}
		store.during = func(i int) error {
			if i == 3 {
				return coatcheck.ErrUnavailable
			}
			return nil
		}
		all, err := m.Sessions(t.Context(), "ada")
		if wantErr(t, "Sessions", err, coatcheck.ErrUnavailable); all != nil {
			t.Errorf("and %+v", all)
		}
		ended, err := m.RevokeAll(t.Context(), "ada")
		if wantErr(t, "RevokeAll", err, coatcheck.ErrUnavailable); ended != 0 {
			t.Errorf("and ended %d", ended)
		}
		wantSessions(t, store.hooked, 5)
	})
}

func TestSessionsOfOthersAreNotToBeHad(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, store, told := desk(t, n, config{})
		token := generate(t, m, profile{Visits: 3}, coatcheck.ForSubject("ada"))
		guest := generate(t, m, profile{Visits: 4})
		told.take(t)
		for _, id := range []string{token.ID(), guest.ID()} {
			for _, everywhere := range []bool{false, true} {
				opts := []coatcheck.RevokeOption{coatcheck.IfSubject("bob")}
				if everywhere {
					opts = append(opts, coatcheck.Everywhere())
				}
				err := m.Revoke(t.Context(), id, opts...)
				wantErr(t, "Revoke", err, coatcheck.ErrNotFound)
				if err != nil && err.Error() != m.Revoke(t.Context(), sampleID, opts...).Error() {
					t.Errorf("it tells that there is one: %v", err)
				}
			}
		}
		wantErr(t, "Revoke of a user's as nobody's", m.Revoke(t.Context(), token.ID(), coatcheck.IfSubject("")), coatcheck.ErrNotFound)
		for _, subject := range []string{"bob", "Ada", "ad", "ada "} {
			ended, err := m.RevokeAll(t.Context(), subject)
			if wantErr(t, subject, err, nil); ended != 0 {
				t.Errorf("%q ended %d", subject, ended)
			}
		}
		wantSessions(t, store, 2)
		told.want(t)
		wantValue(t, m, token, profile{Visits: 3})
		wantErr(t, "her own", m.Revoke(t.Context(), token.ID(), coatcheck.IfSubject("ada")), nil)
		wantErr(t, "once more", m.Revoke(t.Context(), token.ID(), coatcheck.IfSubject("ada")), coatcheck.ErrNotFound)
		told.want(t, coatcheck.Event{Kind: coatcheck.SessionRevoked, SessionID: token.ID(), Subject: "ada"})
	})
}

func TestSubjectsAndIDsThatAreNone(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, store, _ := desk(t, n, config{})
		guest := generate(t, m, profile{})
		_, err := m.Sessions(t.Context(), "")
		wantErr(t, "Sessions of nobody", err, coatcheck.ErrInvalid)
		_, err = m.RevokeAll(t.Context(), "")
		wantErr(t, "RevokeAll of nobody", err, coatcheck.ErrInvalid)
		for _, id := range []string{"", "short", guest.ID() + "A", string(guest), strings.Repeat("/", 22)} {
			_, err := m.Describe(t.Context(), id)
			wantErr(t, "Describe "+id, err, coatcheck.ErrInvalid)
			wantErr(t, "Revoke "+id, m.Revoke(t.Context(), id), coatcheck.ErrInvalid)
			wantDiscreet(t, "Describe", err, guest)
		}
		_, err = m.Describe(t.Context(), sampleID)
		wantErr(t, "Describe what is not there", err, coatcheck.ErrNotFound)
		store.before = failing(coatcheck.ErrUnavailable, "Load")
		_, err = m.Describe(t.Context(), guest.ID())
		wantErr(t, "Describe without a store", err, coatcheck.ErrUnavailable)
		wantErr(t, "Revoke without a store", m.Revoke(t.Context(), guest.ID()), coatcheck.ErrUnavailable)
		store.before = failing(nil)

		wantErr(t, "Close", m.Close(), nil)
		_, err = m.Sessions(t.Context(), "ada")
		wantErr(t, "Sessions, closed", err, coatcheck.ErrClosed)
		_, err = m.RevokeAll(t.Context(), "ada")
		wantErr(t, "RevokeAll, closed", err, coatcheck.ErrClosed)
		_, err = m.Describe(t.Context(), guest.ID())
		wantErr(t, "Describe, closed", err, coatcheck.ErrClosed)
		wantErr(t, "Revoke, closed", m.Revoke(t.Context(), guest.ID()), coatcheck.ErrClosed)
		wantSessions(t, store, 1)
	})
}
