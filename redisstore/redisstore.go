// Package redisstore keeps coatcheck's records in Redis (6.2 or newer) or
// Valkey: a single server, a primary with Sentinels, or a cluster.
//
// A session is one key, and each operation is one command on it: a creation is
// SET NX, a read GET, an update, a touch and a deletion one script each. So any
// client can read along; docs/REDIS.md describes the bytes. Sessions that belong
// to a subject are also named in an index, one key a subject: to create one
// takes three commands then, and so does an update that gives it a subject, or a
// later absolute deadline.
//
// What is acknowledged is as durable as the server makes it: see its settings
// appendonly and appendfsync. A failover to a replica loses what had not been
// replicated, deletions included.
package redisstore

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/coatcheck/coatcheck"
)

// Store is a [coatcheck.Store] on Redis. It also implements
// [coatcheck.Toucher], [coatcheck.Lister], [coatcheck.SubjectIndex],
// [coatcheck.Pinger] and [coatcheck.Watcher].
type Store struct {
	client       rueidis.Client
	prefix       string
	logger       *slog.Logger
	invalidation Invalidation // in use
	nodeID       string       // of messages
	channel      string       // likewise
	dials        atomic.Uint64
	sinks        sinks
	closed       atomic.Bool
	done         chan struct{} // closed by Close
}

var (
	_ coatcheck.Store        = (*Store)(nil)
	_ coatcheck.Toucher      = (*Store)(nil)
	_ coatcheck.Lister       = (*Store)(nil)
	_ coatcheck.SubjectIndex = (*Store)(nil)
	_ coatcheck.Pinger       = (*Store)(nil)
	_ coatcheck.Watcher      = (*Store)(nil)
)

var (
	//go:embed lua/update.lua
	updateLua string
	//go:embed lua/touch.lua
	touchLua string

	updateScript = rueidis.NewLuaScript(updateLua)
	touchScript  = rueidis.NewLuaScript(touchLua)
)

// Open connects to the servers that the URL names:
//
//	redis://[user:password@]host:port[/db]      one server, or any node of a cluster
//	rediss://…                                  the same over TLS
//	unix://[user:password@]/path/to/socket      one server on this machine
//	redis://host1:port?addr=host2:port&addr=…   more nodes of a cluster to start from
//	redis://host:port?master_set=name&addr=…    Sentinels; user and password are used for all
//
// It returns an error that wraps [coatcheck.ErrInvalid] if the URL or the
// configuration is wrong, and [coatcheck.ErrUnavailable] if the server cannot
// be reached or refuses the credentials. No error repeats the password.
func Open(ctx context.Context, url string, config Config) (*Store, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	opt, err := clientOption(url, config.Timeout)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("redisstore: connect: %w", err)
	}
	s := &Store{
		prefix:       config.Prefix,
		logger:       config.Logger,
		invalidation: config.Invalidation,
		nodeID:       config.NodeID + nodeSeparator + rand.Text(),
		channel:      config.Prefix + channelName,
		done:         make(chan struct{}),
	}
	if err := s.connect(ctx, opt); err != nil {
		return nil, fmt.Errorf("redisstore: connect: %w", classify(ctx, err))
	}
	return s, nil
}

// connect connects in the way that the configuration asks for, or the next
// best one that the server can do.
func (s *Store) connect(ctx context.Context, opt rueidis.ClientOption) (err error) {
	defer func() {
		if err != nil && s.client != nil {
			s.client.Close()
		}
	}()
	why := asConfigured
	if s.invalidation == Tracking {
		tracking := opt
		s.track(&tracking)
		s.client, err = newClient(tracking)
		if errors.Is(err, rueidis.ErrNoCache) {
			s.invalidation, why = PubSub, "no tracking: "+firstLine(err)
			err = nil
		}
	}
	if err == nil && s.client == nil {
		s.client, err = newClient(opt)
	}
	if err != nil {
		return err
	}
	if err := s.client.Do(ctx, s.client.B().Ping().Build()).Error(); err != nil {
		return err
	}
	if err := s.probe(ctx); err != nil {
		if _, refused := rueidis.IsRedisErr(err); !refused || s.invalidation == PubSub && why == asConfigured {
			return fmt.Errorf("learn of changes by %v: %w", s.invalidation, err)
		}
		s.invalidation, why = NoInvalidation, firstLine(err)
	}
	level := slog.LevelInfo
	if why != asConfigured {
		level = slog.LevelWarn
	}
	s.logger.Log(ctx, level, "redisstore: connected", "invalidation", s.invalidation.String(), "why", why)
	return nil
}

const asConfigured = "as configured"

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// probe returns an error if this user may not do what a watch needs.
func (s *Store) probe(ctx context.Context) error {
	if s.invalidation == NoInvalidation {
		return nil
	}
	for _, node := range s.client.Nodes() {
		if _, err := isPrimary(ctx, node); err != nil {
			return err
		}
	}
	if s.invalidation == PubSub {
		return s.probePubSub(ctx)
	}
	return nil
}

