package coatcheck_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
)

// kinds of renewal.
var kinds = map[string][]coatcheck.RenewOption{"with a grace": {coatcheck.WithGrace()}, "at once": nil}

// leeway is for how long after such a renewal nobody is taken for a thief.
func leeway(opts []coatcheck.RenewOption) time.Duration {
	if opts == nil {
		return grace
	}
	return 2 * grace // one to be accepted, and one to be late
}

// Whoever comes with a token that was replaced long ago, or whoever has the one
// after it, is a thief. Nobody knows which.
func TestReuseEndsTheSession(t *testing.T) {
	for kind, opts := range kinds {
		t.Run(kind, func(t *testing.T) {
			cachesInTime(t, func(t *testing.T, n near) {
				for _, v := range append(uses, remove) {
					for where := range 2 {
						var log bytes.Buffer
						m, store, told := desk(t, n, config{})
						thief, toldElsewhere := m, told
						if c := (config{Store: store, Logger: slog.New(slog.NewTextHandler(&log, nil))}); where == 1 {
							thief, _, toldElsewhere = desk(t, n, c)
						} else {
							m, _, told = desk(t, n, c)
							thief, toldElsewhere = m, told
						}
						token := generate(t, m, profile{}, coatcheck.ForSubject("ada"))
						fresh := renew(t, m, token, opts...)
						time.Sleep(leeway(opts))
						wantValue(t, m, fresh, profile{})
						told.take(t)

						wantErr(t, v.name, v.call(calledBy(t, cafe), thief, token), v.miss())
						wantSessions(t, store, 0)
						wantGone(t, m, fresh)
						wantGone(t, thief, fresh)
						toldElsewhere.want(t,
							coatcheck.Event{Kind: coatcheck.TokenReused, SessionID: token.ID(), Subject: "ada", Client: cafe, Rev: 2},
							coatcheck.Event{Kind: coatcheck.SessionRevoked, SessionID: token.ID(), Subject: "ada", Client: cafe})
						if s := thief.Stats(); s.TokensReused != 1 || s.WrongSecrets != 0 {
							t.Errorf("%s: %+v", v.name, s)
						}
						for _, want := range []string{"level=WARN", token.ID(), "revoked"} {
							if strings.Count(log.String(), want) != 1 {
								t.Errorf("want %q once in the log: %s", want, log.String())
							}
						}
						for _, secret := range []coatcheck.Token{token, fresh} {
							if strings.Contains(log.String(), string(secret[22:])) {
								t.Errorf("the log shows a secret: %s", log.String())
							}
						}

						// Once it is gone there is nothing more to tell.
						wantErr(t, v.name+" once more", v.call(t.Context(), thief, token), v.miss())
						toldElsewhere.want(t)
					}
				}
			})
		})
	}
}

// What comes so soon after a renewal was on its way.
func TestLateTokenIsNoTheft(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		for _, opts := range kinds {
			m, store, told := desk(t, n, config{})
			token := generate(t, m, profile{})
			fresh := renew(t, m, token, opts...)
			time.Sleep(leeway(opts) - grace) // the grace, if there is one
			told.take(t)
			for _, wait := range []time.Duration{0, grace - time.Millisecond} {
				time.Sleep(wait)
				wantShut(t, m, store, token)
				wantShut(t, across(t, store, n), store, token)
			}
			wantValue(t, m, fresh, profile{})
			told.want(t)
			if s := m.Stats(); s.TokensReused != 0 || s.WrongSecrets != 0 {
				t.Errorf("%+v", s)
			}
			time.Sleep(time.Millisecond)
			wantGone(t, m, token)
			told.wantKinds(t, coatcheck.TokenReused, coatcheck.SessionRevoked)
		}
	})
}

// The leeway counts from the token's own end, not from the last renewal.
func TestEachOldTokenHasItsOwnLeeway(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, _, told := desk(t, n, config{})
		first := generate(t, m, profile{})
		second := renew(t, m, first)
		time.Sleep(grace - time.Second)
		third := renew(t, m, second)
		told.take(t)
		wantGone(t, m, first)
		time.Sleep(time.Second)
		wantGone(t, m, second)
		wantValue(t, m, third, profile{})
		told.want(t)
		wantGone(t, m, first)
		told.wantKinds(t, coatcheck.TokenReused, coatcheck.SessionRevoked)
		wantGone(t, m, third)
	})
}

func TestReportReuseEndsNothing(t *testing.T) {
	for kind, opts := range kinds {
		t.Run(kind, func(t *testing.T) {
			cachesInTime(t, func(t *testing.T, n near) {
				var log bytes.Buffer
				m, store, told := desk(t, n, config{OnReuse: coatcheck.ReportReuse, Logger: slog.New(slog.NewTextHandler(&log, nil))})
				token := generate(t, m, profile{Visits: 3}, coatcheck.ForSubject("ada"))
				fresh := renew(t, m, token, opts...)
				time.Sleep(leeway(opts))
				before := load(t, store, fresh)
				for i, v := range append(uses, remove) {
					told.take(t)
					log.Reset()
					time.Sleep(2 * time.Second) // or the log is spared
					wantErr(t, v.name, v.call(calledBy(t, cafe), m, token), v.miss())
					told.want(t, coatcheck.Event{Kind: coatcheck.TokenReused, SessionID: token.ID(), Subject: "ada", Client: cafe, Rev: 2})
					wantHanded(t, v.name, store, fresh, before)
					wantValue(t, m, fresh, profile{Visits: 3})
					if s := m.Stats(); s.TokensReused != uint64(i+1) {
						t.Errorf("%s: %+v", v.name, s)
					}
					if !strings.Contains(log.String(), "reported") || strings.Contains(log.String(), "revoked") {
						t.Errorf("log: %s", log.String())
					}
				}

				// It begins no session in its client's stead, nor does it end this one.
				s := m.Open(token)
				wantErr(t, "Change", s.Change(t.Context(), addVisit), nil)
				wantErr(t, "Flush", s.Flush(t.Context()), coatcheck.ErrNotFound)
				wantErr(t, "Destroy", m.Open(token).Destroy(t.Context()), coatcheck.ErrNotFound)
				wantSessions(t, store, 1)
			})
		})
	}
}

