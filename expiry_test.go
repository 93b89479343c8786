package coatcheck_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
)

const (
	minute = time.Minute
	hour   = time.Hour
	moment = time.Millisecond // the unit that deadlines are counted in
)

// inTime runs a test in a bubble where an hour takes no time.
func inTime(t *testing.T, name string, test func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

// wantEnd checks that the session lives for so long from now if it is not
// used, and no longer. To look at it would be to use it.
func wantEnd(t *testing.T, store coatcheck.Store, token coatcheck.Token, after time.Duration) {
	t.Helper()
	time.Sleep(after - moment)
	if _, err := store.Load(t.Context(), token.ID()); err != nil {
		t.Errorf("ended before %v had passed: %v", after, err)
	}
	time.Sleep(moment)
	if r, err := store.Load(t.Context(), token.ID()); err == nil {
		t.Errorf("lives after %v, until %v", after, r.ExpiresAt)
	}
}

func TestIdleSessionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, store := open(t)
		token := generate(t, m, profile{})
		wantEnd(t, store, token, 30*minute)
		for _, v := range verbs {
			wantErr(t, v.name, v.call(t.Context(), m, token), v.miss())
		}
	})
}

func TestUseExtendsTheIdleDeadline(t *testing.T) {
	for _, v := range []verb{get, lookup, update, change, refresh} {
		inTime(t, v.name, func(t *testing.T) {
			m, store := open(t)
			token := generate(t, m, profile{})
			time.Sleep(20 * minute)
			wantErr(t, v.name, v.call(t.Context(), m, token), nil)
			wantEnd(t, store, token, 30*minute)
		})
	}
}

// Writes and Refresh extend it at once, however little time has passed.
func TestWritesAndRefreshExtendAtOnce(t *testing.T) {
	for _, v := range []verb{update, change, refresh} {
		inTime(t, v.name, func(t *testing.T) {
			m, store := open(t)
			token := generate(t, m, profile{})
			time.Sleep(moment)
			wantErr(t, v.name, v.call(t.Context(), m, token), nil)
			wantEnd(t, store, token, 30*minute)
		})
	}
}

func TestAbsoluteTimeoutEndsASessionHoweverItIsUsed(t *testing.T) {
	for _, v := range []verb{get, lookup, update, change, refresh} {
		inTime(t, v.name, func(t *testing.T) {
			store := openStore(t)
			m := newManager(t, config{Store: store, AbsoluteTimeout: 2 * hour})
			token := generate(t, m, profile{})
			for range 2*60 - 1 {
				time.Sleep(minute)
				wantErr(t, v.name, v.call(t.Context(), m, token), nil)
			}
			wantEnd(t, store, token, minute)
			wantErr(t, v.name, v.call(t.Context(), m, token), coatcheck.ErrNotFound)
		})
	}
}

func TestNeverMeansNoLimit(t *testing.T) {
	const year = 365 * 24 * hour
	const never = coatcheck.Never

	inTime(t, "neither", func(t *testing.T) {
		m := newManager(t, config{Store: openStore(t), IdleTimeout: never, AbsoluteTimeout: never})
		token := generate(t, m, profile{})
		time.Sleep(100 * year)
		for _, v := range verbs {
			wantErr(t, v.name, v.call(t.Context(), m, token), nil)
		}
	})
	inTime(t, "no idle limit", func(t *testing.T) {
		store := openStore(t)
		m := newManager(t, config{Store: store, IdleTimeout: never})
		wantEnd(t, store, generate(t, m, profile{}), 24*hour)
	})
	inTime(t, "no absolute limit", func(t *testing.T) {
		store := openStore(t)
		m := newManager(t, config{Store: store, AbsoluteTimeout: never})
		token := generate(t, m, profile{})
		for range 1000 {
			time.Sleep(25 * minute)
			wantErr(t, "Get", get.call(t.Context(), m, token), nil)
		}
		wantEnd(t, store, token, 30*minute)
	})
}

