package redisstore

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode"

	"github.com/redis/rueidis"

	"github.com/coatcheck/coatcheck"
)

// Defaults of [Config].
const (
	DefaultPrefix  = "coat:"
	DefaultTimeout = 3 * time.Second
)

// Config configures a [Store]. The zero value is valid.
type Config struct {
	// Prefix begins the name of every key, so that several applications can
	// share a server. It must not contain braces, which would put all keys of a
	// cluster on one node. Default "coat:": up to six characters let a key fit into
	// the smaller of two sizes of memory.
	Prefix string

	// Timeout is how long a call may wait for a server that does not answer,
	// before it fails with [coatcheck.ErrUnavailable], and how long connecting
	// may take. At least 10 ms. Default 3 seconds.
	Timeout time.Duration

	// Invalidation is how the store learns of changes by others. Default
	// [Tracking].
	Invalidation Invalidation

	// NodeID names this process to others, in messages of [PubSub]: printable,
	// without commas, slashes and spaces. Default: a random name.
	NodeID string

	// Logger hears which kind of invalidation is in use, and of its trouble.
	// Default: [slog.Default].
	Logger *slog.Logger
}

// Invalidation is a way to learn of changes by others. All processes that
// share records must use the same: with Tracking nobody sends the messages that
// PubSub waits for.
type Invalidation int

const (
	// Tracking has the server remember which records this process has read, and
	// report changes of these only. Where the server cannot do so, or this user may
	// not have it do so, the store falls back on PubSub, or else on NoInvalidation;
	// the log says so.
	Tracking Invalidation = iota

	// PubSub has every change send a message to all processes. Only changes made
	// by coatcheck are told, and FLUSHALL is noticed: but not which key a person
	// deletes with other tools, nor what the server drops for lack of memory.
	PubSub

	// NoInvalidation spares the server both, where no process has a near cache. One
	// that has keeps each entry for MaxStaleness only.
	NoInvalidation
)

// String returns a name for logs.
func (i Invalidation) String() string {
	switch i {
	case Tracking:
		return "tracking"
	case PubSub:
		return "pubsub"
	default:
		return "none"
	}
}

func (c Config) withDefaults() (Config, error) {
	var faults []error
	if c.Prefix == "" {
		c.Prefix = DefaultPrefix
	}
	if strings.ContainsAny(c.Prefix, "{}") {
		faults = append(faults, errors.New("field Prefix contains a brace: it would put all keys of a cluster on one node"))
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Timeout < 10*time.Millisecond {
		faults = append(faults, fmt.Errorf("field Timeout is %v: must be at least 10ms, or 0 for %v", c.Timeout, DefaultTimeout))
	}
	if c.Invalidation < Tracking || c.Invalidation > NoInvalidation {
		faults = append(faults, fmt.Errorf("field Invalidation is %d: want Tracking, PubSub or NoInvalidation", int(c.Invalidation)))
	}
	if c.NodeID == "" {
		c.NodeID = rand.Text()
	}
	if strings.ContainsAny(c.NodeID, ","+nodeSeparator) || strings.ContainsFunc(c.NodeID, unfitForMessage) {
		faults = append(faults, errors.New("field NodeID contains a comma, a slash or white space: it is part of a message"))
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if len(faults) > 0 {
		return c, fmt.Errorf("redisstore: configuration: %w:\n%w", coatcheck.ErrInvalid, errors.Join(faults...))
	}
	return c, nil
}

// unfitForMessage says what a message, or a field of one, does not contain.
func unfitForMessage(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }

// clientOption returns how to reach the servers that the URL names.
func clientOption(url string, timeout time.Duration) (rueidis.ClientOption, error) {
	// A trailing slash is common, means the database 0, and is refused by
	// rueidis.
	opt, err := rueidis.ParseURL(strings.TrimSuffix(url, "/"))
	if err != nil {
		// The cause may quote the URL, and with it the password.
		return opt, fmt.Errorf("redisstore: %w: URL cannot be parsed: want redis://[user:password@]host:port[/db], "+
			"rediss:// for TLS, unix://path for a socket; more hosts of a cluster as ?addr=host:port&addr=…, "+
			"Sentinel as ?master_set=name", coatcheck.ErrInvalid)
	}

	// One connection a server, on which all commands are pipelined: the fewest
	// system calls under load, and an order that can be relied on.
	opt.PipelineMultiplex, opt.AlwaysPipelining = -1, true
	opt.DisableCache = true // rueidis' client-side cache: ours would be in front of it

	// Nothing is retried behind the caller's back: a write may have been made,
	// and a read that waits for a dead server is better told so. (A limited
	// connection lifetime would have rueidis send a write twice.)
	opt.DisableRetry, opt.ConnLifetime = true, 0

	// A server that does not answer is noticed after at most two KeepAlives and
	// one ConnWriteTimeout; together, the timeout.
	opt.Dialer.Timeout = timeout
	opt.Dialer.KeepAlive = timeout / 6
	opt.ConnWriteTimeout = timeout * 2 / 3
	opt.ClusterOption.MaxMovedRedirections = 5
	opt.Sentinel.Dialer, opt.Sentinel.TLSConfig = opt.Dialer, opt.TLSConfig
	opt.Sentinel.Username, opt.Sentinel.Password = opt.Username, opt.Password
	return opt, nil
}
