package redisstore

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/coatcheck/coatcheck"
)

// trackingOptions: the server remembers each key that a connection reads, and
// reports the next change that another connection makes to it. It forgets the
// key then, and also when this connection changes it: so a script that changes
// a record reads it afterwards.
var trackingOptions = []string{"OPTOUT", "NOLOOP"}

// track has the client report invalidations, and counts its connections.
func (s *Store) track(opt *rueidis.ClientOption) {
	opt.DisableCache = false // which is what turns tracking on; rueidis' own cache stays empty
	opt.ClientTrackingOptions = trackingOptions
	opt.OnInvalidations = s.invalidated
	dial := opt.DialCtxFn // set for a socket
	opt.DialCtxFn = func(ctx context.Context, addr string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
		conn, err := dialWith(ctx, dial, addr, dialer, config)
		if err == nil {
			s.dials.Add(1) // before anybody can use it
		}
		return conn, err
	}
}

type dialFunc = func(context.Context, string, *net.Dialer, *tls.Config) (net.Conn, error)

// dialWith is what rueidis does, too.
func dialWith(ctx context.Context, dial dialFunc, addr string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
	switch {
	case dial != nil:
		return dial(ctx, addr, dialer, config)
	case config != nil:
		return (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, "tcp", addr)
	default:
		return dialer.DialContext(ctx, "tcp", addr)
	}
}

// invalidated is called by the reader of a connection, in the order of what
// comes on it: before an answer that came later is handed to whoever waits for
// it. Without keys, everything is lost: the connection, or all keys.
func (s *Store) invalidated(keys []rueidis.RedisMessage) {
	if keys == nil {
		s.sinks.lost()
		return
	}
	changes := make([]coatcheck.RecordChange, 0, len(keys))
	for _, key := range keys {
		// Those who have listed a subject hear of changes to its index, too.
		if name, err := key.ToString(); err == nil && len(name) > len(s.prefix) && !strings.HasPrefix(name[len(s.prefix):], subjectName) {
			changes = append(changes, coatcheck.RecordChange{ID: name[len(s.prefix):]})
		}
	}
	if len(changes) == 0 {
		return
	}
	s.sinks.changed(changes...)
}

// trackingStream is the stream of reports that come on the connections of the
// reads themselves.
type trackingStream struct {
	store     *Store
	sink      coatcheck.WatchSink
	dials     uint64   // connections that were made before what is known
	primaries []string // where the records are
}

func (t *trackingStream) round(ctx context.Context) error {
	dials := t.store.dials.Load()
	asOf := time.Now() // before the nodes are listed: one that comes later has no earlier reads
	primaries, err := roles(ctx, t.store.nodes())
	if err != nil {
		return err
	}
	// An answer proves something only of the connection that it came on. If there
	// has been a new one, reports on the old one may be missing, whether or not
	// the client has noticed that it ended.
	if t.dials != dials || !slices.Equal(t.primaries, primaries) {
		t.dials, t.primaries = dials, primaries
		t.sink.Lost()
	}
	if t.store.dials.Load() == dials {
		t.sink.CaughtUp(asOf)
	}
	return nil
}

func (t *trackingStream) close() {}
