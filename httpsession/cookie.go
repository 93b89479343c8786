package httpsession

import (
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/coatcheck/coatcheck"
)

// maxCookieAge is what browsers cut Max-Age to: RFC 6265bis, section 5.5.
const maxCookieAge = 400 * 24 * time.Hour

// cookieToken returns the first token that a cookie of the name holds, or none.
// It finds what [http.Request.CookiesNamed] does, without its allocations. There
// may be several cookies of a name, set for other paths or by other hosts of the
// domain; what holds no token was not set by us.
func cookieToken(lines []string, name string) coatcheck.Token {
	for _, line := range lines {
		for rest := line; rest != ""; {
			var pair string
			pair, rest, _ = strings.Cut(rest, ";")
			value, found := cookieValue(trimLeft(pair), name)
			if !found {
				continue
			}
			if token := coatcheck.Token(value); token.ID() != "" {
				return token
			}
		}
	}
	return ""
}

// cookieValue returns what a pair says of the cookie of the name, if it does.
func cookieValue(pair, name string) (value string, found bool) {
	after, found := strings.CutPrefix(pair, name)
	if !found {
		return "", false
	}
	if after = trimLeft(after); after == "" || after[0] != '=' {
		return "", false // the name of another, that begins alike
	}
	value = trimRight(after[1:])
	if len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
		value = value[1 : len(value)-1]
	}
	return value, true
}

// trim removes the white space that net/textproto removes.
func trim(s string) string { return trimRight(trimLeft(s)) }

func trimLeft(s string) string {
	for s != "" && isSpace(s[0]) {
		s = s[1:]
	}
	return s
}

func trimRight(s string) string {
	for s != "" && isSpace(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// cookie returns the cookie with a value, and with a Max-Age as [http.Cookie]
// has it: 0 for none, negative to have it deleted.
func (c *Config) cookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name:        c.CookieName,
		Value:       value,
		Path:        c.Path,
		Domain:      c.Domain,
		MaxAge:      maxAge,
		Secure:      !c.InsecureCookie,
		HttpOnly:    true,
		SameSite:    c.SameSite,
		Partitioned: c.Partitioned,
	}
}

// setCookie has the browser hold the token, or none if it is empty.
func (c *Config) setCookie(h http.Header, status *coatcheck.SessionStatus) {
	maxAge := 0
	switch {
	case status.Token == "":
		maxAge = -1
	case c.Persistent:
		age := maxCookieAge
		if !status.Deadline.IsZero() {
			age = min(age, time.Until(status.Deadline))
		}
		maxAge = max(1, int(math.Ceil(age.Seconds()))) // 0 would make it not persistent
	}
	h.Add("Set-Cookie", c.cookie(string(status.Token), maxAge).String())
}
