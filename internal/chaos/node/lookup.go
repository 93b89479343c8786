//go:build !chaos_naive_cache

package main

import (
	"context"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/chaos"
)

// lookup is where a test puts a cache that breaks promises.
func (l *load) lookup(ctx context.Context, token coatcheck.Token) (chaos.Value, coatcheck.Info, error) {
	return l.manager.Lookup(ctx, token)
}
