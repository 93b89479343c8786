package coatcheck_test

import (
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
)

// logins are the ways in which a session comes to belong to somebody.
var logins = map[string]func(testing.TB, *coatcheck.Manager[profile], coatcheck.Token, string) coatcheck.Token{
	"Renew": func(t testing.TB, m *coatcheck.Manager[profile], token coatcheck.Token, subject string) coatcheck.Token {
		return renew(t, m, token, coatcheck.ForSubject(subject))
	},
	"SetSubject": func(t testing.TB, m *coatcheck.Manager[profile], token coatcheck.Token, subject string) coatcheck.Token {
		s := m.Open(token)
		wantErr(t, "SetSubject", s.SetSubject(subject), nil)
		flush(t, s)
		return s.Token()
	},
}

// From a login on a session lasts as long as one that is created by it.
func TestLoginBeginsTheAbsoluteTimeoutAnew(t *testing.T) {
	const never = coatcheck.Never
	own := coatcheck.WithAbsoluteTimeout
	for name, c := range map[string]struct {
		config        config
		opts          []coatcheck.GenerateOption
		before, after time.Duration // from the creation, from the login; 0 for none
	}{
		"default":                      {config{}, nil, 24 * hour, 24 * hour},
		"configured":                   {config{AbsoluteTimeout: 8 * hour}, nil, 8 * hour, 8 * hour},
		"anonymous for less":           {config{AbsoluteTimeout: 8 * hour, AnonymousTimeout: hour}, nil, hour, 8 * hour},
		"anonymous for an hour, never": {config{AbsoluteTimeout: never, AnonymousTimeout: hour}, nil, hour, 0},
		"never":                        {config{AbsoluteTimeout: never}, nil, 0, 0},
		"its own, shorter":             {config{}, []coatcheck.GenerateOption{own(2 * hour)}, 2 * hour, 2 * hour},
		"its own, not that of guests":  {config{AnonymousTimeout: hour}, []coatcheck.GenerateOption{own(2 * hour)}, 2 * hour, 2 * hour},
		"its own, where there is none": {config{AbsoluteTimeout: never}, []coatcheck.GenerateOption{own(2 * hour)}, 2 * hour, 2 * hour},
		"its own, never":               {config{}, []coatcheck.GenerateOption{own(never)}, 0, 0},
		// It is not told from one that has had a login before: it keeps what it has.
		"its own, longer":       {config{}, []coatcheck.GenerateOption{own(48 * hour)}, 48 * hour, 48*hour - 30*minute},
		"its own, a bit longer": {config{}, []coatcheck.GenerateOption{own(24*hour + minute)}, 24*hour + minute, 24 * hour},
		// Who signs in once more has shown again who he is.
		"it was ada's":        {config{AnonymousTimeout: hour}, []coatcheck.GenerateOption{coatcheck.ForSubject("ada")}, 24 * hour, 24 * hour},
		"it was ada's, never": {config{AbsoluteTimeout: never}, []coatcheck.GenerateOption{coatcheck.ForSubject("ada")}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			cachesInTime(t, func(t *testing.T, n near) {
				for by, login := range logins {
					c.config.IdleTimeout = 40 * minute
					m, store, _ := desk(t, n, c.config)
					token := generate(t, m, profile{}, c.opts...)
					wantDeadline(t, by+": before", load(t, store, token), c.before)
					time.Sleep(30 * minute)
					r := load(t, store, login(t, m, token, "ada"))
					wantDeadline(t, by+": after", r, c.after)
					if r.Subject != "ada" || !r.ExpiresAt.Equal(time.Now().Add(40*minute)) {
						t.Errorf("%s: %q, until %v", by, r.Subject, r.ExpiresAt)
					}
				}
			})
		})
	}
}

// wantDeadline checks the absolute deadline of a record: so long from now.
func wantDeadline(t testing.TB, what string, r coatcheck.Record, left time.Duration) {
	t.Helper()
	var want time.Time
	if left != 0 {
		want = time.Now().UTC().Add(left)
	}
	if !r.AbsoluteDeadline.Equal(want) {
		t.Errorf("%s: it ends at %v, want %v", what, r.AbsoluteDeadline, want)
	}
}

// Else somebody who signs out and in again could have a session live for ever
// longer.
func TestRepeatedLoginsGrowNothing(t *testing.T) {
	for name, c := range map[string]struct {
		config config
		opts   []coatcheck.GenerateOption
	}{
		"default":          {config{}, nil},
		"anonymous":        {config{AnonymousTimeout: 2 * hour}, nil},
		"its own, shorter": {config{}, []coatcheck.GenerateOption{coatcheck.WithAbsoluteTimeout(3 * hour)}},
	} {
		t.Run(name, func(t *testing.T) {
			cachesInTime(t, func(t *testing.T, n near) {
				c.config.IdleTimeout = 90 * minute
				m, store, _ := desk(t, n, c.config)
				token := generate(t, m, profile{}, c.opts...)
				for range 100 {
					time.Sleep(hour)
					token = renew(t, m, token, coatcheck.ForSubject("ada"))
					if left := time.Until(load(t, store, token).AbsoluteDeadline); left > 24*hour || left < 2*hour {
						t.Fatalf("%v are left after a login", left)
					}
					before := load(t, store, token).AbsoluteDeadline
					token = renew(t, m, token, coatcheck.ForSubject(""))
					if after := load(t, store, token).AbsoluteDeadline; !after.Equal(before) {
						t.Fatalf("to sign out of a name moved the deadline from %v to %v", before, after)
					}
				}
			})
		})
	}
}

func TestAnonymousTimeoutEndsWhatBelongsToNobody(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, store, _ := desk(t, n, config{AnonymousTimeout: hour})
		guest, user := generate(t, m, profile{}), generate(t, m, profile{}, coatcheck.ForSubject("ada"))
		s := m.Open("")
		wantErr(t, "Change", s.Change(t.Context(), addVisit), nil)
		flush(t, s)
		for range 5 { // in use
			time.Sleep(10 * minute)
			for _, token := range []coatcheck.Token{guest, user, s.Token()} {
				wantErr(t, "Get", get.call(t.Context(), m, token), nil)
			}
		}
		wantEnd(t, store, guest, 10*minute)
		wantGone(t, m, s.Token())
		wantValue(t, m, user, profile{})
	})
}

// Whoever knew the token before a login, and may have planted it, is not signed in.
func TestLoginShutsOutWhoKnewTheToken(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		for name, login := range logins {
			m, store, _ := desk(t, n, config{})
			planted := generate(t, m, profile{Visits: 3})
			aged := renew(t, m, planted, coatcheck.WithGrace()) // of which the grace is not over
			fresh := login(t, m, aged, "ada")
			if fresh == aged || fresh.ID() != planted.ID() {
				t.Errorf("%s: token %v", name, fresh)
			}
			wantShut(t, m, store, planted)
			wantShut(t, across(t, store, n), store, aged)
			wantValue(t, m, fresh, profile{Visits: 3})
		}
	})
}
