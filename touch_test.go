package coatcheck_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
)

func TestReadsExtendAtMostOnceATouchInterval(t *testing.T) {
	idle := coatcheck.WithIdleTimeout
	tests := map[string]struct {
		config   config
		opts     []coatcheck.GenerateOption
		interval time.Duration // that is expected to apply
	}{
		"default, a tenth":          {config{}, nil, 3 * minute},
		"a tenth of the configured": {config{IdleTimeout: hour}, nil, 6 * minute},
		"configured":                {config{TouchInterval: 10 * minute}, nil, 10 * minute},
		// A session with an idle timeout of its own must not end because reads
		// wait for an interval that was meant for a longer one.
		"shorter session": {config{}, []coatcheck.GenerateOption{idle(10 * minute)}, minute},
		"longer session":  {config{}, []coatcheck.GenerateOption{idle(10 * hour)}, 3 * minute},
		"not configured":  {config{IdleTimeout: coatcheck.Never}, []coatcheck.GenerateOption{idle(30 * minute)}, 3 * minute},
	}
	for name, test := range tests {
		inTime(t, name, func(t *testing.T) {
			store := hook(t)
			test.config.Store = store
			m := newManager(t, test.config)
			token := generate(t, m, profile{}, test.opts...)
			timeout := load(t, store, token).IdleTimeout

			const step, reads = 10 * time.Second, 6 * 60 // an hour
			for range reads {
				time.Sleep(step)
				_, info, err := m.Lookup(t.Context(), token)
				wantErr(t, "Lookup", err, nil)
				if left := time.Until(info.ExpiresAt); left <= timeout-test.interval {
					t.Fatalf("%v left after a read, want over %v less %v", left, timeout, test.interval)
				}
			}
			if got, want := store.touches.Load(), int64(hour/test.interval); got != want {
				t.Errorf("%d touches in an hour, want %d", got, want)
			}
			if n := store.updates.Load(); n != 0 {
				t.Errorf("%d updates, want none", n)
			}
		})
	}
}

func TestReadReportsTheDeadlineThatIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, store := open(t)
		token := generate(t, m, profile{})
		for range 20 {
			time.Sleep(2 * minute)
			_, info, err := m.Lookup(t.Context(), token)
			wantErr(t, "Lookup", err, nil)
			if stored := load(t, store, token).ExpiresAt; !info.ExpiresAt.Equal(stored) {
				t.Errorf("Lookup says %v, the store %v", info.ExpiresAt, stored)
			}
		}
	})
}

func TestTouchStopsAtTheAbsoluteDeadline(t *testing.T) {
	for _, v := range []verb{get, refresh, update} {
		inTime(t, v.name, func(t *testing.T) {
			store := hook(t)
			m := newManager(t, config{Store: store, AbsoluteTimeout: hour})
			token := generate(t, m, profile{})
			absolute := load(t, store, token).AbsoluteDeadline
			time.Sleep(20 * minute)
			wantErr(t, v.name, v.call(t.Context(), m, token), nil)
			time.Sleep(20 * minute)
			wantErr(t, v.name, v.call(t.Context(), m, token), nil)
			if got := load(t, store, token).ExpiresAt; !got.Equal(absolute) {
				t.Errorf("expires at %v, want the absolute deadline %v", got, absolute)
			}
			// There is nothing more to gain, so nothing is asked of the store.
			touches := store.touches.Load()
			time.Sleep(10 * minute)
			wantErr(t, "Get", get.call(t.Context(), m, token), nil)
			wantErr(t, "Refresh", refresh.call(t.Context(), m, token), nil)
			if store.touches.Load() != touches {
				t.Error("touched though it had the last deadline it can have")
			}
			wantEnd(t, store, token, 10*minute)
		})
	}
}

// The value was read, and is good: that its life could not be extended is for
// the operator to know and not for the caller.
func TestFailedTouchDoesNotFailTheRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		store := hook(t)
		m := newManager(t, config{Store: store, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		var info coatcheck.Info
		token := generate(t, m, profile{Name: "ada"}, coatcheck.WithInfo(&info))
		store.before = failing(errors.Join(coatcheck.ErrUnavailable, errors.New("disk full")), "Touch")

		for reads := range uint64(2) { // the second one tries again
			time.Sleep(5 * minute)
			got, after, err := m.Lookup(t.Context(), token)
			if err != nil || got.Name != "ada" {
				t.Errorf("Lookup: %+v, %v", got, err)
			}
			if !after.ExpiresAt.Equal(info.ExpiresAt) {
				t.Errorf("Lookup says %v, but the deadline is still %v", after.ExpiresAt, info.ExpiresAt)
			}
			if n := m.Stats().FailedTouches; n != reads+1 {
				t.Errorf("FailedTouches is %d, want %d", n, reads+1)
			}
		}
		for _, want := range []string{"level=WARN", token.ID(), "disk full"} {
			if strings.Count(log.String(), want) != 2 {
				t.Errorf("want %q twice in the log:\n%s", want, log.String())
			}
		}
		if strings.Contains(log.String(), string(token[22:])) {
			t.Errorf("the log shows the secret:\n%s", log.String())
		}
	})
}

