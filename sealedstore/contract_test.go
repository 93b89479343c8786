package sealedstore_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/redistest"
	"github.com/coatcheck/coatcheck/memstore"
	"github.com/coatcheck/coatcheck/redisstore"
	"github.com/coatcheck/coatcheck/sealedstore"
	"github.com/coatcheck/coatcheck/sqlstore"
	"github.com/coatcheck/coatcheck/storetest"
)

func TestMain(m *testing.M) {
	// A client that was closed just now may have a refresh of its topology to
	// sleep for, a second at most.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"))
}

// closable closes what the values are sealed in, so that the rules about closed
// stores are checked, too.
type closable struct {
	*sealedstore.Store
	io.Closer
}

// wrap returns what opens a store and seals its values.
func wrap[S interface {
	coatcheck.Store
	io.Closer
}](keys *sealedstore.Keyring, open func() (S, error)) func() (coatcheck.Store, error) {
	return func() (coatcheck.Store, error) {
		inner, err := open()
		if err != nil {
			return nil, err
		}
		s, err := sealedstore.New(inner, keys)
		return closable{s, inner}, err
	}
}

func target(open func() (coatcheck.Store, error)) (storetest.Target, error) {
	s, err := open()
	if err != nil {
		return storetest.Target{}, err
	}
	return storetest.Target{Store: s, Close: s.(io.Closer).Close}, nil
}

// counting counts the calls of what a store can do besides the four methods, and
// of listings the records.
type counting struct {
	*memstore.Store
	touches, listed, ofSubjects, pings, watches, clear *atomic.Int64
}

func (c counting) Touch(ctx context.Context, r coatcheck.Record) error {
	c.touches.Add(1)
	if r.Value != nil {
		c.clear.Add(1)
	}
	return c.Store.Touch(ctx, r)
}

func (c counting) List(ctx context.Context) iter.Seq2[coatcheck.Record, error] {
	return func(yield func(coatcheck.Record, error) bool) {
		for r, err := range c.Store.List(ctx) {
			c.listed.Add(1)
			if !yield(r, err) {
				return
			}
		}
	}
}

func (c counting) ListSubject(ctx context.Context, subject string) iter.Seq2[coatcheck.Record, error] {
	return func(yield func(coatcheck.Record, error) bool) {
		for r, err := range c.Store.ListSubject(ctx, subject) {
			c.ofSubjects.Add(1)
			if !yield(r, err) {
				return
			}
		}
	}
}

func (c counting) Ping(ctx context.Context) error {
	c.pings.Add(1)
	return c.Store.Ping(ctx)
}

func (c counting) Watch(ctx context.Context, interval time.Duration, sink coatcheck.WatchSink) error {
	c.watches.Add(1)
	return c.Store.Watch(ctx, interval, sink)
}

func TestContractOnMemory(t *testing.T) {
	count := counting{nil, new(atomic.Int64), new(atomic.Int64), new(atomic.Int64), new(atomic.Int64), new(atomic.Int64), new(atomic.Int64)}
	storetest.Run(t, func() (storetest.Target, error) {
		return target(wrap(sealedstore.NewKeyring(), func() (counting, error) {
			s, err := memstore.New(memstore.Config{})
			c := count
			c.Store = s
			return c, err
		}))
	})
	// The suite asks each once a case whether there is such a thing: more is a check.
	for what, n := range map[string]int64{
		"Touch": count.touches.Load() - 50, "List": count.listed.Load() - 2500, "ListSubject": count.ofSubjects.Load() - 1100, "Ping": count.pings.Load() - 1, "Watch": count.watches.Load() - 5,
	} {
		if n <= 0 {
			t.Errorf("%s was not checked by the suite: %d calls short", what, 1-n)
		}
	}
	if n := count.clear.Load(); n > 0 {
		t.Errorf("%d touches have given the store a value in clear", n)
	}
}

