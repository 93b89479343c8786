package coatcheck_test

import (
	"strings"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
)

func TestLevelRefusesWhatIsTooLong(t *testing.T) {
	const (
		never = coatcheck.Never
		day   = 24 * hour
		ok    = ""
	)
	for name, c := range map[string]struct {
		level          coatcheck.Level
		idle, absolute time.Duration // 0 for not given
		says           string
		gotIdle, got   time.Duration // 0 for none
	}{
		"none":                        {0, 0, 0, ok, 30 * minute, day},
		"none, never":                 {0, never, never, ok, 0, 0},
		"AAL1":                        {coatcheck.AAL1, 0, 0, ok, 30 * minute, 30 * day},
		"AAL1, all it has":            {coatcheck.AAL1, never, 30 * day, ok, 0, 30 * day},
		"AAL1, idle as long":          {coatcheck.AAL1, 30 * day, 0, ok, 30 * day, 30 * day},
		"AAL1, a bit longer":          {coatcheck.AAL1, 0, 30*day + time.Millisecond, "absolute timeout of 720h0m0.001s is too long for AAL1, which allows 720h", 0, 0},
		"AAL1, never":                 {coatcheck.AAL1, 0, never, "too long for AAL1", 0, 0},
		"AAL2":                        {coatcheck.AAL2, 0, 0, ok, hour, day},
		"AAL2, all it has":            {coatcheck.AAL2, hour, day, ok, hour, day},
		"AAL2, less":                  {coatcheck.AAL2, 10 * minute, hour, ok, 10 * minute, hour},
		"AAL2, less than its idle":    {coatcheck.AAL2, 0, 10 * minute, ok, 10 * minute, 10 * minute},
		"AAL2, a bit longer":          {coatcheck.AAL2, 0, day + time.Millisecond, "too long for AAL2", 0, 0},
		"AAL2, idle a bit longer":     {coatcheck.AAL2, hour + time.Millisecond, 0, "idle timeout of 1h0m0.001s is too long for AAL2, which allows 1h", 0, 0},
		"AAL2, never idle":            {coatcheck.AAL2, never, 0, "idle timeout", 0, 0},
		"AAL2, negative":              {coatcheck.AAL2, 0, -1, "AbsoluteTimeout is -1ns", 0, 0},
		"AAL2, idle over absolute":    {coatcheck.AAL2, hour, minute, "longer than AbsoluteTimeout", 0, 0},
		"AAL3":                        {coatcheck.AAL3, 0, 0, ok, 15 * minute, 12 * hour},
		"AAL3, all it has":            {coatcheck.AAL3, 15 * minute, 12 * hour, ok, 15 * minute, 12 * hour},
		"AAL3, a bit longer":          {coatcheck.AAL3, 0, 12*hour + time.Millisecond, "too long for AAL3", 0, 0},
		"AAL3, idle a bit longer":     {coatcheck.AAL3, 15*minute + time.Millisecond, 0, "too long for AAL3", 0, 0},
		"AAL3, the defaults of none":  {coatcheck.AAL3, 0, coatcheck.DefaultAbsoluteTimeout, "too long for AAL3", 0, 0},
		"one that there is not":       {coatcheck.AAL3 + 1, 0, 0, "Level is 4", 0, 0},
		"one that there is not, less": {-1, 0, 0, "Level is -1", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			store := openStore(t)
			m, err := coatcheck.New(config{Store: store, Level: c.level, IdleTimeout: c.idle, AbsoluteTimeout: c.absolute})
			if c.says != ok {
				wantErr(t, "New", err, coatcheck.ErrInvalid)
				if err != nil && (!strings.Contains(err.Error(), c.says) || strings.Count(err.Error(), "\n") != 1) {
					t.Errorf("want one line that says %q: %v", c.says, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			r := load(t, store, generate(t, m, profile{}))
			var absolute time.Duration
			if !r.AbsoluteDeadline.IsZero() {
				absolute = r.AbsoluteDeadline.Sub(r.CreatedAt)
			}
			if r.IdleTimeout != c.gotIdle || absolute != c.got {
				t.Errorf("idle %v, absolute %v; want %v, %v", r.IdleTimeout, absolute, c.gotIdle, c.got)
			}
		})
	}
}

func TestLevelHoldsForEachSession(t *testing.T) {
	m := newManager(t, config{Store: openStore(t), Level: coatcheck.AAL2})
	for name, c := range map[string]struct {
		opt  coatcheck.GenerateOption
		want error
	}{
		"idle, less":         {coatcheck.WithIdleTimeout(minute), nil},
		"idle, all":          {coatcheck.WithIdleTimeout(hour), nil},
		"idle, too long":     {coatcheck.WithIdleTimeout(hour + time.Millisecond), coatcheck.ErrInvalid},
		"idle, never":        {coatcheck.WithIdleTimeout(coatcheck.Never), coatcheck.ErrInvalid},
		"absolute, all":      {coatcheck.WithAbsoluteTimeout(24 * hour), nil},
		"absolute, too long": {coatcheck.WithAbsoluteTimeout(24*hour + time.Millisecond), coatcheck.ErrInvalid},
		"absolute, never":    {coatcheck.WithAbsoluteTimeout(coatcheck.Never), coatcheck.ErrInvalid},
	} {
		token, err := m.Generate(t.Context(), profile{}, c.opt)
		wantErr(t, name, err, c.want)
		if (token == "") != (c.want != nil) || err != nil && !strings.Contains(err.Error(), "AAL2") {
			t.Errorf("%s: token %v, %v", name, token, err)
		}
	}
	none := newManager(t, config{Store: openStore(t)})
	generate(t, none, profile{}, coatcheck.WithIdleTimeout(coatcheck.Never), coatcheck.WithAbsoluteTimeout(coatcheck.Never))
}

func TestLevelsHaveNames(t *testing.T) {
	for level, want := range map[coatcheck.Level]string{0: "no level", coatcheck.AAL1: "AAL1", coatcheck.AAL2: "AAL2", coatcheck.AAL3: "AAL3"} {
		if level.String() != want {
			t.Errorf("%v, want %s", level, want)
		}
	}
}

func TestFurtherFaultsAreNamedAtOnce(t *testing.T) {
	_, err := coatcheck.New(config{
		Store:            bare(openStore(t)),
		Level:            9,
		AnonymousTimeout: 25 * hour,
		RenewEvery:       -1,
		RenewGrace:       -2,
		OnReuse:          2,
		MaxSessions:      -3,
		WhenFull:         -1,
	})
	wantErr(t, "New", err, coatcheck.ErrInvalid)
	for _, field := range []string{"AnonymousTimeout", "RenewEvery", "RenewGrace", "OnReuse", "MaxSessions", "WhenFull"} {
		if lines := linesStarting(err, field); lines != 1 {
			t.Errorf("%d lines on %s, want 1, in:\n%v", lines, field, err)
		}
	}
	if !strings.Contains(err.Error(), "Level is 9") || strings.Count(err.Error(), "\n") != 7 {
		t.Error(err)
	}
}

func TestFurtherFaults(t *testing.T) {
	for says, c := range map[string]config{
		"AnonymousTimeout is 999":                          {AnonymousTimeout: time.Millisecond - 1},
		"AnonymousTimeout 24h0m0.001s is longer":           {AnonymousTimeout: 24*hour + time.Millisecond},
		"RenewGrace is 999":                                {RenewGrace: time.Millisecond - 1},
		"RenewEvery is -1ns":                               {RenewEvery: -1},
		"RenewEvery 59.999s is less than twice RenewGrace": {RenewEvery: minute - time.Millisecond},
		"RenewGrace is 24h0m0.001s":                        {RenewGrace: 24*hour + time.Millisecond},
		"OnReuse is -1":                                    {OnReuse: -1},
		"WhenFull is 2":                                    {WhenFull: 2},
		"MaxSessions needs a Store that":                   {MaxSessions: 1, Store: bare(openStore(t))},
	} {
		if c.Store == nil {
			c.Store = openStore(t)
		}
		_, err := coatcheck.New(c)
		wantErr(t, says, err, coatcheck.ErrInvalid)
		if err != nil && (!strings.Contains(err.Error(), says) || strings.Count(err.Error(), "\n") != 1) {
			t.Errorf("want one line that says %q: %v", says, err)
		}
	}
	for _, c := range []config{
		{AnonymousTimeout: 24 * hour},
		{AnonymousTimeout: coatcheck.Never, AbsoluteTimeout: coatcheck.Never},
		{AnonymousTimeout: time.Millisecond},
		{RenewEvery: minute},
		{RenewGrace: time.Millisecond, RenewEvery: 2 * time.Millisecond},
		{OnReuse: coatcheck.ReportReuse, WhenFull: coatcheck.RefuseNewest, MaxSessions: 1},
	} {
		c.Store = openStore(t)
		newManager(t, c)
	}
	newManager(t, config{MaxSessions: 1, Store: struct {
		coatcheck.Store
		coatcheck.SubjectIndex
	}{openStore(t), &indexed{}}, NearCache: storeOnly})
}
