package main

import (
	"context"
	"errors"
	"strings"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/memstore"
	"github.com/coatcheck/coatcheck/redisstore"
	"github.com/coatcheck/coatcheck/sqlstore"
)

type store interface {
	coatcheck.Store
	Close() error
}

// openStore opens the store of that name, and says what kind it is.
func openStore(ctx context.Context, name string) (s store, kind string, err error) {
	scheme, rest, _ := strings.Cut(name, ":")
	switch scheme {
	case "memory":
		s, err = memstore.New(memstore.Config{})
		return s, "memory", err
	case "sqlite":
		s, err = sqlstore.OpenSQLite(ctx, rest, sqlstore.Config{})
		return s, "SQLite", err
	case "redis", "rediss":
		// Programs that share a Redis but not their sessions need a prefix each.
		s, err = redisstore.Open(ctx, name, redisstore.Config{Prefix: "shop:"})
		return s, "Redis", err
	}
	return nil, "", errors.New("-store: want sqlite:PATH, memory: or redis://HOST:PORT")
}