func TestSessionMayHaveTimeoutsOfItsOwn(t *testing.T) {
	const never = coatcheck.Never
	type opts = []coatcheck.GenerateOption
	idle, absolute := coatcheck.WithIdleTimeout, coatcheck.WithAbsoluteTimeout
	tests := map[string]struct {
		opts        opts
		unused      time.Duration // how long it lives if it is not used
		afterUpdate time.Duration // and from an Update ten seconds after its creation
	}{
		"shorter idle":                {opts{idle(minute)}, minute, minute},
		"longer idle":                 {opts{idle(2 * hour)}, 2 * hour, 2 * hour},
		"never idle":                  {opts{idle(never)}, 24 * hour, 24*hour - 10*time.Second},
		"idle longer than absolute":   {opts{idle(48 * hour)}, 24 * hour, 24*hour - 10*time.Second},
		"shorter absolute":            {opts{absolute(minute)}, minute, 50 * time.Second},
		"longer absolute, never idle": {opts{absolute(48 * hour), idle(never)}, 48 * hour, 48*hour - 10*time.Second},
		"never absolute":              {opts{absolute(never)}, 30 * minute, 30 * minute},
		"never absolute, longer idle": {opts{absolute(never), idle(48 * hour)}, 48 * hour, 48 * hour},
	}
	for name, test := range tests {
		inTime(t, name, func(t *testing.T) {
			m, store := open(t)
			token := generate(t, m, profile{}, test.opts...)
			wantEnd(t, store, token, test.unused)

			token = generate(t, m, profile{}, test.opts...)
			time.Sleep(10 * time.Second)
			wantErr(t, "Update", m.Update(t.Context(), token, profile{}), nil)
			wantEnd(t, store, token, test.afterUpdate)

			other := generate(t, m, profile{}) // which has none of this
			wantEnd(t, store, other, 30*minute)
		})
	}
}

func TestSessionThatNeverEndsNeedsNoTouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := hook(t)
		m := newManager(t, config{Store: store})
		token := generate(t, m, profile{}, coatcheck.WithIdleTimeout(coatcheck.Never), coatcheck.WithAbsoluteTimeout(coatcheck.Never))
		for range 100 {
			time.Sleep(hour)
			wantErr(t, "Get", get.call(t.Context(), m, token), nil)
			wantErr(t, "Refresh", refresh.call(t.Context(), m, token), nil)
		}
		if n := store.touches.Load(); n != 0 {
			t.Errorf("%d touches, want none", n)
		}
	})
}

// undead is a store with a clock that is behind: it serves what it was given
// for ever, and counts what is done to it.
type undead struct {
	record coatcheck.Record
	writes int
}

func (s *undead) Create(_ context.Context, r coatcheck.Record) error { s.record = r; return nil }

func (s *undead) Load(context.Context, string) (coatcheck.Record, error) { return s.record, nil }

func (s *undead) Update(context.Context, coatcheck.Record) error { s.writes++; return nil }

func (s *undead) Touch(context.Context, coatcheck.Record) error { s.writes++; return nil }

func (s *undead) Delete(context.Context, string) error { s.writes++; return nil }

func TestManagerEnforcesDeadlinesItself(t *testing.T) {
	for _, v := range verbs {
		inTime(t, v.name, func(t *testing.T) {
			store := &undead{}
			m := newManager(t, config{Store: store})
			token := generate(t, m, profile{})
			time.Sleep(30 * minute) // to the very millisecond
			wantErr(t, v.name, v.call(t.Context(), m, token), v.miss())
			if store.writes > 0 {
				t.Error("an expired record was written to")
			}
		})
	}
}

func TestInfoTimesAreUTCAndWholeMilliseconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(123456 * time.Nanosecond)
		m, _ := open(t)
		var info coatcheck.Info
		generate(t, m, profile{}, coatcheck.WithInfo(&info))
		for name, at := range map[string]time.Time{"CreatedAt": info.CreatedAt, "ExpiresAt": info.ExpiresAt} {
			if at.Location() != time.UTC || !at.Equal(at.Truncate(moment)) {
				t.Errorf("%s is %v", name, at)
			}
		}
		if since := time.Since(info.CreatedAt); since < 0 || since >= moment {
			t.Errorf("CreatedAt is %v ago", since)
		}
	})
}
