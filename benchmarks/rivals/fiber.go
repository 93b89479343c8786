package rivals

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/session"
	"github.com/gofiber/storage/redis/v3"
)

const (
	fiberModule = "github.com/gofiber/fiber/v3"
	fiberGives  = lastWriterWins + ", even one that only reads"
)

var fiberMemory = Subject{
	Name:       "fiber-memory",
	Module:     fiberModule,
	Configured: "`fiber.New` and `session.New`, on fasthttp",
	Reads:      "its map, to which it also writes; gob both ways",
	Gives:      fiberGives,
	Open: func(env Env) (App, error) {
		return openFiber(env, nil), nil
	},
}

var fiberRedis = Subject{
	Name:       "fiber-redis",
	Module:     fiberModule,
	Redis:      true,
	Configured: "`fiber.New` and `session.New` with `storage/redis`, on fasthttp; go-redis with a connection a client, 10 a processor at least",
	Reads:      "Redis, to which it also writes; gob both ways",
	Gives:      fiberGives,
	Open: func(env Env) (App, error) {
		return openFiber(env, redis.NewFromConnection(newGoRedis(env))), nil
	},
}

func openFiber(env Env, storage fiber.Storage) *fiberApp {
	middleware, store := session.NewWithStore(session.Config{Storage: storage})
	app := fiber.New()
	app.Use(middleware)
	for _, page := range []struct {
		method, path string
		do           func(*session.Middleware, Env) error
	}{
		{fiber.MethodPost, "/create", fiberCreate},
		{fiber.MethodGet, "/read", fiberRead},
		{fiber.MethodPost, "/change", fiberChange},
		{fiber.MethodPost, "/logout", fiberLogout},
	} {
		app.Add([]string{page.method}, page.path, func(c fiber.Ctx) error {
			if err := page.do(session.FromContext(c), env); err != nil {
				return c.Status(status(err)).SendString(err.Error())
			}
			return c.SendString("ok")
		})
	}
	return &fiberApp{app, store}
}

func fiberCreate(s *session.Middleware, env Env) error {
	s.Set(valueKey, env.Value)
	return nil
}

func fiberRead(s *session.Middleware, env Env) error {
	value, ok := s.Get(valueKey).(Profile)
	if !ok {
		return ErrMissing
	}
	return env.check(value)
}

func fiberChange(s *session.Middleware, _ Env) error {
	value, ok := s.Get(valueKey).(Profile)
	if !ok {
		return ErrMissing
	}
	value.Views++
	s.Set(valueKey, value)
	return nil
}

func fiberLogout(s *session.Middleware, _ Env) error { return s.Destroy() }

// shutdownTimeout is how long a request under way may hold up the end of Serve.
const shutdownTimeout = 5 * time.Second

// fiberApp is an App on fasthttp, which has handlers and a server of its own.
type fiberApp struct {
	app   *fiber.App
	store *session.Store
}

func (a *fiberApp) Client() Client { return newFastVisitor(a.app.Handler()) }
func (a *fiberApp) Close() error   { return a.store.Storage.Close() }

// Serve answers requests until the listener is closed.
func (a *fiberApp) Serve(l net.Listener) error {
	if err := a.app.Listener(l, fiber.ListenConfig{DisableStartupMessage: true}); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	// The listener is closed a second time on the way to the connections.
	if err := a.app.ShutdownWithTimeout(shutdownTimeout); !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("end connections: %w", err)
	}
	return nil
}
