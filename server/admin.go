package server

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// requireAdminKey is for calls on the sessions of others. They are refused
// without such a key even where nobody asks for an API key: whoever runs a
// program on this machine is no administrator yet.
func (s *service) requireAdminKey(ctx huma.Context, next func(huma.Context)) {
	if len(s.AdminKeys) == 0 {
		refuse(ctx, http.StatusForbidden, "admin-key",
			"this call needs an admin key, and the service has none: make one with openssl rand -hex 32, put it in a file, and start the service with --admin-key-file")
		return
	}
	if !s.AdminKeys.contain(ctx.Header(keyHeader)) {
		ctx.SetHeader("WWW-Authenticate", keyChallenge)
		refuse(ctx, http.StatusUnauthorized, "admin-key", "the header "+keyHeader+" is missing, or is no admin key: an API key does not open this call")
		return
	}
	next(ctx)
}

// onlyParameters refuses a query that has others than these, or one without a
// value, or that is malformed: what is misspelt would be dropped in silence, and
// more sessions be ended than was meant.
func onlyParameters(names ...string) func(huma.Context, func(huma.Context)) {
	allowed := "this call takes none"
	if len(names) > 0 {
		allowed = "this call takes " + strings.Join(names, " and ")
	}
	return func(ctx huma.Context, next func(huma.Context)) {
		u := ctx.URL()
		query, err := url.ParseQuery(u.RawQuery)
		if err != nil { // not repeated: it may be anything
			refuse(ctx, http.StatusBadRequest, "request", "the query of the URL is malformed: want parameters as in name=value&name=value")
			return
		}
		for name, values := range query {
			switch {
			case !slices.Contains(names, name):
				refuse(ctx, http.StatusUnprocessableEntity, "request", "unknown parameter in the URL: "+allowed)
				return
			case slices.Contains(values, ""):
				refuse(ctx, http.StatusUnprocessableEntity, "request", "the parameter "+name+" has no value: leave it out, or fill it in")
				return
			}
		}
		next(ctx)
	}
}

// unhurried lifts the limit on the time until the answer from a call that waits for
// all nodes: for as long as the bound on staleness, whatever that is. It still ends
// when its client leaves.
func unhurried(ctx huma.Context, next func(huma.Context)) {
	if ctx.Query("everywhere") != "" {
		_, w := humago.Unwrap(ctx)
		_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // an error means that there is no limit
	}
	next(ctx)
}
