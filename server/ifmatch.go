package server

import (
	"errors"
	"strconv"
	"strings"
)

// condition is an If-Match header (RFC 9110 section 13.1.1).
type condition struct {
	any  bool // no header, or "*"
	revs []uint64
}

var errIfMatch = errors.New(`If-Match must be *, or entity tags in quotes as in the header ETag, such as "3"`)

// parseIfMatch accepts any list of entity tags. Those that are not ours, weak
// ones among them, match no revision.
func parseIfMatch(header string) (condition, error) {
	rest := strings.Trim(header, " \t")
	if rest == "" || rest == "*" {
		return condition{any: true}, nil
	}
	var c condition
	for tags := 0; ; tags++ {
		rest = strings.TrimLeft(rest, " \t,") // elements may be empty
		if rest == "" && tags > 0 {
			return c, nil
		}
		weak := strings.HasPrefix(rest, "W/")
		rest = strings.TrimPrefix(rest, "W/")
		if !strings.HasPrefix(rest, `"`) {
			return condition{}, errIfMatch
		}
		tag, after, closed := strings.Cut(rest[1:], `"`)
		rest = strings.TrimLeft(after, " \t")
		if !closed || rest != "" && rest[0] != ',' {
			return condition{}, errIfMatch
		}
		if rev, err := strconv.ParseUint(tag, 10, 64); err == nil && !weak && etag(rev) == `"`+tag+`"` {
			c.revs = append(c.revs, rev)
		}
	}
}
