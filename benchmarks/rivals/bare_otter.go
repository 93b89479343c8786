package rivals

import (
	"crypto/rand"

	"github.com/maypok86/otter/v2"
)

var bareOtter = Subject{
	Name:       "bare-otter",
	Module:     "github.com/maypok86/otter/v2",
	Direct:     true,
	Configured: "a cache of 100,000 pointers; no HTTP",
	Reads:      "its cache; nothing",
	Gives:      "no deadline and no store: the least that a read can cost coatcheck",
	Open: func(env Env) (App, error) {
		cache, err := otter.New(&otter.Options[string, *Profile]{MaximumSize: 100_000})
		if err != nil {
			return nil, err
		}
		return &bareOtterApp{cache, env}, nil
	},
}

type bareOtterApp struct {
	cache *otter.Cache[string, *Profile]
	env   Env
}

func (a *bareOtterApp) Client() Client { return &bareOtterClient{app: a} }
func (a *bareOtterApp) Close() error   { a.cache.StopAllGoroutines(); return nil }

type bareOtterClient struct {
	app *bareOtterApp
	key string // empty without a session
}

// Create drops the entry before, for a cache that is full would drop others.
func (c *bareOtterClient) Create() error {
	c.app.cache.Invalidate(c.key)
	c.key = rand.Text()
	value := c.app.env.Value
	c.app.cache.Set(c.key, &value)
	return nil
}

func (c *bareOtterClient) Read() error {
	value, ok := c.app.cache.GetIfPresent(c.key)
	if !ok {
		return ErrMissing
	}
	return c.app.env.check(*value)
}

func (c *bareOtterClient) Change() error {
	_, ok := c.app.cache.ComputeIfPresent(c.key, func(old *Profile) (*Profile, otter.ComputeOp) {
		changed := *old
		changed.Views++
		return &changed, otter.WriteOp
	})
	if !ok {
		return ErrMissing
	}
	return nil
}

func (c *bareOtterClient) Logout() error {
	c.app.cache.Invalidate(c.key)
	return nil
}
