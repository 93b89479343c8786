package redisstore

import (
	"context"
	_ "embed"
	"encoding/binary"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/coatcheck/coatcheck"
)

// The index of a subject is a sorted set of names: the ID of a record and its
// incarnation. It may name the dead; it never misses a record whose Create, or
// the Update that gave it the subject, has returned. It cannot be changed
// together with a record, for in a cluster the two are on different servers. So
// it rests on an order, whoever dies between two of the steps:
//
//   - A name is added before anybody can have the record: a creation files it
//     for pendingFor, adds the name and then gives the record its life; an update
//     is not written before the name has been added.
//   - A record is there before its name is added. So a name without a record is
//     that of a record that has ended, and since an incarnation never comes back,
//     it may be removed at any time.

const subjectName = "subject:" // begins the names of the keys of indexes

// clockTolerance is how far the clocks of servers and processes may differ. A
// name outlives its record by as much.
const clockTolerance = time.Minute

var (
	//go:embed lua/index.lua
	indexLua string

	indexScript = rueidis.NewLuaScript(indexLua)
)

func (s *Store) indexKey(subject string) string { return s.prefix + subjectName + subject }

const incarnationBytes = 8

// indexName is what the index of its subject calls a record: unlike the ID, it
// never comes back.
func indexName(id string, incarnation uint64) string {
	return id + string(binary.BigEndian.AppendUint64(nil, incarnation))
}

func parseIndexName(name string) (id string, incarnation uint64, ok bool) {
	at := len(name) - incarnationBytes
	if at < 0 {
		return "", 0, false
	}
	return name[:at], binary.BigEndian.Uint64([]byte(name[at:])), true
}

// ending is the latest end of a record that can come about without an update,
// as a score: touches reach no further than the absolute deadline.
func ending(r *coatcheck.Record) string {
	if r.ExpiresAt.IsZero() || r.AbsoluteDeadline.IsZero() {
		return "+inf"
	}
	return strconv.FormatUint(max(millis(r.ExpiresAt), millis(r.AbsoluteDeadline)), 10)
}

// addToIndex names the record to its subject. It returns when the server has
// said that it is done.
func (s *Store) addToIndex(ctx context.Context, doing string, r *coatcheck.Record) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	tolerance := strconv.FormatInt(clockTolerance.Milliseconds(), 10)
	err := indexScript.Exec(ctx, s.client, []string{s.indexKey(r.Subject)},
		[]string{indexName(r.ID, r.Incarnation), ending(r), tolerance}).Error()
	return s.failed(ctx, doing, r.ID, err)
}

// dropFromIndex removes names of records that have ended. Should that fail, they
// stay until a later listing, or until their time has passed: it is no failure
// of what the caller was asked for.
func (s *Store) dropFromIndex(ctx context.Context, subject string, names ...string) {
	if s.enter(ctx) != nil {
		return
	}
	err := s.client.Do(ctx, s.client.B().Zrem().Key(s.indexKey(subject)).Member(names...).Build()).Error()
	if err != nil && ctx.Err() == nil && !s.closed.Load() {
		s.logger.WarnContext(ctx, "redisstore: the index of a subject goes on naming sessions that have ended",
			"names", len(names), "error", classify(ctx, err))
	}
}
