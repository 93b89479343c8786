package coatcheck_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/coatcheck/coatcheck"
)

// diary is a value that must not get into a log.
type diary struct{ Entry string }

const private = "dear diary"

// printed are the ways in which a session gets into text by mistake, or to be
// looked at. The token is the one that it was made with.
func printed(t testing.TB, s *coatcheck.Session[diary]) map[string]string {
	t.Helper()
	out := map[string]string{
		"String":     s.String(),
		"Sprint":     fmt.Sprint(s),
		"Sprintln":   fmt.Sprintln("session:", s),
		"in a slice": fmt.Sprintf("%v %+v %#v", []any{s}, []*coatcheck.Session[diary]{s}, []any{s}),
		"in a map":   fmt.Sprintf("%v %+v", map[string]any{"s": s}, map[string]*coatcheck.Session[diary]{"s": s}),
		"in a field": fmt.Sprintf("%v %+v %#v", struct{ S any }{s}, &struct{ S *coatcheck.Session[diary] }{s}, struct{ s any }{s}),
		"an error":   errors.Join(errors.New("a"), fmt.Errorf("in %v: %w", s, coatcheck.ErrNotFound)).Error(),
		"a panic":    func() (text string) { defer func() { text = fmt.Sprint(recover()) }(); panic(s) }(),
	}
	for _, verb := range strings.Fields("%v %+v %#v %s %q %d %x %X %t %f %o %c %U %p %T %20s %-40v %#x % x") {
		out[verb] = fmt.Sprintf(verb, s)
	}
	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		l := slog.New(handler)
		l.Info("hello", "session", s)
		l.With("session", s).WithGroup("group").Info("hello", slog.Any("again", s), slog.Group("deep", "s", s))
	}
	out["slog"] = log.String()
	return out
}

func TestSessionsPrintNeitherTokenNorValue(t *testing.T) {
	m := newManager(t, coatcheck.Config[diary]{Store: openStore(t)})
	token := generate(t, m, diary{private})
	unread, read, changed, unknown := m.Open(token), m.Open(token), m.Open(token), m.Open(sample)
	_, err := read.Get(t.Context())
	wantErr(t, "Get", err, nil)
	wantErr(t, "Change", changed.Change(t.Context(), func(d *diary) error { d.Entry += ", today"; return nil }), nil)
	for what, s := range map[string]*coatcheck.Session[diary]{
		"unread": unread, "read": read, "changed": changed, "unknown": unknown, "new": m.Open(""), "malformed": m.Open(malformed),
	} {
		want := "new session"
		if id := s.ID(); id != "" {
			want = "session " + id
		}
		for how, text := range printed(t, s) {
			if strings.Contains(text, private) {
				t.Errorf("%s session, %s: shows the value: %s", what, how, text)
			}
			if secret := string(token)[22:]; strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", secret)) {
				t.Errorf("%s session, %s: shows the secret", what, how)
			}
			wantNoSecret(t, what+" session, "+how, text)
			switch how {
			case "String", "Sprint", "%v", "%+v", "%#v", "%s", "%q", "%d", "%x":
				if text != want {
					t.Errorf("%s session, %s: %q, want %q", what, how, text, want)
				}
			case "slog":
				if n := strings.Count(text, want); n != 2*(1+3) {
					t.Errorf("%s session: logged %d times as %q, want 8:\n%s", what, n, want, text)
				}
			}
		}
	}
}

func TestPrintingAsksNothing(t *testing.T) {
	store := hook(t)
	m := newManager(t, coatcheck.Config[diary]{Store: store, NearCache: storeOnly})
	asked := keepJournal(store)
	printed(t, m.Open(sample))
	asked.want(t, "printing")
}

func TestSessionMarshalsItsValue(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, _, token := bags(t, n.NearCache)
		s := m.Open(token)
		with(t, s, "b")
		for name, c := range map[string]struct {
			v    any
			want string
		}{
			"a session":      {s, `{"a":1,"b":1}`},
			"in a field":     {struct{ S *coatcheck.Session[bag] }{s}, `{"S":{"a":1,"b":1}}`},
			"a new session":  {m.Open(""), `null`},
			"with a subject": {func() any { s := m.Open(""); wantErr(t, "SetSubject", s.SetSubject("ada"), nil); return s }(), `null`},
		} {
			data, err := json.Marshal(c.v)
			if err != nil || string(data) != c.want {
				t.Errorf("%s: %s, %v; want %s", name, data, err, c.want)
			}
		}
	})
}

// The codec is the store's business.
func TestSessionMarshalsAsJSONWhateverTheCodec(t *testing.T) {
	m := newManager(t, config{Store: openStore(t), Codec: reversed{}})
	s := m.Open(generate(t, m, profile{"ada", 3}))
	if data, err := json.Marshal(s); err != nil || string(data) != `{"Name":"ada","Visits":3}` {
		t.Errorf("%s, %v", data, err)
	}
}

// Which is what Init is for.
func TestSessionInsideAStruct(t *testing.T) {
	m := newManager(t, coatcheck.Config[diary]{Store: openStore(t)})
	token := generate(t, m, diary{private})
	var request struct {
		Name    string
		Session coatcheck.Session[diary]
	}
	request.Session.Init(m, token)
	if value, err := request.Session.Get(t.Context()); err != nil || value.Entry != private || request.Session.Token() != token {
		t.Errorf("%v, %v; token %v", value, err, request.Session.Token())
	}
	data, err := json.Marshal(&request)
	if want := `{"Name":"","Session":{"Entry":"dear diary"}}`; err != nil || string(data) != want {
		t.Errorf("as JSON: %s, %v; want %s", data, err, want)
	}
}
