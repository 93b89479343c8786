package coatcheck_test

import (
	"bytes"
	"errors"
	"log"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
)

func TestConfigNamesAllFaultsAtOnce(t *testing.T) {
	m, err := coatcheck.New(config{
		IdleTimeout:     -1,
		AbsoluteTimeout: -2,
		TouchInterval:   -3,
		MaxValueBytes:   -4,
	})
	if m != nil {
		t.Error("got a manager all the same")
	}
	wantErr(t, "New", err, coatcheck.ErrInvalid)
	for _, field := range []string{"Store", "IdleTimeout", "AbsoluteTimeout", "TouchInterval", "MaxValueBytes"} {
		if lines := linesStarting(err, field); lines != 1 {
			t.Errorf("%d lines on %s, want 1, in:\n%v", lines, field, err)
		}
	}
}

// linesStarting counts the lines of the error's text that start with prefix.
func linesStarting(err error, prefix string) (n int) {
	for line := range strings.Lines(err.Error()) {
		if strings.HasPrefix(line, prefix+" ") {
			n++
		}
	}
	return n
}

func TestConfigIsRefused(t *testing.T) {
	const never = coatcheck.Never
	tests := map[string]struct {
		edit func(*config)
		says string // that the text tells the reader what to look at
	}{
		"no store":                       {func(c *config) { c.Store = nil }, "Store is required"},
		"negative idle timeout":          {func(c *config) { c.IdleTimeout = -time.Minute }, "IdleTimeout is -1m0s"},
		"idle below a millisecond":       {func(c *config) { c.IdleTimeout = time.Millisecond - 1 }, "IdleTimeout is 999.999µs"},
		"negative absolute timeout":      {func(c *config) { c.AbsoluteTimeout = -time.Hour }, "AbsoluteTimeout is -1h0m0s"},
		"absolute below a millisecond":   {func(c *config) { c.AbsoluteTimeout = time.Microsecond }, "AbsoluteTimeout is 1µs"},
		"idle over absolute":             {func(c *config) { c.IdleTimeout, c.AbsoluteTimeout = 2*time.Hour, time.Hour }, "longer than AbsoluteTimeout 1h0m0s"},
		"idle over default absolute":     {func(c *config) { c.IdleTimeout = 25 * time.Hour }, "longer than the default AbsoluteTimeout 24h0m0s"},
		"negative touch interval":        {func(c *config) { c.TouchInterval = -1 }, "TouchInterval is -1ns"},
		"touch interval is idle":         {func(c *config) { c.IdleTimeout, c.TouchInterval = time.Hour, time.Hour }, "not less than IdleTimeout 1h0m0s"},
		"touch interval is default idle": {func(c *config) { c.TouchInterval = coatcheck.DefaultIdleTimeout }, "not less than IdleTimeout 30m0s"},
		"touch interval never":           {func(c *config) { c.TouchInterval = never }, "not less than IdleTimeout"},
		"negative limit":                 {func(c *config) { c.MaxValueBytes = -1 }, "MaxValueBytes is -1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := config{Store: openStore(t)}
			test.edit(&c)
			_, err := coatcheck.New(c)
			wantErr(t, "New", err, coatcheck.ErrInvalid)
			if err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("error does not say %q: %v", test.says, err)
			}
			// One fault is not reported as two.
			if err != nil && strings.Count(err.Error(), "\n") != 1 {
				t.Errorf("error has more than a heading and one line: %v", err)
			}
		})
	}
}

func TestConfigIsAccepted(t *testing.T) {
	const never = coatcheck.Never
	tests := map[string]config{
		"store only":               {},
		"never idle":               {IdleTimeout: never},
		"never absolute":           {AbsoluteTimeout: never},
		"never at all":             {IdleTimeout: never, AbsoluteTimeout: never},
		"long idle, no absolute":   {IdleTimeout: 1000 * time.Hour, AbsoluteTimeout: never},
		"idle is absolute":         {IdleTimeout: time.Hour, AbsoluteTimeout: time.Hour},
		"absolute below default":   {AbsoluteTimeout: time.Minute},
		"shortest of all":          {IdleTimeout: time.Millisecond, AbsoluteTimeout: time.Millisecond},
		"touch just below idle":    {IdleTimeout: time.Hour, TouchInterval: time.Hour - 1},
		"touch, but never idle":    {IdleTimeout: never, TouchInterval: time.Hour},
		"values of a byte or less": {MaxValueBytes: 1},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			c.Store = openStore(t)
			_, err := coatcheck.New(c)
			wantErr(t, "New", err, nil)
		})
	}
}