// TestContractOfFourMethods: the suite takes what the inner store cannot do for
// absent.
func TestContractOfFourMethods(t *testing.T) {
	storetest.Run(t, func() (storetest.Target, error) {
		inner, err := memstore.New(memstore.Config{})
		if err != nil {
			return storetest.Target{}, err
		}
		s, err := sealedstore.New(struct{ coatcheck.Store }{inner}, sealedstore.NewKeyring())
		return storetest.Target{Store: s, Close: inner.Close}, err
	})
}

func TestContractOnSQLite(t *testing.T) {
	storetest.Run(t, func() (storetest.Target, error) {
		path, keys := filepath.Join(t.TempDir(), "records.db"), sealedstore.NewKeyring()
		openAt := func(path string) func() (coatcheck.Store, error) {
			return wrap(keys, func() (*sqlstore.Store, error) {
				return sqlstore.OpenSQLite(context.Background(), path, sqlstore.Config{})
			})
		}
		tgt, err := target(openAt(path))
		tgt.Other = openAt(path)
		tgt.Restart = func() (coatcheck.Store, error) { // on what a crash leaves
			crashed := filepath.Join(t.TempDir(), "records.db")
			for _, suffix := range []string{"", "-wal"} {
				data, err := os.ReadFile(path + suffix)
				if err != nil {
					return nil, err
				}
				if err := os.WriteFile(crashed+suffix, data, 0o600); err != nil {
					return nil, err
				}
			}
			next, err := openAt(crashed)()
			if err == nil {
				t.Cleanup(func() { _ = next.(io.Closer).Close() })
			}
			return next, err
		}
		return tgt, err
	})
}

func TestContractOnRedis(t *testing.T) {
	keys := sealedstore.NewKeyring() // one, for List meets the records of the cases before
	for _, kind := range []redisstore.Invalidation{redisstore.Tracking, redisstore.PubSub} {
		t.Run(kind.String(), func(t *testing.T) {
			server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
			storetest.Run(t, func() (storetest.Target, error) {
				open := wrap(keys, func() (*redisstore.Store, error) {
					return redisstore.Open(context.Background(), server.URL(), redisstore.Config{Invalidation: kind})
				})
				tgt, err := target(open)
				tgt.Other = open
				tgt.Outage = func() (func() error, error) {
					server.Kill()
					return server.Restart, nil
				}
				tgt.Restart = func() (coatcheck.Store, error) { return tgt.Store, server.Restart() }
				return tgt, err
			})
		})
	}
}

func TestUnsupportedIsSaid(t *testing.T) {
	s := open(t, struct{ coatcheck.Store }{memory(t)}, sealedstore.NewKeyring())
	ctx := t.Context()
	errs := map[string]error{
		"Touch": s.Touch(ctx, coatcheck.Record{}), "Ping": s.Ping(ctx), "Watch": s.Watch(ctx, time.Second, nil),
	}
	for _, err := range s.List(ctx) {
		errs["List"] = err
	}
	for _, err := range s.ListSubject(ctx, "ada") {
		errs["ListSubject"] = err
	}
	for what, err := range errs {
		if !errors.Is(err, errors.ErrUnsupported) || errors.Is(err, coatcheck.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnsupported", what, err)
		}
	}
	if len(errs) != 5 {
		t.Error("List or ListSubject yields nothing")
	}
}

func TestNewRefuses(t *testing.T) {
	for what, try := range map[string]func() (*sealedstore.Store, error){
		"no store":     func() (*sealedstore.Store, error) { return sealedstore.New(nil, sealedstore.NewKeyring()) },
		"no keyring":   func() (*sealedstore.Store, error) { return sealedstore.New(memory(t), nil) },
		"zero keyring": func() (*sealedstore.Store, error) { return sealedstore.New(memory(t), &sealedstore.Keyring{}) },
	} {
		if s, err := try(); !errors.Is(err, coatcheck.ErrInvalid) || s != nil {
			t.Errorf("%s: %v, want ErrInvalid", what, err)
		}
	}
}
