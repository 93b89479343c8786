package rivals

import (
	"crypto/rand"
	"net/http"

	"github.com/go-session/session/v3"
)

var goSessionMemory = Subject{
	Name:       "go-session-memory",
	Module:     "github.com/go-session/session/v3",
	Configured: "`NewManager` with a random key",
	Reads:      "its map, in which it extends the deadline; HMAC",
	Gives:      "requests of a session share a map without a lock: a change is seen before it is saved, and two at once can end the process",
	Open: func(env Env) (App, error) {
		store := session.NewMemoryStore()
		manager := session.NewManager(session.SetStore(store), session.SetSign([]byte(rand.Text())))
		return &webApp{&pages{&goSessionSite{manager, env.Value}, env}, store.Close}, nil
	},
}

type goSessionSite struct {
	manager *session.Manager
	value   Profile
}

func (s *goSessionSite) create(w http.ResponseWriter, r *http.Request) error {
	store, err := s.manager.Start(r.Context(), w, r)
	if err != nil {
		return err
	}
	store.Set(valueKey, s.value)
	return store.Save()
}

func (s *goSessionSite) read(w http.ResponseWriter, r *http.Request) (Profile, error) {
	store, err := s.manager.Start(r.Context(), w, r)
	if err != nil {
		return Profile{}, err
	}
	return goSessionValue(store)
}

func (s *goSessionSite) change(w http.ResponseWriter, r *http.Request) error {
	store, err := s.manager.Start(r.Context(), w, r)
	if err != nil {
		return err
	}
	value, err := goSessionValue(store)
	if err != nil {
		return err
	}
	value.Views++
	store.Set(valueKey, value)
	return store.Save()
}

func goSessionValue(store session.Store) (Profile, error) {
	found, _ := store.Get(valueKey)
	value, ok := found.(Profile)
	if !ok {
		return Profile{}, ErrMissing
	}
	return value, nil
}

func (s *goSessionSite) logout(w http.ResponseWriter, r *http.Request) error {
	return s.manager.Destroy(r.Context(), w, r)
}
