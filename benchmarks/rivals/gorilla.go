package rivals

import (
	"net/http"

	"github.com/boj/redistore"
	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"
)

const gorillaModule = "github.com/gorilla/sessions"

var gorillaCookie = Subject{
	Name:       "gorilla-cookie",
	Module:     gorillaModule,
	MaxValue:   2 << 10, // of the 4096 bytes of the cookie, base64 on base64 leaves a good half
	Configured: "`NewCookieStore` with one random key of 32 bytes",
	Reads:      "nobody; HMAC, base64 and gob",
	Gives:      "no store is asked, so a logout only has the browser forget; the last writer wins",
	Open: func(env Env) (App, error) {
		store := sessions.NewCookieStore(securecookie.GenerateRandomKey(32))
		return openGorilla(env, store, func() error { return nil }), nil
	},
}

var gorillaRedis = Subject{
	Name:       "gorilla-redis",
	Module:     gorillaModule,
	Redis:      true,
	Configured: "`redistore.NewRediStore` with an idle connection a client and `SetMaxLength` 64 KiB",
	Reads:      "Redis, by `PING` and `GET`; HMAC, base64 and gob",
	Gives:      lastWriterWins,
	Open: func(env Env) (App, error) {
		store, err := redistore.NewRediStore(env.Parallel, "tcp", env.Redis, "", "", securecookie.GenerateRandomKey(32))
		if err != nil {
			return nil, err
		}
		store.SetMaxLength(redistoreMaxLength)
		return openGorilla(env, store, store.Close), nil
	},
}

// redistoreMaxLength is what coatcheck has by default; redistore has 4096.
const redistoreMaxLength = 64 << 10

func openGorilla(env Env, store sessions.Store, end func() error) App {
	return &webApp{&pages{&gorillaSite{store, env.Value}, env}, end}
}

type gorillaSite struct {
	store sessions.Store
	value Profile
}

const gorillaCookieName = "session"

func (s *gorillaSite) create(w http.ResponseWriter, r *http.Request) error {
	session, err := s.store.Get(r, gorillaCookieName)
	if err != nil {
		return err
	}
	session.Values[valueKey] = s.value
	return session.Save(r, w)
}

func (s *gorillaSite) read(_ http.ResponseWriter, r *http.Request) (Profile, error) {
	session, err := s.store.Get(r, gorillaCookieName)
	if err != nil {
		return Profile{}, err
	}
	value, ok := session.Values[valueKey].(Profile)
	if !ok {
		return Profile{}, ErrMissing
	}
	return value, nil
}

func (s *gorillaSite) change(w http.ResponseWriter, r *http.Request) error {
	value, err := s.read(w, r)
	if err != nil {
		return err
	}
	session, err := s.store.Get(r, gorillaCookieName) // the one that was read
	if err != nil {
		return err
	}
	value.Views++
	session.Values[valueKey] = value
	return session.Save(r, w)
}

func (s *gorillaSite) logout(w http.ResponseWriter, r *http.Request) error {
	session, err := s.store.Get(r, gorillaCookieName)
	if err != nil {
		return err
	}
	session.Options.MaxAge = -1
	return session.Save(r, w)
}
