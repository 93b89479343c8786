package httpsession

import (
	"strings"

	"github.com/coatcheck/coatcheck"
)

// bearerToken returns the token in the header Authorization, RFC 6750 section
// 2.1, and whether that has the scheme Bearer at all. Two of them are no token:
// who knows which one was checked on the way here.
func bearerToken(lines []string) (token coatcheck.Token, is bool) {
	const scheme = "Bearer"
	for _, line := range lines {
		line = trim(line)
		if len(line) < len(scheme) || !strings.EqualFold(line[:len(scheme)], scheme) {
			continue
		}
		rest := trim(line[len(scheme):])
		if rest != "" && !isSpace(line[len(scheme)]) {
			continue // another scheme, that begins alike
		}
		if token = coatcheck.Token(rest); is || token.ID() == "" {
			return "", true
		}
		is = true
	}
	return token, is
}
