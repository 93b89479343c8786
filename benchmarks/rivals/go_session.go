package rivals

import (
	"crypto/rand"
	"errors"
	"net/http"
	"reflect"

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
		end := func() error { return errors.Join(store.Close(), forgetGoSession(store)) }
		return &webApp{&pages{&goSessionSite{manager, env.Value}, env}, end}, nil
	},
}

// forgetGoSession drops the sessions of a store that was closed. Its sweeper does not end
// when it is closed, but waits for ever, and holds all of them: others would pay for that,
// with each garbage collection. So the store is given the table of an empty one.
func forgetGoSession(store session.ManagerStore) error {
	table := func(of session.ManagerStore) reflect.Value { return reflect.ValueOf(of).Elem().FieldByName("data") }
	empty := session.NewMemoryStore()
	full := table(store)
	if !full.IsValid() {
		return errors.New("the store of go-session has no field data any more: look whether its sweeper ends by now")
	}
	reflect.NewAt(full.Type(), full.Addr().UnsafePointer()).Elem().
		Set(reflect.NewAt(full.Type(), table(empty).Addr().UnsafePointer()).Elem())
	return empty.Close()
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
