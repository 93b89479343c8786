package coatcheck_test

import (
	"context"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
)

func TestRevokeEndsASession(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, store, told := desk(t, n, config{})
		other, deaf := across(t, store, n), across(t, muted(store), n)
		for name, subject := range map[string]string{"a user's": "ada", "a guest's": ""} {
			token := generate(t, m, profile{}, coatcheck.ForSubject(subject))
			for _, m := range []*coatcheck.Manager[profile]{m, other, deaf} {
				wantValue(t, m, token, profile{}) // and in memory
			}
			told.take(t)
			wantErr(t, name, m.Revoke(calledBy(t, home), token.ID()), nil)
			wantGone(t, m, token)
			wantGone(t, other, token)
			told.want(t, coatcheck.Event{Kind: coatcheck.SessionRevoked, SessionID: token.ID(), Subject: subject, Client: home})
			wantErr(t, name+", once more", m.Revoke(t.Context(), token.ID()), nil)
			told.want(t)
			time.Sleep(coatcheck.DefaultMaxStaleness + time.Millisecond)
			wantGone(t, deaf, token)
		}
	})
}

// unopenable is a store that has a record, and cannot open it.
type unopenable struct{ *hooked }

func (u unopenable) Load(context.Context, string) (coatcheck.Record, error) {
	return coatcheck.Record{}, coatcheck.ErrDecode
}

func TestWhatCannotBeOpenedCanBeRevoked(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		store := hook(t)
		m, _, told := desk(t, n, config{Store: unopenable{store}})
		token := generate(t, m, profile{}, coatcheck.ForSubject("ada"))
		told.take(t)
		_, err := m.Describe(t.Context(), token.ID())
		wantErr(t, "Describe", err, coatcheck.ErrDecode)
		wantErr(t, "Revoke of whose it may be", m.Revoke(t.Context(), token.ID(), coatcheck.IfSubject("ada")), coatcheck.ErrDecode)
		wantSessions(t, store, 1)
		told.want(t)
		wantErr(t, "Revoke", m.Revoke(t.Context(), token.ID()), nil)
		wantSessions(t, store, 0)
		told.want(t, coatcheck.Event{Kind: coatcheck.SessionRevoked, SessionID: token.ID()})
	})
}

func TestRevokeAllEndsAllButTheException(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, store, told := desk(t, n, config{})
		other := across(t, store, n)
		var tokens []coatcheck.Token
		for range 40 { // more than are ended at a time
			tokens = append(tokens, generate(t, m, profile{}, coatcheck.ForSubject("ada")))
		}
		s := other.Open(generate(t, m, profile{})) // a login makes it hers, too
		wantErr(t, "SetSubject", s.SetSubject("ada"), nil)
		flush(t, s)
		tokens = append(tokens, s.Token())
		bob, guest := generate(t, m, profile{}, coatcheck.ForSubject("bob")), generate(t, m, profile{})
		for _, token := range tokens {
			wantValue(t, m, token, profile{})
			wantValue(t, other, token, profile{})
		}
		told.take(t)

		mine, also := tokens[3], tokens[17]
		ended, err := m.RevokeAll(calledBy(t, home), "ada", coatcheck.Except(mine.ID()), coatcheck.Except(also.ID(), bob.ID(), sampleID))
		if wantErr(t, "RevokeAll", err, nil); ended != 39 {
			t.Errorf("ended %d, want 39", ended)
		}
		for _, m := range []*coatcheck.Manager[profile]{m, other} {
			for _, token := range tokens {
				if token == mine || token == also {
					wantValue(t, m, token, profile{})
				} else {
					wantGone(t, m, token)
				}
			}
			wantValue(t, m, bob, profile{})
			wantValue(t, m, guest, profile{})
		}
		seen := map[string]bool{}
		for _, e := range told.take(t) {
			if want := (coatcheck.Event{Kind: coatcheck.SessionRevoked, SessionID: e.SessionID, Subject: "ada", Client: home}); e != want {
				t.Errorf("told %+v, want %+v", e, want)
			}
			seen[e.SessionID] = true
		}
		if len(seen) != 39 || seen[mine.ID()] {
			t.Errorf("told of %d sessions", len(seen))
		}
		for want := 2; want >= 0; want -= 2 {
			ended, err = m.RevokeAll(t.Context(), "ada")
			if wantErr(t, "RevokeAll of all", err, nil); ended != want {
				t.Errorf("ended %d, want %d", ended, want)
			}
		}
		wantSessions(t, store, 2)
	})
}

