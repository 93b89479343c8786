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

// storeFlags are those of all commands that open a store, but for its name.
type storeFlags struct {
	RedisInvalidation string `default:"tracking" enum:"tracking,pubsub,none" env:"COATCHECK_REDIS_INVALIDATION" placeholder:"KIND" help:"How those that share a Redis learn of each other's changes, the same for all of them: tracking, which makes do with pubsub where the server does not allow it; pubsub; or none, which has sessions read anew after --max-staleness (default ${default})."`
	SurvivePowerLoss  bool   `env:"COATCHECK_SURVIVE_POWER_LOSS" help:"Have SQLite wait for the disk at every commit: slower, and safe from more than a crash of the process."`
}

// openStore opens the store that --store names. The second result names it
// without a password.
func (f *storeFlags) openStore(ctx context.Context, named, redisPrefix string, logger *slog.Logger) (closableStore, string, error) {
	scheme, rest, _ := strings.Cut(named, ":")
	switch scheme {
	case "memory":
		if rest != "" {
			return nil, "", fmt.Errorf("--store: memory: takes nothing after the colon")
		}
		store, err := memstore.New(memstore.Config{})
		return store, "memory: (sessions end with this process)", err
	case "sqlite":
		path, err := sqlitePath(rest)
		if err != nil {
			return nil, "", err
		}
		store, err := sqlstore.OpenSQLite(ctx, path, sqlstore.Config{SurvivePowerLoss: f.SurvivePowerLoss})
		return store, "sqlite:" + path, err
	case "redis", "rediss", "valkey", "valkeys", "unix":
		store, err := redisstore.Open(ctx, named, redisstore.Config{Prefix: redisPrefix, Invalidation: f.invalidation(), Logger: logger})
		return store, withoutPassword(named), err
	default:
		// Not repeated: it may be a URL with a password, misspelt.
		return nil, "", fmt.Errorf("--store: unknown kind: want sqlite:PATH, memory: or redis://HOST:PORT (rediss:// for TLS, unix:// for a socket)")
	}
}

// sqlitePath returns the file that --store names behind "sqlite:".
func sqlitePath(rest string) (string, error) {
	path := strings.TrimPrefix(rest, "//")
	if strings.Contains(path, "?") {
		return "", fmt.Errorf("--store: sqlite: takes a path and no options: see --survive-power-loss")
	}
	return path, nil
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
func (f *storeFlags) invalidation() redisstore.Invalidation {
	switch f.RedisInvalidation {
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
