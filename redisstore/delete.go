package redisstore

import (
	"context"
	_ "embed"

	"github.com/redis/rueidis"
)

var (
	//go:embed lua/delete.lua
	deleteLua string

	deleteScript = rueidis.NewLuaScript(deleteLua)
)

// Delete implements [coatcheck.Store]: one command, and another one for the
// index if the record had a subject. Whatever becomes of that one, the record is
// gone.
func (s *Store) Delete(ctx context.Context, id string) error {
	return s.remove(ctx, id, "")
}

// remove deletes the record, of one incarnation only if that is not empty.
func (s *Store) remove(ctx context.Context, id, incarnation string) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	args := []string{incarnation}
	if s.invalidation == PubSub {
		args = append(args, s.channel, s.message(opDelete, id, 0))
	}
	deleted, err := deleteScript.Exec(ctx, s.client, []string{s.prefix + id}, args).ToString()
	s.reportOwn(id, 0) // also after an error: see Update
	if err != nil {
		return s.failed(ctx, "delete", id, err)
	}
	if len(deleted) > incarnationBytes {
		s.dropFromIndex(ctx, deleted[incarnationBytes:], id+deleted[:incarnationBytes])
	}
	return nil
}
