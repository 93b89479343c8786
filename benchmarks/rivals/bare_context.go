package rivals

import (
	"context"
	"net/http"
)

var bareContext = Subject{
	Name:       "bare-context",
	Configured: "`context.WithValue` and `Request.WithContext`",
	Reads:      "nobody; nothing",
	Gives:      "no session: the least that middleware costs which hands its handler anything",
	Open: func(env Env) (App, error) {
		inner := &pages{contextSite{}, env}
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			inner.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, &env.Value)))
		})
		return &webApp{handler, func() error { return nil }}, nil
	},
}

type contextKey struct{}

type contextSite struct{ bareSite }

func (contextSite) read(_ http.ResponseWriter, r *http.Request) (Profile, error) {
	return *r.Context().Value(contextKey{}).(*Profile), nil
}
