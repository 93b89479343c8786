package coatcheck_test

import (
	"context"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/coatcheck/coatcheck"
)

func wantClient(t testing.TB, what string, m *coatcheck.Manager[profile], token coatcheck.Token, client coatcheck.Client, rev uint64) {
	t.Helper()
	info, err := m.Describe(t.Context(), token.ID())
	if err != nil || info.Client != client || info.Rev != rev {
		t.Errorf("%s: client %+v at revision %d, %v; want %+v at %d", what, info.Client, info.Rev, err, client, rev)
	}
	_, looked, err := m.Lookup(t.Context(), token)
	if err != nil || looked.Client != client || looked.Rev != rev {
		t.Errorf("%s: Lookup tells client %+v at revision %d, %v; want %+v at %d", what, looked.Client, looked.Rev, err, client, rev)
	}
}

func TestClientIsRecorded(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, _, told := desk(t, n, config{})
		token, err := m.Generate(calledBy(t, home), profile{}, coatcheck.ForSubject("ada"))
		wantErr(t, "Generate", err, nil)
		wantClient(t, "Generate", m, token, home, 1)
		told.want(t, coatcheck.Event{Kind: coatcheck.SessionCreated, SessionID: token.ID(), Subject: "ada", Client: home, Rev: 1})

		rev, from, to := uint64(1), home, cafe
		for _, v := range []verb{update, change, renewing} {
			for range 2 { // to the one, and back
				rev++
				kind := coatcheck.SessionChanged
				if v.name == "Renew" {
					kind = coatcheck.SessionRenewed
					token, err = m.Renew(calledBy(t, to), token)
				} else {
					err = v.call(calledBy(t, to), m, token)
				}
				wantErr(t, v.name, err, nil)
				wantClient(t, v.name, m, token, to, rev)
				e := coatcheck.Event{Kind: kind, SessionID: token.ID(), Subject: "ada", Client: to, Rev: rev}
				moved := e
				moved.Kind, moved.Before = coatcheck.ClientChanged, from
				told.want(t, e, moved)
				from, to = to, from
			}
		}
		s := m.Open(token)
		wantErr(t, "Change", s.Change(t.Context(), addVisit), nil)
		wantErr(t, "Flush", s.Flush(calledBy(t, to)), nil)
		wantClient(t, "Flush", m, token, to, rev+1)
		told.wantKinds(t, coatcheck.SessionChanged, coatcheck.ClientChanged)
		wantErr(t, "Change by the same", m.Change(calledBy(t, to), token, addVisit), nil)
		told.wantKinds(t, coatcheck.SessionChanged)
	})
}

func TestWithoutAClientNothingIsForgotten(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, _, told := desk(t, n, config{})
		token, err := m.Generate(calledBy(t, home), profile{})
		wantErr(t, "Generate", err, nil)
		nobody := context.WithValue(t.Context(), coatcheck.ClientContextKey, coatcheck.Client{})
		other := context.WithValue(t.Context(), coatcheck.ClientContextKey, "of another type")
		for i, ctx := range []context.Context{t.Context(), nobody, other} {
			wantErr(t, "Change", m.Change(ctx, token, addVisit), nil)
			wantClient(t, "Change", m, token, home, uint64(i+2))
		}
		time.Sleep(10 * minute)
		wantErr(t, "Get", get.call(t.Context(), m, token), nil)
		wantClient(t, "a read that extends", m, token, home, 4)
		told.wantKinds(t, coatcheck.SessionCreated, coatcheck.SessionChanged, coatcheck.SessionChanged, coatcheck.SessionChanged)

		// The first that is known is no change of client.
		token = generate(t, m, profile{})
		wantErr(t, "Change", m.Change(calledBy(t, cafe), token, addVisit), nil)
		wantClient(t, "Change", m, token, cafe, 2)
		told.wantKinds(t, coatcheck.SessionCreated, coatcheck.SessionChanged)
	})
}

// Reads write at most once a TouchInterval, whoever makes them.
func TestReadRecordsTheClientWhenItExtends(t *testing.T) {
	for _, v := range []verb{get, lookup, opening} {
		cachesInTime(t, func(t *testing.T, n near) {
			m, store, told := desk(t, n, config{})
			token, err := m.Generate(calledBy(t, home), profile{Visits: 3})
			wantErr(t, "Generate", err, nil)
			told.take(t)
			time.Sleep(3*minute - time.Millisecond)
			wantErr(t, v.name, v.call(calledBy(t, cafe), m, token), nil)
			wantClient(t, v.name+", not yet", m, token, home, 1)
			told.want(t)
			time.Sleep(time.Millisecond)
			asked := keepJournal(store)
			wantErr(t, v.name, v.call(calledBy(t, cafe), m, token), nil)
			asked.want(t, v.name, append(n.reads, "Update")...)
			wantClient(t, v.name, m, token, cafe, 2)
			wantEvents := told.take(t)
			if len(wantEvents) != 2 || wantEvents[1].Kind != coatcheck.ClientChanged || wantEvents[1].Before != home {
				t.Errorf("%s: told %+v", v.name, wantEvents)
			}
			if store.updates.Load() != 1 || store.touches.Load() != 0 {
				t.Errorf("%s: %d updates, %d touches", v.name, store.updates.Load(), store.touches.Load())
			}
			time.Sleep(3 * minute)
			wantErr(t, v.name, v.call(calledBy(t, cafe), m, token), nil)
			wantClient(t, v.name+" by the same", m, token, cafe, 2)
			if store.updates.Load() != 1 || store.touches.Load() != 1 {
				t.Errorf("%s by the same: %d updates, %d touches", v.name, store.updates.Load(), store.touches.Load())
			}
			wantValue(t, m, token, profile{Visits: 3})
			wantEnd(t, store, token, 30*minute)
		})
	}
}

