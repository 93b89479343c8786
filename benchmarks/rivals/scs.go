package rivals

import (
	"net/http"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
)

const scsModule = "github.com/alexedwards/scs/v2"

var scsMemory = Subject{
	Name:       "scs-memory",
	Module:     scsModule,
	Configured: "`scs.New` on `memstore` without a sweeper",
	Reads:      "its own map; gob",
	Gives:      lastWriterWins,
	Open: func(env Env) (App, error) {
		manager := scs.New()
		// The sweeper comes once a minute, and to stop it would be a data race.
		manager.Store = memstore.NewWithCleanupInterval(0)
		return openSCS(env, manager, func() error { return nil }), nil
	},
}

var scsRedis = Subject{
	Name:       "scs-redis",
	Module:     scsModule,
	Redis:      true,
	Configured: "`scs.New` on `goredisstore`; go-redis with a connection a client, 10 a processor at least",
	Reads:      "Redis; gob",
	Gives:      lastWriterWins,
	Open: func(env Env) (App, error) {
		client := newGoRedis(env)
		manager := scs.New()
		manager.Store = goredisstore.New(client)
		return openSCS(env, manager, client.Close), nil
	},
}

func openSCS(env Env, manager *scs.SessionManager, end func() error) App {
	return &webApp{manager.LoadAndSave(&pages{&scsSite{manager, env.Value}, env}), end}
}

type scsSite struct {
	manager *scs.SessionManager
	value   Profile
}

func (s *scsSite) create(_ http.ResponseWriter, r *http.Request) error {
	s.manager.Put(r.Context(), valueKey, s.value)
	return nil
}

func (s *scsSite) read(_ http.ResponseWriter, r *http.Request) (Profile, error) {
	value, ok := s.manager.Get(r.Context(), valueKey).(Profile)
	if !ok {
		return Profile{}, ErrMissing
	}
	return value, nil
}

func (s *scsSite) change(w http.ResponseWriter, r *http.Request) error {
	value, err := s.read(w, r)
	if err != nil {
		return err
	}
	value.Views++
	s.manager.Put(r.Context(), valueKey, value)
	return nil
}

func (s *scsSite) logout(_ http.ResponseWriter, r *http.Request) error {
	return s.manager.Destroy(r.Context())
}