// It is read off the record, which is what the configuration is for.
func TestTimeoutsDefaultAsDocumented(t *testing.T) {
	const never = coatcheck.Never
	tests := map[string]struct {
		config         config
		idle, absolute time.Duration // 0 for none
	}{
		"all defaults":           {config{}, 30 * time.Minute, 24 * time.Hour},
		"idle given":             {config{IdleTimeout: time.Hour}, time.Hour, 24 * time.Hour},
		"absolute given":         {config{AbsoluteTimeout: time.Hour}, 30 * time.Minute, time.Hour},
		"absolute below default": {config{AbsoluteTimeout: time.Minute}, time.Minute, time.Minute},
		"never idle":             {config{IdleTimeout: never}, 0, 24 * time.Hour},
		"never absolute":         {config{AbsoluteTimeout: never}, 30 * time.Minute, 0},
		"never at all":           {config{IdleTimeout: never, AbsoluteTimeout: never}, 0, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			store := openStore(t)
			test.config.Store = store
			r := load(t, store, generate(t, newManager(t, test.config), profile{}))
			if r.IdleTimeout != test.idle {
				t.Errorf("idle timeout %v, want %v", r.IdleTimeout, test.idle)
			}
			var absolute time.Duration
			if !r.AbsoluteDeadline.IsZero() {
				absolute = r.AbsoluteDeadline.Sub(r.CreatedAt)
			}
			if absolute != test.absolute {
				t.Errorf("absolute timeout %v, want %v", absolute, test.absolute)
			}
		})
	}
}

func TestMaxValueBytesDefaultsTo64KiB(t *testing.T) {
	m := newManager(t, coatcheck.Config[string]{Store: openStore(t)})
	quotes := len(`""`) // which JSON adds
	generate(t, m, strings.Repeat("x", 64<<10-quotes))
	_, err := m.Generate(t.Context(), strings.Repeat("x", 64<<10-quotes+1))
	wantErr(t, "one byte more", err, coatcheck.ErrTooLarge)
}

func TestLoggerDefaultsToSlogDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		old, writer, flags := slog.Default(), log.Writer(), log.Flags()
		defer func() { // SetDefault redirects package log too, but never back
			slog.SetDefault(old)
			log.SetOutput(writer)
			log.SetFlags(flags)
		}()
		slog.SetDefault(slog.New(slog.NewTextHandler(&out, nil)))

		store := hook(t)
		m := newManager(t, config{Store: store})
		token := generate(t, m, profile{})
		store.before = failing(errors.New("no"), "Touch")
		time.Sleep(10 * time.Minute)
		wantValue(t, m, token, profile{})
		if !strings.Contains(out.String(), token.ID()) {
			t.Errorf("the default logger heard %q", out.String())
		}
	})
}

// reversed is a codec that no store could mistake for JSON.
type reversed struct{ coatcheck.JSON[profile] }

func (r reversed) Encode(p profile) ([]byte, error) {
	data, err := r.JSON.Encode(p)
	return reverse(data), err
}

func (r reversed) Decode(data []byte) (profile, error) { return r.JSON.Decode(reverse(data)) }

func reverse(data []byte) []byte {
	out := make([]byte, 0, len(data))
	for i := range data {
		out = append(out, data[len(data)-1-i])
	}
	return out
}

func TestCodecEncodesWhatTheStoreKeeps(t *testing.T) {
	store := openStore(t)
	m := newManager(t, config{Store: store, Codec: reversed{}})
	token := generate(t, m, profile{Name: "ada"})
	wantErr(t, "Change", m.Change(t.Context(), token, addVisit), nil)
	wantValue(t, m, token, profile{Name: "ada", Visits: 1})
	if got, want := string(load(t, store, token).Value), `}1:"stisiV","ada":"emaN"{`; got != want {
		t.Errorf("stored %s, want %s", got, want)
	}
}

type hidden struct{ _ int }

type hiddenButWritten struct{ _ int }

func (hiddenButWritten) MarshalJSON() ([]byte, error) { return []byte("1"), nil }

// What would be stored as {}, whatever it holds, is refused before it is lost.
func TestTypeThatHidesAllIsRefused(t *testing.T) {
	store := openStore(t)
	_, err := coatcheck.New(coatcheck.Config[hidden]{Store: store})
	wantErr(t, "New", err, coatcheck.ErrInvalid)
	if err != nil && !strings.Contains(err.Error(), "coatcheck_test.hidden has no exported fields") {
		t.Error(err)
	}
	_, err = coatcheck.New(coatcheck.Config[*hidden]{Store: store})
	wantErr(t, "New for a pointer", err, coatcheck.ErrInvalid)
	newManager(t, coatcheck.Config[hiddenButWritten]{Store: store})
	newManager(t, coatcheck.Config[struct{}]{Store: store})
	newManager(t, coatcheck.Config[struct{ hidden }]{Store: store})
	newManager(t, coatcheck.Config[time.Time]{Store: store})
	newManager(t, coatcheck.Config[hidden]{Store: store, Codec: writes[hidden]{}})
}

type writes[T any] struct{ coatcheck.JSON[T] }
