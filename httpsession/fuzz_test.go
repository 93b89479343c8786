package httpsession

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/coatcheck/coatcheck"
)

const (
	tokenA = "AAAAAAAAAAAAAAAAAAAAAAaaaaaaaaaaaaaaaaaaaaaa"
	tokenB = "BBBBBBBBBBBBBBBBBBBBBB-_0123456789bbbbbbbbbb"
)

var oneToken = regexp.MustCompile(`^[A-Za-z0-9_-]{44}$`)

// firstToken is what cookieToken is to find, by net/http's own parser.
func firstToken(lines []string, name string) coatcheck.Token {
	r := http.Request{Header: http.Header{"Cookie": lines}}
	for _, c := range r.CookiesNamed(name) {
		if oneToken.MatchString(c.Value) {
			return coatcheck.Token(c.Value)
		}
	}
	return ""
}

// Many cookies are another matter: net/http ignores them all if there are more
// than 3000.
func FuzzCookieToken(f *testing.F) {
	const name = "__Host-session"
	for _, seed := range [][3]string{
		{"", "", ""},
		{name + "=" + tokenA, "", ""},
		{name + "=" + tokenA, name + "=" + tokenB, ""},
		{"a=b; " + name + "=" + tokenA + "; c=d", "", ""},
		{"", "a=b", name + "=" + tokenB},
		{name + "=x; " + name + "=" + tokenB, "", name + "=" + tokenA},
		{name + `="` + tokenA + `"`, "", ""},
		{name + `="` + tokenA, name + "=" + tokenA + `"`, ""},
		{name + `=""` + tokenA + `""`, "", ""},
		{name + ` = ` + tokenA, "", ""},
		{name + " =" + tokenA + " ;", "\t" + name + "=\t" + tokenB, ""},
		{name + "x" + tokenA, name + tokenA, name},
		{"x" + name + "=" + tokenA, name + "x=" + tokenA, strings.ToLower(name) + "=" + tokenB},
		{name + `="`, name + "=", name + ";" + name + "=" + tokenA},
		{name + "==" + tokenA, name + "=" + tokenA + "=", ""},
		{name + "=" + tokenA + "," + name + "=" + tokenB, "", ""},
		{";;; ;" + name + "=" + tokenA + ";", "", ""},
		{name + "=" + tokenA + "\r\n", "\n" + name + "=" + tokenB, ""},
		{name + "=" + tokenA + "\x00", name + "=\u00a0" + tokenA, name + "=" + tokenA[:43]},
		{name + `="` + tokenA + `\""`, name + "=" + tokenA + "\x7f", "=" + tokenA},
	} {
		f.Add(seed[0], seed[1], seed[2], name)
	}
	f.Add("a b="+tokenA, "a="+tokenB, "", "a b")
	f.Add("a="+tokenA, "b="+tokenB, "", "b")
	f.Fuzz(func(t *testing.T, a, b, c, name string) {
		if n := strings.Count(a+b+c, ";") + 3; n > 3000 {
			return // net/http finds none in so many
		}
		config := Config{CookieName: name}
		if _, err := config.withDefaults(); err != nil || name == "" {
			return // no middleware has such a name
		}
		for _, lines := range [][]string{nil, {a}, {a, b}, {a, b, c}} {
			if got, want := cookieToken(lines, name), firstToken(lines, name); got != want {
				t.Errorf("%d lines: found %q, want %q", len(lines), string(got), string(want))
			}
		}
	})
}

// bearer is RFC 6750's way to show a token, with the white space that net/http
// leaves in.
var bearer = regexp.MustCompile(`(?is)^[ \t\r\n]*bearer(?:$|[ \t\r\n]+(.*)$)`)

// slowBearerToken is what bearerToken is to find.
func slowBearerToken(lines []string) (coatcheck.Token, bool) {
	var shown []string
	for _, line := range lines {
		if match := bearer.FindStringSubmatch(line); match != nil {
			shown = append(shown, strings.Trim(match[1], " \t\r\n"))
		}
	}
	if len(shown) == 1 && oneToken.MatchString(shown[0]) {
		return coatcheck.Token(shown[0]), true
	}
	return "", len(shown) > 0
}

func FuzzBearerToken(f *testing.F) {
	for _, seed := range [][2]string{
		{"", ""},
		{"Bearer " + tokenA, ""},
		{"bearer\t" + tokenA, ""},
		{"  BEARER   " + tokenA + "  ", ""},
		{"Bearer", ""},
		{"Bearer ", ""},
		{"Bearer" + tokenA, ""},
		{"BearerX " + tokenA, ""},
		{"Bearer " + tokenA + " " + tokenB, ""},
		{"Bearer " + tokenA + ", Bearer " + tokenB, ""},
		{"Bearer " + tokenA, "Bearer " + tokenB},
		{"Bearer x", "Bearer " + tokenB},
		{"Bearer " + tokenA, "Bearer"},
		{"Basic " + tokenA, "Bearer " + tokenB},
		{"Basic Bearer " + tokenA, ""},
		{"Bearer " + tokenA[:43], "Bearer " + tokenA + "A"},
		{"Bearer " + tokenA[:43] + "+", "Bearer " + tokenA[:43] + "="},
		{"Bearer \x00" + tokenA, "Bearer\u00a0" + tokenA},
		{"Bearer \r\n" + tokenA, "Bearer \v" + tokenA},
		{"\u212aearer " + tokenA, "bea\u017fer " + tokenA},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, lines := range [][]string{nil, {a}, {a, b}, {b, a}, {a, "Basic QQ==", b}} {
			got, is := bearerToken(lines)
			if want, wantIs := slowBearerToken(lines); got != want || is != wantIs {
				t.Errorf("%q: found %q, %v; want %q, %v", lines, string(got), is, string(want), wantIs)
			}
		}
	})
}

// Fuzzing for what is not there would find nothing: the seeds must.
func TestTheFuzzTestsFindTokens(t *testing.T) {
	for _, token := range []coatcheck.Token{tokenA, tokenB} {
		if got := cookieToken([]string{"a=b; c=" + string(token)}, "c"); got != token {
			t.Errorf("the cookie holds %q, want %q", string(got), string(token))
		}
		if got, _ := bearerToken([]string{"Bearer " + string(token)}); got != token {
			t.Errorf("the header holds %q, want %q", string(got), string(token))
		}
	}
	if _, err := (Config{CookieName: "__Host-session"}).withDefaults(); err != nil {
		t.Errorf("all seeds are skipped: %v", err)
	}
}