// Who reads in the grace is a client like any; the token stays the other's.
func TestReadInTheGraceRecordsTheClient(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, store, _ := desk(t, n, config{RenewGrace: 10 * minute})
		token, err := m.Generate(calledBy(t, home), profile{})
		wantErr(t, "Generate", err, nil)
		fresh := renew(t, m, token, coatcheck.WithGrace())
		before := load(t, store, fresh)
		time.Sleep(5 * minute)
		wantErr(t, "Get", get.call(calledBy(t, cafe), m, token), nil)
		wantHanded(t, "Get", store, fresh, before)
		wantClient(t, "Get", m, fresh, cafe, 3)
	})
}

func TestReadThatCannotRecordTheClientIsARead(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, store, told := desk(t, n, config{})
		token, err := m.Generate(calledBy(t, home), profile{Visits: 3})
		wantErr(t, "Generate", err, nil)
		told.take(t)
		time.Sleep(10 * minute)
		store.before = failing(coatcheck.ErrUnavailable, "Update")
		value, err := m.Get(calledBy(t, cafe), token)
		if err != nil || value.Visits != 3 || m.Stats().FailedTouches != 1 {
			t.Errorf("%+v, %v, %+v", value, err, m.Stats())
		}
		told.want(t)
		store.before = failing(nil)
		wantErr(t, "Get", get.call(calledBy(t, cafe), m, token), nil)
		wantClient(t, "the next read", m, token, cafe, 2)
	})
}

// What a client says of itself may be anything.
func TestClientIsCutToWhatStoresCanKeep(t *testing.T) {
	const most = coatcheck.MaxClientBytes
	x := func(n int) string { return strings.Repeat("x", n) }
	for name, c := range map[string]struct{ given, want string }{
		"as long as may be":      {x(most), x(most)},
		"a byte too long":        {x(most + 1), x(most)},
		"far too long":           {x(1 << 20), x(most)},
		"two bytes at the edge":  {x(most-1) + "é!", x(most - 1)},
		"three bytes, one fits":  {x(most-1) + "€!", x(most - 1)},
		"three bytes, two fit":   {x(most-2) + "€!", x(most - 2)},
		"three bytes, all fit":   {x(most-3) + "€!", x(most-3) + "€"},
		"four bytes, three fit":  {x(most-3) + "😀!", x(most - 3)},
		"four bytes, all fit":    {x(most-4) + "😀!", x(most-4) + "😀"},
		"no text":                {"a\xffb", "a?b"},
		"half a letter":          {"a\xe2\x82", "a?"},
		"two bytes, the last":    {x(most-2) + "é", x(most-2) + "é"},
		"a letter of two at all": {strings.Repeat("é", most), strings.Repeat("é", most/2)},
	} {
		t.Run(name, func(t *testing.T) {
			cachesInTime(t, func(t *testing.T, n near) {
				m, store, _ := desk(t, n, config{})
				ctx := calledBy(t, coatcheck.Client{Address: c.given, UserAgent: c.given})
				token, err := m.Generate(ctx, profile{})
				wantErr(t, "Generate", err, nil)
				if got := load(t, store, token).Client; got != (coatcheck.Client{Address: c.want, UserAgent: c.want}) {
					t.Errorf("recorded %+v", got)
				}
				wantErr(t, "Change", m.Change(ctx, token, addVisit), nil)
				if got := load(t, store, token).Client; got.UserAgent != c.want {
					t.Errorf("then %+v", got)
				}
			})
		})
	}
	all := calledBy(t, coatcheck.Client{UserAgent: strings.Repeat("\xff€", 300)})
	m, store := openStoreOnly(t)
	token, err := m.Generate(all, profile{})
	wantErr(t, "Generate", err, nil)
	if got := load(t, store, token).Client.UserAgent; len(got) > most || !utf8.ValidString(got) {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}

// Errors end up in logs and answers, to which an address does not belong.
func TestErrorsDoNotNameTheClient(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		store := hook(t)
		m := newManager(t, config{Store: store, NearCache: n.NearCache})
		ctx := calledBy(t, home)
		token, err := m.Generate(ctx, profile{})
		wantErr(t, "Generate", err, nil)
		store.before = failing(coatcheck.ErrUnavailable, "Load", "Update", "Create", "Delete", "Touch")
		_, created := m.Generate(ctx, profile{})
		for _, err := range []error{created, update.call(ctx, m, token), change.call(ctx, m, token), renewing.call(ctx, m, token), remove.call(ctx, m, token)} {
			wantErr(t, "without a store", err, coatcheck.ErrUnavailable)
			if err != nil && (strings.Contains(err.Error(), home.Address) || strings.Contains(err.Error(), home.UserAgent)) {
				t.Error(err)
			}
		}
	})
}
