package server_test

import (
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// bombs are bodies that are made to cost more than they weigh, of the largest
// size that is read, and those that are cut off in the middle.
var bombs = map[string]string{
	"arrays":                 strings.Repeat("[", 80_000),
	"arrays, closed":         strings.Repeat("[", 40_000) + strings.Repeat("]", 40_000),
	"objects":                strings.Repeat(`{"a":`, 16_000),
	"objects, closed":        strings.Repeat(`{"a":`, 13_000) + "1" + strings.Repeat("}", 13_000),
	"objects as deep as is":  strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000),
	"arrays side by side":    "[" + strings.Repeat("[],", 25_000) + "[]]",
	"empty names":            "{" + strings.Repeat(`"":1,`, 15_000) + `"":1}`,
	"other names":            "{" + manyNames(8_000) + "}",
	"a name of escapes":      `{"` + strings.Repeat(`\u0061`, 13_000) + `":1}`,
	"a text of escapes":      `"` + strings.Repeat(`\ud83d\ude00`, 6_500) + `"`,
	"digits":                 strings.Repeat("9", 80_000),
	"exponent":               "1e" + strings.Repeat("9", 80_000),
	"fraction":               "0." + strings.Repeat("0", 79_000) + "1",
	"numbers":                "[" + strings.Repeat("1e999999999,", 6_500) + "1]",
	"backslashes":            `"` + strings.Repeat(`\`, 80_000),
	"quotes":                 strings.Repeat(`"`, 80_000),
	"commas":                 "[" + strings.Repeat(",", 80_000),
	"NULs":                   strings.Repeat("\x00", 80_000),
	"bytes that are no text": strings.Repeat("\xff", 80_000),
}

func manyNames(n int) string {
	var out strings.Builder
	for i := range n {
		out.WriteString(`"`)
		for ; i > 0; i /= 26 {
			out.WriteByte(byte('a' + i%26))
		}
		out.WriteString(`_":1,`)
	}
	return out.String() + `"last":1`
}

// No body, wherever it is put, makes the service fail, or use time or memory out of
// proportion.
func TestBodiesThatAreMadeToCostAreRefusedOrKept(t *testing.T) {
	const (
		patience = 5 * time.Second // with the race detector, on a busy machine
		memory   = 64 << 20        // in all: of 80 KB, 800 times as much
	)
	s := start(t, setup{admins: []string{adminKey}})
	places := map[string]func(bomb string) request{
		"create": func(bomb string) request { return request{method: "POST", path: "/v1/sessions", body: bomb} },
		"value": func(bomb string) request {
			return request{method: "POST", path: "/v1/sessions", body: `{"value":` + bomb + `}`}
		},
		"subject": func(bomb string) request {
			return request{method: "POST", path: "/v1/sessions", body: `{"value":1,"subject":` + bomb + `}`}
		},
		"client": func(bomb string) request {
			return request{method: "POST", path: "/v1/sessions", body: `{"value":1,"client":` + bomb + `}`}
		},
		"put": func(bomb string) request {
			return request{method: "PUT", path: "/v1/session", body: `{"value":` + bomb + `}`}
		},
		"patch": func(bomb string) request { return request{method: "PATCH", path: "/v1/session", body: bomb} },
		"renew": func(bomb string) request { return request{method: "POST", path: "/v1/session/renew", body: bomb} },
		"grace": func(bomb string) request {
			return request{method: "POST", path: "/v1/session/renew", body: `{"grace":` + bomb + `}`}
		},
		"login": func(bomb string) request {
			return request{method: "POST", path: "/v1/session/renew", body: `{"subject":` + bomb + `}`}
		},
		"list": func(bomb string) request {
			r := adminRequest("list", unknownToken, adminKey) // which takes no body
			r.body = bomb
			return r
		},
	}
	for name, bomb := range bombs {
		for place, ask := range places {
			t.Run(name+"/"+place, func(t *testing.T) {
				token := s.create(t, `{"untouched":true}`)
				r := ask(bomb)
				if strings.HasPrefix(r.path, "/v1/session/") || r.path == "/v1/session" {
					r.token = token
				}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				begin := time.Now()
				a := s.do(t, r)
				took := time.Since(begin)
				runtime.ReadMemStats(&after)
				if took > patience || after.TotalAlloc-before.TotalAlloc > memory {
					t.Errorf("it took %v and %d bytes", took, after.TotalAlloc-before.TotalAlloc)
				}
				switch {
				case a.status >= 500:
					t.Errorf("status %d: %s", a.status, a.body)
				case a.status >= 400:
					if len(a.body) > 10_000 {
						t.Errorf("a problem of %d bytes", len(a.body))
					}
					s.wantValue(t, token, `{"untouched":true}`)
				case r.token != "": // kept, and so it can be read
					s.get(t, token).want(t, "get", 200)
					s.patch(t, token, `{"untouched":null}`, "")
					s.do(t, calling("DELETE", token)).want(t, "delete", 204)
				}
			})
		}
	}
	s.do(t, request{method: "GET", path: "/healthz"}).want(t, "health", http.StatusOK)
}

func calling(method, token string) request {
	return request{method: method, path: "/v1/session", token: token}
}
