package rivals

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/httpsession"
	"github.com/coatcheck/coatcheck/memstore"
	"github.com/coatcheck/coatcheck/redisstore"
)

const (
	coatcheckModule = "github.com/coatcheck/coatcheck"
	coatcheckGives  = "no update is lost, no logout undone"

	coatcheckSeesChanges = "; a change elsewhere is seen after a round trip as a rule, after a second at most"
)

var coatcheckMemory = Subject{
	Name:       "coatcheck-memory",
	Module:     coatcheckModule,
	Configured: "`coatcheck.New` on `memstore`, and `HandlerFunc` of `httpsession.New`",
	Reads:      "its near cache; nothing",
	Gives:      coatcheckGives,
	Open: func(env Env) (App, error) {
		store, err := memstore.New(memstore.Config{})
		if err != nil {
			return nil, err
		}
		return openCoatcheck(env, store, store, coatcheck.NearCache{}, byArgument)
	},
}

var coatcheckRedis = Subject{
	Name:       "coatcheck-redis",
	Module:     coatcheckModule,
	Redis:      true,
	Configured: "`coatcheck.New` on `redisstore`, and `HandlerFunc` of `httpsession.New`",
	Reads:      "its near cache; nothing",
	Gives:      coatcheckGives + coatcheckSeesChanges,
	Open: func(env Env) (App, error) {
		return openCoatcheckRedis(env, coatcheck.NearCache{}, byArgument)
	},
}

var coatcheckRedisFrom = Subject{
	Name:       "coatcheck-redis-from",
	Module:     coatcheckModule,
	Redis:      true,
	Configured: "as `coatcheck-redis`, with `Handler` around all, and `From` in the handlers",
	Reads:      "its near cache; nothing",
	Gives:      coatcheckGives + coatcheckSeesChanges,
	Open: func(env Env) (App, error) {
		return openCoatcheckRedis(env, coatcheck.NearCache{}, byContext)
	},
}

var coatcheckRedisUncached = Subject{
	Name:       "coatcheck-redis-uncached",
	Module:     coatcheckModule,
	Redis:      true,
	Configured: "as `coatcheck-redis`, with `NearCache.MaxEntries` -1",
	Reads:      "Redis; JSON",
	Gives:      coatcheckGives + "; a change elsewhere is seen at once",
	Open: func(env Env) (App, error) {
		return openCoatcheckRedis(env, coatcheck.NearCache{MaxEntries: -1}, byArgument)
	},
}

func openCoatcheckRedis(env Env, near coatcheck.NearCache, by handover) (App, error) {
	// Nothing but trouble: the log goes where the results go.
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	store, err := redisstore.Open(context.Background(), "redis://"+env.Redis, redisstore.Config{Logger: log})
	if err != nil {
		return nil, err
	}
	return openCoatcheck(env, store, store, near, by)
}

func openCoatcheck(env Env, store coatcheck.Store, closer io.Closer, near coatcheck.NearCache, by handover) (App, error) {
	manager, err := coatcheck.New(coatcheck.Config[Profile]{Store: store, NearCache: near})
	if err != nil {
		return nil, errors.Join(err, closer.Close())
	}
	end := func() error { return errors.Join(manager.Close(), closer.Close()) }
	sessions, err := httpsession.New(manager, httpsession.Config{})
	if err != nil {
		return nil, errors.Join(err, end())
	}
	return &webApp{by(sessions, &env), end}, nil
}

// handover is how handlers get their session.
type handover func(*httpsession.Middleware[Profile], *Env) http.Handler

func byArgument(sessions *httpsession.Middleware[Profile], env *Env) http.Handler {
	return sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, session *coatcheck.Session[Profile]) {
		answer(w, serve(coatcheckSite{session, env}, env, w, r))
	})
}

func byContext(sessions *httpsession.Middleware[Profile], env *Env) http.Handler {
	return sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(w, serve(coatcheckSite{sessions.From(r.Context()), env}, env, w, r))
	}))
}

// coatcheckSite serves one request.
type coatcheckSite struct {
	session *coatcheck.Session[Profile]
	env     *Env
}

func (s coatcheckSite) create(_ http.ResponseWriter, r *http.Request) error {
	return s.session.Change(r.Context(), func(p *Profile) error { *p = s.env.Value; return nil })
}

func (s coatcheckSite) read(_ http.ResponseWriter, r *http.Request) (Profile, error) {
	return s.session.Get(r.Context())
}

func (s coatcheckSite) change(_ http.ResponseWriter, r *http.Request) error {
	return s.session.Change(r.Context(), func(p *Profile) error {
		if p.User == "" { // of a session that is not there yet
			return fmt.Errorf("change: %w", ErrMissing)
		}
		p.Views++
		return nil
	})
}

func (s coatcheckSite) logout(_ http.ResponseWriter, r *http.Request) error {
	return s.session.Destroy(r.Context())
}
