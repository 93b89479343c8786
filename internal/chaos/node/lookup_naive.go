//go:build chaos_naive_cache

package main

import (
	"context"
	"sync"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/chaos"
)

// naive is the cache that everybody writes first: it hears of nothing, and
// keeps what it has for longer than is promised.
var naive struct {
	mu      sync.Mutex
	entries map[string]entry // by ID
}

type entry struct {
	value chaos.Value
	info  coatcheck.Info
	until time.Time
}

func (l *load) lookup(ctx context.Context, token coatcheck.Token) (chaos.Value, coatcheck.Info, error) {
	naive.mu.Lock()
	e, ok := naive.entries[token.ID()]
	naive.mu.Unlock()
	if ok && time.Now().Before(e.until) {
		return e.value, e.info, nil
	}
	value, info, err := l.manager.Lookup(ctx, token)
	if err == nil {
		naive.mu.Lock()
		defer naive.mu.Unlock()
		if naive.entries == nil {
			naive.entries = map[string]entry{}
		}
		naive.entries[token.ID()] = entry{value, info, time.Now().Add(2 * l.config.MaxStaleness)}
	}
	return value, info, err
}
