package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/memstore"
	"github.com/coatcheck/coatcheck/redisstore"
	"github.com/coatcheck/coatcheck/sqlstore"
)

// closableStore is what every store of the service is.
type closableStore interface {
	coatcheck.Store
	Close() error
}

// openStore opens the store that --store names. The second result names it
// without a password.
func openStore(ctx context.Context, name, redisPrefix string) (closableStore, string, error) {
	scheme, rest, _ := strings.Cut(name, ":")
	switch scheme {
	case "memory":
		if rest != "" {
			return nil, "", fmt.Errorf("--store: memory: takes nothing after the colon")
		}
		store, err := memstore.New(memstore.Config{})
		return store, "memory: (sessions end with this process)", err
	case "sqlite":
		path := strings.TrimPrefix(rest, "//")
		store, err := sqlstore.OpenSQLite(ctx, path, sqlstore.Config{})
		return store, "sqlite:" + path, err
	case "redis", "rediss", "valkey", "valkeys", "unix":
		store, err := redisstore.Open(ctx, name, redisstore.Config{Prefix: redisPrefix})
		return store, withoutPassword(name), err
	default:
		// Not repeated: it may be a URL with a password, misspelt.
		return nil, "", fmt.Errorf("--store: unknown kind: want sqlite:PATH, memory: or redis://HOST:PORT (rediss:// for TLS, unix:// for a socket)")
	}
}

func withoutPassword(name string) string {
	u, err := url.Parse(name)
	if err != nil {
		return "redis"
	}
	return u.Redacted()
}
