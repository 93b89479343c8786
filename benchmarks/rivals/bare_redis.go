package rivals

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/redis/rueidis"
)

var bareRedis = Subject{
	Name:       "bare-redis",
	Module:     rueidisModule,
	Redis:      true,
	Direct:     true,
	Configured: "rueidis, one connection on which all is pipelined; no HTTP",
	Reads:      "Redis; JSON",
	Gives:      "a change is `GET` and `SET`, which loses updates",
	Open: func(env Env) (App, error) {
		client, err := rueidis.NewClient(rueidis.ClientOption{
			InitAddress:       []string{env.Redis},
			PipelineMultiplex: -1,
			AlwaysPipelining:  true,
			DisableCache:      true,
			DisableRetry:      true,
		})
		if err != nil {
			return nil, err
		}
		return &bareRedisApp{client, env}, nil
	},
}

type bareRedisApp struct {
	client rueidis.Client
	env    Env
}

func (a *bareRedisApp) Client() Client { return &bareRedisClient{app: a} }
func (a *bareRedisApp) Close() error   { a.client.Close(); return nil }

type bareRedisClient struct {
	app *bareRedisApp
	key string // empty without a session
}

func (c *bareRedisClient) Create() error {
	c.key = handmadePrefix + rand.Text()
	return c.set(c.app.env.Value)
}

func (c *bareRedisClient) Read() error {
	value, err := c.get()
	if err != nil {
		return err
	}
	return c.app.env.check(value)
}

func (c *bareRedisClient) Change() error {
	value, err := c.get()
	if err != nil {
		return err
	}
	value.Views++
	return c.set(value)
}

func (c *bareRedisClient) Logout() error {
	if err := c.app.client.Do(context.Background(), c.app.client.B().Del().Key(c.key).Build()).Error(); err != nil {
		return fmt.Errorf("delete session: %w", err)
	}
	return nil
}

func (c *bareRedisClient) get() (Profile, error) {
	return decodeJSON(c.app.client.Do(context.Background(), c.app.client.B().Get().Key(c.key).Build()))
}

func (c *bareRedisClient) set(value Profile) error {
	return setJSON(context.Background(), c.app.client, c.key, value, handmadeTimeout)
}