func TestWhatIsUnknownIsNoReuse(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, _, told := desk(t, n, config{})
		token := generate(t, m, profile{})
		fresh := renew(t, m, token)
		time.Sleep(2 * grace)
		told.take(t)
		for i, wrong := range []coatcheck.Token{withWrongSecret(token), withWrongSecret(fresh)} {
			wantGone(t, m, wrong)
			if s := m.Stats(); s.TokensReused != 0 || s.WrongSecrets != uint64(i+1) {
				t.Errorf("%+v", s)
			}
		}
		told.want(t)
		wantValue(t, m, fresh, profile{})
		time.Sleep(hour)
		wantGone(t, m, token)
		told.want(t) // it has expired
		if n := m.Stats().TokensReused; n != 0 {
			t.Errorf("%d reused, of a session that has expired", n)
		}
	})
}

// A store whose Delete does not get there must not let the thief go.
func TestRevocationThatFailsIsMadeUpFor(t *testing.T) {
	for kind, opts := range kinds {
		for _, v := range append(uses, remove) {
			cachesInTime(t, func(t *testing.T, n near) {
				n.ServeStaleFor = hour
				m, store, told := desk(t, n, config{})
				token := generate(t, m, profile{})
				wantValue(t, m, token, profile{})
				fresh := renew(t, across(t, store, n), token, opts...)
				time.Sleep(leeway(opts))
				told.take(t)
				store.before = failing(coatcheck.ErrUnavailable, "Delete")
				for range 2 {
					err := v.call(t.Context(), m, token)
					wantErr(t, kind+", "+v.name, err, coatcheck.ErrUnavailable)
					wantDiscreet(t, v.name, err, token)
					wantValue(t, m, fresh, profile{})
					told.wantKinds(t, coatcheck.TokenReused)
				}
				store.before = failing(nil)
				wantErr(t, v.name+" then", v.call(t.Context(), m, token), v.miss())
				told.wantKinds(t, coatcheck.TokenReused, coatcheck.SessionRevoked)
				wantGone(t, m, fresh)
			})
		}
	}
}

// Who is caught could hang up.
func TestRevocationOutlivesTheCall(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, store, told := desk(t, n, config{})
		token := generate(t, m, profile{})
		fresh := renew(t, m, token)
		time.Sleep(grace)
		told.take(t)
		ctx, hangUp := context.WithCancel(t.Context())
		store.before = func(method string) error {
			if method == "Delete" {
				hangUp()
			}
			return nil
		}
		wantErr(t, "Get", get.call(ctx, m, token), coatcheck.ErrNotFound)
		told.wantKinds(t, coatcheck.TokenReused, coatcheck.SessionRevoked)
		wantGone(t, m, fresh)
	})
}

// stuck is a store whose deletions never end by themselves.
type stuck struct{ *hooked }

func (s stuck) Delete(ctx context.Context, _ string) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestRevocationDoesNotHangForEver(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, _, told := desk(t, n, config{Store: stuck{hook(t)}})
		token := generate(t, m, profile{})
		renew(t, m, token)
		time.Sleep(grace)
		told.take(t)
		start := time.Now()
		wantErr(t, "Get", get.call(context.Background(), m, token), context.DeadlineExceeded)
		if waited := time.Since(start); waited != 5*time.Second {
			t.Errorf("it took %v", waited)
		}
		told.wantKinds(t, coatcheck.TokenReused)
	})
}

// A logout is one, whoever has renewed the session a moment ago. Later on it is by
// policy that the session ends.
func TestLogoutWithAnOldToken(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		for kind, opts := range kinds {
			for name, c := range map[string]struct {
				after time.Duration
				told  []coatcheck.EventKind
			}{
				"in time": {leeway(opts) - time.Millisecond, []coatcheck.EventKind{coatcheck.SessionDeleted}},
				"late":    {leeway(opts), []coatcheck.EventKind{coatcheck.TokenReused, coatcheck.SessionRevoked}},
			} {
				for _, everywhere := range []bool{false, true} {
					for way := range 2 {
						m, store, told := desk(t, n, config{})
						token := generate(t, m, profile{})
						fresh := renew(t, m, token, opts...)
						time.Sleep(c.after)
						told.take(t)
						var how []coatcheck.DeleteOption
						if everywhere {
							how = append(how, coatcheck.Everywhere())
						}
						end := func() error { return m.Delete(t.Context(), token, how...) }
						if way == 1 {
							end = func() error { return m.Open(token).Destroy(t.Context(), how...) }
						}
						wantErr(t, kind+", "+name, end(), nil)
						told.wantKinds(t, c.told...)
						wantSessions(t, store, 0)
						wantGone(t, m, fresh)
						wantErr(t, kind+", "+name+", again", end(), nil)
						told.want(t)
					}
				}
			}
		}
	})
}
