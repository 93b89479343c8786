package server_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/server"
)

const (
	firstKey  = "1111111111111111111111111111111a"
	secondKey = "2222222222222222222222222222222b"
)

func TestAPIKeyIsAskedForOnEveryCall(t *testing.T) {
	s := start(t, setup{keys: []string{firstKey, secondKey}})
	token := s.create(t, `{}`)
	wrong := map[string]string{
		"none":              "",
		"another":           "3333333333333333333333333333333c",
		"a prefix":          firstKey[:31],
		"one more":          firstKey + "a",
		"both":              firstKey + "," + secondKey,
		"in another case":   strings.ToUpper(firstKey),
		"the token":         token,
		"with its own name": "X-API-Key: " + firstKey,
	}
	for what, key := range wrong {
		for call, r := range calls {
			t.Run(what+"/"+call, func(t *testing.T) {
				r.token = token
				r.header = map[string]string{"X-API-Key": key}
				a := s.do(t, r).want(t, call, 401)
				if want := "the header X-API-Key is missing or wrong"; a.detail(t) != want {
					t.Errorf("detail is %q, want %q", a.detail(t), want)
				}
				if got := a.header.Get("WWW-Authenticate"); got != `ApiKey realm="coatcheck"` {
					t.Errorf("WWW-Authenticate is %q", got)
				}
			})
		}
	}
	if got := decode[session](t, s.get(t, token)); got.Rev != 1 {
		t.Errorf("a refused call changed the session: %+v", got)
	}
}

// So that keys can be exchanged without a pause, any of the file will do.
func TestEveryKeyOfTheFileOpens(t *testing.T) {
	s := start(t, setup{keys: []string{firstKey, secondKey}})
	for _, s.key = range []string{firstKey, secondKey} {
		token := s.create(t, `{"a":1}`)
		s.get(t, token).want(t, "get", 200)
		s.put(t, token, `{}`, "").want(t, "put", 200)
		s.patch(t, token, `{}`, "").want(t, "patch", 200)
		s.do(t, request{method: "POST", path: "/v1/session/refresh", token: token}).want(t, "refresh", 200)
		s.do(t, request{method: "DELETE", path: "/v1/session", token: token}).want(t, "delete", 204)
	}
}

// The key is for programs, the token for the session: neither stands in for
// the other.
func TestKeyDoesNotReplaceTheToken(t *testing.T) {
	s := start(t, setup{keys: []string{firstKey}})
	for call := range strings.FieldsSeq(onOne) {
		a := s.do(t, calls[call]).want(t, call, 401)
		if a.header.Get("WWW-Authenticate") != `Bearer realm="coatcheck"` {
			t.Errorf("WWW-Authenticate is %q", a.header.Get("WWW-Authenticate"))
		}
	}
}

// Probes of an orchestrator and readers of the documentation have no key.
func TestHealthAndDocumentNeedNoKey(t *testing.T) {
	s := start(t, setup{keys: []string{firstKey}})
	s.key = ""
	for _, path := range []string{"/healthz", "/readyz", "/openapi.json"} {
		s.do(t, request{method: "GET", path: path}).want(t, path, 200)
	}
}

func TestKeyIsIgnoredWhereNoneIsSet(t *testing.T) {
	s := start(t, setup{})
	s.key = "any"
	s.wantValue(t, s.create(t, `1`), `1`)
}

func TestParseAPIKeys(t *testing.T) {
	const short = "CANARY-key-that-is-too-short"
	tests := []struct {
		name, text string
		keys       int
		err        string // a part of it
	}{
		{"one", firstKey, 1, ""},
		{"one with a line end", firstKey + "\n", 1, ""},
		{"two", firstKey + "\n" + secondKey + "\n", 2, ""},
		{"line ends of Windows", firstKey + "\r\n" + secondKey + "\r\n", 2, ""},
		{"white space around", " \t" + firstKey + " \t\n", 1, ""},
		{"comments and empty lines", "# of the shop\n\n" + firstKey + "\n  # of the till\n   \n" + secondKey, 2, ""},
		{"nothing", "", 0, "there is no API key"},
		{"comments only", "# " + firstKey + "\n\n", 0, "there is no API key"},
		{"31 characters", firstKey[:31], 0, "the API key in line 1 has 31 characters, at least 32 are needed"},
		{"short, below others", "# of the shop\n\n" + firstKey + "\n" + short + "\n", 0, "the API key in line 4 has 28 characters"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			keys, err := server.ParseAPIKeys(test.text)
			if len(keys) != test.keys {
				t.Errorf("%d keys, want %d", len(keys), test.keys)
			}
			if test.err == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, coatcheck.ErrInvalid) || !strings.Contains(err.Error(), test.err) {
				t.Fatalf("error %v, want ErrInvalid and %q", err, test.err)
			}
			if !strings.Contains(err.Error(), "openssl rand -hex 32") {
				t.Errorf("the error does not say how to make a key: %v", err)
			}
			for _, secret := range []string{short, firstKey[:31]} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error repeats a key: %v", err)
				}
			}
		})
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	if _, err := server.New(server.Config{}); !errors.Is(err, coatcheck.ErrInvalid) {
		t.Errorf("error %v, want ErrInvalid", err)
	}
}