// Close closes the connections. Later calls return an error that wraps
// [coatcheck.ErrClosed]. Closing twice is fine.
func (s *Store) Close() error {
	if !s.closed.Swap(true) {
		close(s.done)
		s.sinks.lost() // nobody serves from memory what is behind a closed store
		s.client.Close()
	}
	return nil
}

// Load implements [coatcheck.Store].
func (s *Store) Load(ctx context.Context, id string) (coatcheck.Record, error) {
	if err := s.enter(ctx); err != nil {
		return coatcheck.Record{}, err
	}
	b, err := s.client.Do(ctx, s.client.B().Get().Key(s.prefix+id).Build()).AsBytes()
	if rueidis.IsRedisNil(err) {
		return coatcheck.Record{}, coatcheck.ErrNotFound
	}
	if err != nil {
		return coatcheck.Record{}, s.failed(ctx, "load", id, err)
	}
	return living(id, b)
}

// living parses an envelope. The server's clock may be behind the deadline
// that the envelope states.
func living(id string, b []byte) (coatcheck.Record, error) {
	r, err := parseEnvelope(id, b)
	if err != nil {
		return r, fmt.Errorf("redisstore: load session %s: %w: %w", id, coatcheck.ErrDecode, err)
	}
	if r.Expired(time.Now()) {
		return coatcheck.Record{}, coatcheck.ErrNotFound
	}
	return r, nil
}

// keyExpiry is the time at which Redis may drop the record: a key lives
// through the millisecond of its expiry, a record does not.
func keyExpiry(r *coatcheck.Record) int64 { return max(int64(millis(r.ExpiresAt))-1, 1) }

func newEnvelope(r *coatcheck.Record) ([]byte, error) {
	size := headerBytes + len(r.Subject) + len(r.Client.Address) + len(r.Client.UserAgent) + retiredBytes*len(r.Retired) + len(r.Value)
	return appendEnvelope(make([]byte, 0, size), r)
}

// wordsOf returns numbers as the envelope has them, for the scripts to compare.
func wordsOf(numbers ...uint64) string {
	b := make([]byte, 0, 16)
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return rueidis.BinaryString(b)
}

// Update implements [coatcheck.Store]. It is one command, and three if the
// index has to know first: see [indexName].
func (s *Store) Update(ctx context.Context, r coatcheck.Record) error {
	b, err := newEnvelope(&r)
	if err != nil {
		return s.failed(ctx, "update", r.ID, err)
	}
	expiry := ""
	if !r.ExpiresAt.IsZero() {
		expiry = strconv.FormatInt(keyExpiry(&r), 10)
	}
	args := []string{wordsOf(r.Incarnation, r.Rev-1), rueidis.BinaryString(b), expiry, ""}
	if s.invalidation == PubSub {
		args = append(args, s.channel, s.message(opUpdate, r.ID, r.Rev))
	}
	err = s.run(ctx, "update", updateScript, r.ID, args...)
	if err == errNotIndexed {
		if err = s.addToIndex(ctx, "update", &r); err == nil {
			args[3] = "1"
			err = s.run(ctx, "update", updateScript, r.ID, args...)
		}
	}
	switch {
	case err == nil:
		s.reportOwn(r.ID, r.Rev)
	case !errors.Is(err, coatcheck.ErrNotFound) && !errors.Is(err, coatcheck.ErrConflict):
		// It may have been made, or be made yet: then before any later read, for
		// they travel on one connection. (If that breaks, all is lost anyhow.)
		s.reportOwn(r.ID, 0)
	}
	return err
}

// Touch implements [coatcheck.Toucher].
func (s *Store) Touch(ctx context.Context, r coatcheck.Record) error {
	return s.run(ctx, "touch", touchScript, r.ID, wordsOf(r.Incarnation), decimal(millis(r.ExpiresAt)))
}

// run executes a script on the record's key. Results are those of update.lua.
func (s *Store) run(ctx context.Context, doing string, script *rueidis.Lua, id string, args ...string) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	result, err := script.Exec(ctx, s.client, []string{s.prefix + id}, args).AsInt64()
	switch {
	case err != nil:
		return s.failed(ctx, doing, id, err)
	case result == 0:
		return coatcheck.ErrConflict
	case result < 0:
		return coatcheck.ErrNotFound
	case result == 2:
		return errNotIndexed
	}
	return nil
}

// errNotIndexed is what update.lua says of an update that has to wait for the
// index.
var errNotIndexed = errors.New("the index has to have the record first")

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }

// Ping implements [coatcheck.Pinger]. In a cluster it asks one node.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	return s.failed(ctx, "ping", "", s.client.Do(ctx, s.client.B().Ping().Build()).Error())
}

// enter refuses calls that must not reach the client. (A closed client may
// connect again.)
func (s *Store) enter(ctx context.Context) error {
	if s.closed.Load() {
		return fmt.Errorf("redisstore: %w", coatcheck.ErrClosed)
	}
	return ctx.Err()
}