// The session ended between the read and the touch: the value must not be
// served as if it had not.
func TestTouchThatFindsTheSessionGoneIsAMiss(t *testing.T) {
	for _, v := range []verb{get, lookup, refresh} {
		inTime(t, v.name, func(t *testing.T) {
			store := hook(t)
			m := newManager(t, config{Store: store})
			token := generate(t, m, profile{})
			time.Sleep(10 * minute)
			store.before = func(method string) error {
				if method == "Touch" {
					return store.Store.Delete(t.Context(), token.ID())
				}
				return nil
			}
			wantErr(t, v.name, v.call(t.Context(), m, token), coatcheck.ErrNotFound)
			if n := m.Stats().FailedTouches; n != 0 {
				t.Errorf("FailedTouches is %d, want 0", n)
			}
		})
	}
}

// What is left until the absolute deadline may be less than a TouchInterval:
// it must be gained all the same.
func TestSessionInUseLivesUntilTheAbsoluteDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, config{Store: openStore(t)})
		tok := generate(t, m, profile{}, coatcheck.WithAbsoluteTimeout(32*minute))
		for at := time.Duration(0); at < 32*minute-time.Second; at += time.Second {
			time.Sleep(time.Second)
			if err := get.call(t.Context(), m, tok); err != nil {
				t.Fatalf("read every second, gone after %v of 32m: %v", at+time.Second, err)
			}
		}
	})
}

func TestTouchByUpdateReportsTheNewRevision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, config{Store: bare(openStore(t))})
		tok := generate(t, m, profile{})
		time.Sleep(10 * minute)
		_, info, err := m.Lookup(t.Context(), tok)
		wantErr(t, "Lookup", err, nil)
		wantErr(t, "IfRev of what was just looked up", m.Update(t.Context(), tok, profile{}, coatcheck.IfRev(info.Rev)), nil)
		time.Sleep(10 * minute)
		wantErr(t, "Refresh", m.Refresh(t.Context(), tok, coatcheck.WithInfo(&info)), nil)
		wantErr(t, "IfRev of what Refresh reported", m.Update(t.Context(), tok, profile{}, coatcheck.IfRev(info.Rev)), nil)
	})
}

func TestDeadlinesAreWholeMilliseconds(t *testing.T) {
	m, store := open(t)
	var info coatcheck.Info
	odd := 1500*time.Microsecond + time.Hour
	tok := generate(t, m, profile{}, coatcheck.WithIdleTimeout(odd), coatcheck.WithAbsoluteTimeout(odd), coatcheck.WithInfo(&info))
	r := load(t, store, tok)
	for what, rest := range map[string]time.Duration{
		"Info.ExpiresAt":   info.ExpiresAt.Sub(info.ExpiresAt.Truncate(time.Millisecond)),
		"AbsoluteDeadline": r.AbsoluteDeadline.Sub(r.AbsoluteDeadline.Truncate(time.Millisecond)),
		"IdleTimeout":      r.IdleTimeout % time.Millisecond,
	} {
		if rest != 0 {
			t.Errorf("%s has %v beyond the last millisecond", what, rest)
		}
	}
}

// The touch by update meets another writer: what Lookup reports must still be
// one value and its revision, or IfRev would let a stale value overwrite.
func TestTouchByUpdateNeverPairsAValueWithAnothersRevision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := openStore(t)
		other := newManager(t, config{Store: store})
		overtaken := hook(t)
		overtaken.Store = store
		m := newManager(t, config{Store: bare(overtaken)})
		tok := generate(t, other, profile{Name: "ada"})
		time.Sleep(10 * minute)
		overtaken.before = func(method string) error {
			if method == "Update" {
				overtaken.before = failing(nil) // only once
				return other.Change(t.Context(), tok, func(p *profile) error { p.Visits++; return nil })
			}
			return nil
		}
		got, info, err := m.Lookup(t.Context(), tok)
		wantErr(t, "Lookup", err, nil)
		if stored := load(t, store, tok); got.Visits == 0 && info.Rev == stored.Rev {
			t.Errorf("the value of revision 1 is reported as revision %d", info.Rev)
		}
	})
}
