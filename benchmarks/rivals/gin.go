package rivals

import (
	"net/http"

	"github.com/gin-contrib/sessions"
	"github.com/gin-contrib/sessions/memstore"
	"github.com/gin-contrib/sessions/redis"
	"github.com/gin-gonic/gin"
	"github.com/gorilla/securecookie"
)

const ginModule = "github.com/gin-contrib/sessions"

var ginMemory = Subject{
	Name:       "gin-memory",
	Module:     ginModule,
	Configured: "`gin.New` in release mode, `memstore.NewStore` with a random key of 32 bytes",
	Reads:      "its map; HMAC, base64, and gob both ways to copy the value",
	Gives:      lastWriterWins + "; no session is ever dropped from memory",
	Open: func(env Env) (App, error) {
		store := memstore.NewStore(securecookie.GenerateRandomKey(32))
		return openGin(env, store, func() error { return nil }), nil
	},
}

var ginRedis = Subject{
	Name:       "gin-redis",
	Module:     ginModule,
	Redis:      true,
	Configured: "`gin.New` in release mode, `redis.NewStore` with an idle connection a client and `SetMaxLength` 64 KiB",
	Reads:      "Redis, by `PING` and `GET`; HMAC, base64 and gob",
	Gives:      lastWriterWins,
	Open: func(env Env) (App, error) {
		store, err := redis.NewStore(env.Parallel, "tcp", env.Redis, "", "", securecookie.GenerateRandomKey(32))
		if err != nil {
			return nil, err
		}
		inner, err := redis.GetRedisStore(store)
		if err != nil {
			return nil, err
		}
		inner.SetMaxLength(redistoreMaxLength)
		return openGin(env, store, inner.Close), nil
	},
}

func openGin(env Env, store sessions.Store, end func() error) App {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New() // gin.Default would write a line for each request
	engine.Use(sessions.Sessions("session", store))
	for _, page := range []struct {
		method, path string
		do           func(sessions.Session, Env) error
	}{
		{http.MethodPost, "/create", ginCreate},
		{http.MethodGet, "/read", ginRead},
		{http.MethodPost, "/change", ginChange},
		{http.MethodPost, "/logout", ginLogout},
	} {
		engine.Handle(page.method, page.path, func(c *gin.Context) {
			answer(c.Writer, page.do(sessions.Default(c), env))
		})
	}
	return &webApp{engine, end}
}

func ginCreate(session sessions.Session, env Env) error {
	session.Set(valueKey, env.Value)
	return session.Save()
}

func ginRead(session sessions.Session, env Env) error {
	value, ok := session.Get(valueKey).(Profile)
	if !ok {
		return ErrMissing
	}
	return env.check(value)
}

func ginChange(session sessions.Session, _ Env) error {
	value, ok := session.Get(valueKey).(Profile)
	if !ok {
		return ErrMissing
	}
	value.Views++
	session.Set(valueKey, value)
	return session.Save()
}

func ginLogout(session sessions.Session, _ Env) error {
	session.Options(sessions.Options{Path: "/", MaxAge: -1})
	return session.Save()
}
