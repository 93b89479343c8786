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
)

var coatcheckMemory = Subject{
	Name:       "coatcheck-memory",
	Module:     coatcheckModule,
	Configured: "`coatcheck.New` on `memstore`, and `httpsession.New`",
	Reads:      "its near cache; nothing",
	Gives:      coatcheckGives,
	Open: func(env Env) (App, error) {
		store, err := memstore.New(memstore.Config{})
		if err != nil {
			return nil, err
		}
		return openCoatcheck(env, store, store, coatcheck.NearCache{})
	},
}

var coatcheckRedis = Subject{
	Name:       "coatcheck-redis",
	Module:     coatcheckModule,
	Redis:      true,
	Configured: "`coatcheck.New` on `redisstore`, and `httpsession.New`",
	Reads:      "its near cache; nothing",
	Gives:      coatcheckGives + "; a change elsewhere is seen after a round trip as a rule, after a second at most",
	Open: func(env Env) (App, error) {
		return openCoatcheckRedis(env, coatcheck.NearCache{})
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
		return openCoatcheckRedis(env, coatcheck.NearCache{MaxEntries: -1})
	},
}

func openCoatcheckRedis(env Env, near coatcheck.NearCache) (App, error) {
	// Nothing but trouble: the log goes where the results go.
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	store, err := redisstore.Open(context.Background(), "redis://"+env.Redis, redisstore.Config{Logger: log})
	if err != nil {
		return nil, err
	}
	return openCoatcheck(env, store, store, near)
}

func openCoatcheck(env Env, store coatcheck.Store, closer io.Closer, near coatcheck.NearCache) (App, error) {
	manager, err := coatcheck.New(coatcheck.Config[Profile]{Store: store, NearCache: near})
	if err != nil {
		return nil, errors.Join(err, closer.Close())
	}
	end := func() error { return errors.Join(manager.Close(), closer.Close()) }
	sessions, err := httpsession.New(manager, httpsession.Config{})
	if err != nil {
		return nil, errors.Join(err, end())
	}
	return &webApp{sessions.Handler(&pages{&coatcheckSite{sessions, env.Value}, env}), end}, nil
}

type coatcheckSite struct {
	sessions *httpsession.Middleware[Profile]
	value    Profile
}

func (s *coatcheckSite) create(_ http.ResponseWriter, r *http.Request) error {
	return s.sessions.From(r.Context()).Change(r.Context(), func(p *Profile) error { *p = s.value; return nil })
}

func (s *coatcheckSite) read(_ http.ResponseWriter, r *http.Request) (Profile, error) {
	return s.sessions.From(r.Context()).Get(r.Context())
}

func (s *coatcheckSite) change(_ http.ResponseWriter, r *http.Request) error {
	return s.sessions.From(r.Context()).Change(r.Context(), func(p *Profile) error {
		if p.User == "" { // of a session that is not there yet
			return fmt.Errorf("change: %w", ErrMissing)
		}
		p.Views++
		return nil
	})
}

func (s *coatcheckSite) logout(_ http.ResponseWriter, r *http.Request) error {
	return s.sessions.From(r.Context()).Destroy(r.Context())
}