func TestRevokeAllGoesOnAfterAnError(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, store, told := desk(t, n, config{})
		for range 40 {
			generate(t, m, profile{}, coatcheck.ForSubject("ada"))
		}
		told.take(t)
		var deletions atomic.Int64
		store.before = func(method string) error {
			if n := deletions.Add(1); method == "Delete" && n > 3 && n <= 10 {
				return coatcheck.ErrUnavailable
			}
			return nil
		}
		ended, err := m.RevokeAll(t.Context(), "ada", coatcheck.Everywhere())
		wantErr(t, "RevokeAll", err, coatcheck.ErrUnavailable)
		if ended != 33 || !strings.Contains(err.Error(), "7 of 40 remain") {
			t.Errorf("ended %d: %v", ended, err)
		}
		if told := told.take(t); len(told) != 33 {
			t.Errorf("told of %d", len(told))
		}
		wantSessions(t, store, 7)
		store.before = failing(nil)
		ended, err = m.RevokeAll(t.Context(), "ada")
		if wantErr(t, "RevokeAll again", err, nil); ended != 7 {
			t.Errorf("ended %d, want 7", ended)
		}
		wantSessions(t, store, 0)
	})
}

// In between they are listed and deleted they go on being used.
func TestRevokeAllMeetsWhatGoesOn(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, store, _ := desk(t, n, config{})
		other := across(t, store, n)
		var old, fresh []coatcheck.Token
		for range 5 {
			old = append(old, generate(t, m, profile{}, coatcheck.ForSubject("ada")))
		}
		begun := time.Now()
		var later coatcheck.Token
		var first atomic.Bool
		store.before = func(method string) error {
			if method == "Delete" && first.CompareAndSwap(false, true) {
				time.Sleep(time.Second)
				later = generate(t, other, profile{}, coatcheck.ForSubject("ada"))
			}
			return nil
		}
		// The others are renewed, changed and extended, all before any is deleted.
		racing := &listing{hooked: store, during: func(int) error { return nil }}
		racer, _, _ := desk(t, n, config{Store: afterListing{racing, func() {
			for i, token := range old {
				fresh = append(fresh, renew(t, other, token, []coatcheck.RenewOption{coatcheck.WithGrace()}[:i%2]...))
				wantErr(t, "Change", other.Change(t.Context(), fresh[i], addVisit), nil)
			}
		}}})
		ended, err := racer.RevokeAll(t.Context(), "ada")
		if wantErr(t, "RevokeAll", err, nil); ended != 5 || len(fresh) != 5 {
			t.Errorf("ended %d of %d", ended, len(fresh))
		}
		for _, token := range append(old, fresh...) {
			for _, m := range []*coatcheck.Manager[profile]{m, other, racer} {
				wantGone(t, m, token)
			}
		}
		if info, err := m.Describe(t.Context(), later.ID()); err != nil || !info.CreatedAt.After(begun) {
			t.Errorf("the one that came later: %+v, %v", info, err)
		}
	})
}

// afterListing is a store where something happens when a listing is through.
type afterListing struct {
	*listing
	then func()
}

func (s afterListing) ListSubject(ctx context.Context, subject string) iter.Seq2[coatcheck.Record, error] {
	return func(yield func(coatcheck.Record, error) bool) {
		for r, err := range s.listing.List(ctx) {
			if r.Subject == subject && !yield(r, err) {
				return
			}
		}
		s.then()
	}
}

func TestRevokeEverywhereWaits(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		n.ServeStaleFor = time.Minute
		store := hook(t)
		for name, c := range map[string]struct {
			store coatcheck.Store
			waits bool
		}{"all in this process": {store, n.reads != nil}, "others": {muted(store), true}} {
			m := newManager(t, config{Store: c.store, NearCache: n.NearCache})
			for what, end := range map[string]func(context.Context, string, ...coatcheck.RevokeOption) error{
				"Revoke": m.Revoke,
				"RevokeAll": func(ctx context.Context, id string, opts ...coatcheck.RevokeOption) error {
					_, err := newManager(t, config{Store: struct {
						coatcheck.Store
						coatcheck.Lister
					}{store, store}, NearCache: n.NearCache}).RevokeAll(ctx, "ada", opts...)
					return err
				},
			} {
				waits := c.waits || what == "RevokeAll" // that store reports nothing
				for _, there := range []bool{true, false} {
					id := sampleID
					if there {
						id = generate(t, m, profile{}, coatcheck.ForSubject("ada")).ID()
					}
					start := time.Now()
					wantErr(t, what, end(t.Context(), id, coatcheck.Everywhere()), nil)
					want := map[bool]time.Duration{true: coatcheck.DefaultMaxStaleness + minute}[waits]
					if waited := time.Since(start); waited != want {
						t.Errorf("%s: %s waited %v, want %v", name, what, waited, want)
					}
				}
				token := generate(t, m, profile{}, coatcheck.ForSubject("ada"))
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				err := end(ctx, token.ID(), coatcheck.Everywhere())
				cancel()
				if waits {
					wantErr(t, what+", given up", err, context.DeadlineExceeded)
				}
				wantSessions(t, store, 0) // all the same
				start := time.Now()
				wantErr(t, what, end(t.Context(), token.ID()), nil)
				if time.Since(start) != 0 {
					t.Errorf("%s: %s waits unasked", name, what)
				}
			}
		}
	})
}
