package redisstore

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/redis/rueidis"

	"github.com/coatcheck/coatcheck"
)

const (
	idLen    = 22
	pageSize = 200 // keys that a SCAN looks at, and values that are read at once
)

// List implements [coatcheck.Lister]: SCAN on each primary, then the records
// of a page in one round trip.
func (s *Store) List(ctx context.Context) iter.Seq2[coatcheck.Record, error] {
	return func(yield func(coatcheck.Record, error) bool) {
		if err := s.enter(ctx); err != nil {
			yield(coatcheck.Record{}, err)
			return
		}
		primaries := 0
		for _, node := range s.client.Nodes() {
			primary, err := isPrimary(ctx, node)
			if err != nil {
				yield(coatcheck.Record{}, s.failed(ctx, "list", "", err))
				return
			}
			if !primary {
				continue
			}
			primaries++
			if !s.listNode(ctx, node, yield) {
				return
			}
		}
		if primaries == 0 {
			yield(coatcheck.Record{}, s.failed(ctx, "list", "", errNoPrimary))
		}
	}
}

func isPrimary(ctx context.Context, node roleAsker) (bool, error) {
	role, err := node.Do(ctx, node.B().Role().Build()).ToArray()
	if err != nil {
		return false, err
	}
	if len(role) == 0 {
		return false, errors.New("empty answer to ROLE")
	}
	name, err := role[0].ToString()
	return name == "master", err
}

// listNode reports whether to go on.
func (s *Store) listNode(ctx context.Context, node rueidis.Client, yield func(coatcheck.Record, error) bool) bool {
	pattern := globEscaper.Replace(s.prefix) + "*"
	for cursor, first := uint64(0), true; first || cursor != 0; first = false {
		page, err := node.Do(ctx, node.B().Scan().Cursor(cursor).Match(pattern).Count(pageSize).Build()).AsScanEntry()
		if err != nil {
			yield(coatcheck.Record{}, s.failed(ctx, "list", "", err))
			return false
		}
		cursor = page.Cursor
		if !s.listPage(ctx, page.Elements, yield) {
			return false
		}
	}
	return true
}

var globEscaper = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, `^`, `\^`)

// isID tells a record's key from those of indexes and of markers, whose names
// have a colon.
func isID(name string) bool {
	return len(name) == idLen && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '-' && r != '_'
	})
}

func (s *Store) listPage(ctx context.Context, keys []string, yield func(coatcheck.Record, error) bool) bool {
	var ids []string
	var gets rueidis.Commands
	for _, key := range keys {
		if id := key[len(s.prefix):]; isID(id) { // others are not records
			ids = append(ids, id)
			gets = append(gets, s.client.B().Get().Key(key).Build())
		}
	}
	if len(gets) == 0 {
		return true
	}
	for i, result := range s.client.DoMulti(ctx, gets...) {
		b, err := result.AsBytes()
		if rueidis.IsRedisNil(err) {
			continue // gone since the SCAN
		}
		var r coatcheck.Record
		if err == nil {
			r, err = living(ids[i], b)
			if errors.Is(err, coatcheck.ErrNotFound) {
				continue
			}
		} else {
			err = s.failed(ctx, "list", ids[i], err)
		}
		if !yield(r, err) || err != nil {
			return false
		}
	}
	return true
}
