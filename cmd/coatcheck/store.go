package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/memstore"
	"github.com/coatcheck/coatcheck/redisstore"
	"github.com/coatcheck/coatcheck/sealedstore"
	"github.com/coatcheck/coatcheck/sqlstore"
)

// closableStore is what every store of the service is.
type closableStore interface {
	coatcheck.Store
	Close() error
}

// openStore opens the store that --store names. The second result names it
// without a password.
func (c *serveCommand) openStore(ctx context.Context, logger *slog.Logger) (closableStore, string, error) {
	scheme, rest, _ := strings.Cut(c.Store, ":")
	switch scheme {
	case "memory":
		if rest != "" {
			return nil, "", fmt.Errorf("--store: memory: takes nothing after the colon")
		}
		store, err := memstore.New(memstore.Config{})
		return store, "memory: (sessions end with this process)", err
	case "sqlite":
		path := strings.TrimPrefix(rest, "//")
		if strings.Contains(path, "?") {
			return nil, "", fmt.Errorf("--store: sqlite: takes a path and no options: see --survive-power-loss")
		}
		store, err := sqlstore.OpenSQLite(ctx, path, sqlstore.Config{SurvivePowerLoss: c.SurvivePowerLoss})
		return store, "sqlite:" + path, err
	case "redis", "rediss", "valkey", "valkeys", "unix":
		store, err := redisstore.Open(ctx, c.Store, redisstore.Config{Prefix: c.RedisPrefix, Invalidation: c.invalidation(), Logger: logger})
		return store, withoutPassword(c.Store), err
	default:
		// Not repeated: it may be a URL with a password, misspelt.
		return nil, "", fmt.Errorf("--store: unknown kind: want sqlite:PATH, memory: or redis://HOST:PORT (rediss:// for TLS, unix:// for a socket)")
	}
}

// keyring returns nil if values are not to be sealed.
func (c *serveCommand) keyring() (*sealedstore.Keyring, error) {
	switch {
	case c.KeyringFile != "":
		keys, err := sealedstore.ReadKeyring(c.KeyringFile)
		if err != nil {
			return nil, fmt.Errorf("--keyring-file: %w", inWords(err))
		}
		return keys, nil
	case c.AcceptPlaintext:
		return nil, fmt.Errorf("--accept-plaintext is for values from before --keyring-file: without that none are sealed")
	default:
		return nil, nil
	}
}

// sealed returns the store as the manager is to see it.
func (c *serveCommand) sealed(inner coatcheck.Store, keys *sealedstore.Keyring, logger *slog.Logger) (coatcheck.Store, error) {
	if keys == nil {
		return inner, nil
	}
	var options []sealedstore.Option
	if c.AcceptPlaintext {
		options = append(options, sealedstore.AcceptPlaintext())
		logger.Warn("values that are not sealed are accepted: whoever can write to the store can put any value into any session; take away --accept-plaintext when the sessions from before have ended")
	}
	store, err := sealedstore.New(inner, keys, options...)
	if err != nil {
		return nil, fmt.Errorf("--keyring-file: %w", inWords(err))
	}
	logger.Info("values are sealed", "keyring", keys)
	return store, nil
}

// invalidation is as the flag says even without a near cache here: those who
// have one hear by pub/sub only of changes whose author tells them.
func (c *serveCommand) invalidation() redisstore.Invalidation {
	switch c.RedisInvalidation {
	case "none":
		return redisstore.NoInvalidation
	case "pubsub":
		return redisstore.PubSub
	default:
		return redisstore.Tracking
	}
}

func withoutPassword(name string) string {
	u, err := url.Parse(name)
	if err != nil {
		return "redis"
	}
	return u.Redacted()
}
