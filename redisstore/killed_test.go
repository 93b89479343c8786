package redisstore_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/redistest"
	"github.com/coatcheck/coatcheck/redisstore"
)

// record returns a new record of a subject, which may be empty.
func record(subject string) coatcheck.Record {
	var random [24]byte
	rand.Read(random[:])
	now := time.Now().UTC().Truncate(time.Millisecond)
	return coatcheck.Record{
		ID:          base64.RawURLEncoding.EncodeToString(random[:16]),
		Incarnation: binary.BigEndian.Uint64(random[16:]),
		Rev:         1, Subject: subject, Value: []byte("value"),
		CreatedAt: now, ExpiresAt: now.Add(time.Hour), AbsoluteDeadline: now.Add(24 * time.Hour), IdleTimeout: time.Hour,
	}
}

// indexName is what the index calls a record.
func indexName(r coatcheck.Record) string {
	return r.ID + string(binary.BigEndian.AppendUint64(nil, r.Incarnation))
}

// listed returns what ListSubject yields, by ID.
func listed(ctx context.Context, s *redisstore.Store, subject string) (map[string]coatcheck.Record, error) {
	found := make(map[string]coatcheck.Record)
	for r, err := range s.ListSubject(ctx, subject) {
		if err != nil {
			return found, err
		}
		found[r.ID] = r
	}
	return found, nil
}

// logOutEverywhere ends all sessions of a subject, as applications do.
func logOutEverywhere(ctx context.Context, s *redisstore.Store, subject string) error {
	for r, err := range s.ListSubject(ctx, subject) {
		if err != nil {
			return err
		}
		if err := s.Delete(ctx, r.ID); err != nil {
			return err
		}
	}
	return nil
}

// pending reports whether a record is one whose creation has not returned.
func pending(r coatcheck.Record) bool {
	return !r.ExpiresAt.IsZero() && time.Until(r.ExpiresAt) <= time.Minute
}

// quietly is for tests that open so many stores that the log would be nothing
// else.
var quietly = redisstore.Config{Logger: slog.New(slog.DiscardHandler)}

// An operation of TestKilledAtEveryStep.
type operation struct {
	name     string
	commands int // how many it takes
	stored   func() []coatcheck.Record
	do       func(ctx context.Context, s *redisstore.Store, stored []coatcheck.Record) (coatcheck.Record, error)
}

// updated returns an operation that updates one record.
func updated(name, before string, commands int, edit func(*coatcheck.Record)) operation {
	return operation{name, commands,
		func() []coatcheck.Record { return []coatcheck.Record{record(before)} },
		func(ctx context.Context, s *redisstore.Store, stored []coatcheck.Record) (coatcheck.Record, error) {
			r := stored[0]
			r.Rev++
			edit(&r)
			return r, s.Update(ctx, r)
		}}
}

func none() []coatcheck.Record { return nil }

var operations = []operation{
	{"Create", 1, none, func(ctx context.Context, s *redisstore.Store, _ []coatcheck.Record) (coatcheck.Record, error) {
		r := record("")
		return r, s.Create(ctx, r)
	}},
	{"Create with a subject", 3, none, func(ctx context.Context, s *redisstore.Store, _ []coatcheck.Record) (coatcheck.Record, error) {
		r := record("ada")
		return r, s.Create(ctx, r)
	}},
	{"Create with a subject and no end", 3, none, func(ctx context.Context, s *redisstore.Store, _ []coatcheck.Record) (coatcheck.Record, error) {
		r := record("ada")
		r.ExpiresAt, r.AbsoluteDeadline = time.Time{}, time.Time{}
		return r, s.Create(ctx, r)
	}},
	{"Create with a subject and an end past the absolute deadline", 3, none, func(ctx context.Context, s *redisstore.Store, _ []coatcheck.Record) (coatcheck.Record, error) {
		r := record("ada")
		r.ExpiresAt = r.AbsoluteDeadline.Add(time.Hour)
		return r, s.Create(ctx, r)
	}},
	updated("Update", "ada", 1, func(r *coatcheck.Record) { r.Value = []byte("other") }),
	updated("Update with a later deadline", "ada", 1, func(r *coatcheck.Record) { r.ExpiresAt = r.ExpiresAt.Add(time.Hour) }),
	updated("Update with a later absolute deadline", "ada", 3, func(r *coatcheck.Record) { r.AbsoluteDeadline = r.AbsoluteDeadline.Add(time.Hour) }),
	updated("Update without an absolute deadline", "ada", 3, func(r *coatcheck.Record) { r.AbsoluteDeadline = time.Time{} }),
	updated("Update that sets a subject", "", 3, func(r *coatcheck.Record) { r.Subject = "ada" }),
	updated("Update that changes the subject", "bob", 3, func(r *coatcheck.Record) { r.Subject = "ada" }),
	updated("Update that takes the subject away", "ada", 1, func(r *coatcheck.Record) { r.Subject = "" }),
	{"Delete", 1,
		func() []coatcheck.Record { return []coatcheck.Record{record("")} },
		func(ctx context.Context, s *redisstore.Store, stored []coatcheck.Record) (coatcheck.Record, error) {
			return coatcheck.Record{ID: stored[0].ID}, s.Delete(ctx, stored[0].ID)
		}},
	{"Delete with a subject", 2,
		func() []coatcheck.Record { return []coatcheck.Record{record("ada"), record("ada")} },
		func(ctx context.Context, s *redisstore.Store, stored []coatcheck.Record) (coatcheck.Record, error) {
			return coatcheck.Record{ID: stored[0].ID}, s.Delete(ctx, stored[0].ID)
		}},
	{"log out everywhere", 1 + 3 + 3*2,
		func() []coatcheck.Record { return []coatcheck.Record{record("ada"), record("ada"), record("ada")} },
		func(ctx context.Context, s *redisstore.Store, stored []coatcheck.Record) (coatcheck.Record, error) {
			return coatcheck.Record{ID: stored[1].ID}, logOutEverywhere(ctx, s, "ada")
		}},
}

// TestKilledAtEveryStep cuts a process off from the server after each number of
// commands, as kill -9 would: with the next one not delivered, and delivered with
// its answer lost. It also has the server refuse each command in turn. Whatever
// is left must be found by ListSubject, and be ended by those who log out
// everywhere afterwards.
func TestKilledAtEveryStep(t *testing.T) {
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			warm(t, open(t, server.URL(), quietly))
			for how, v := range map[string]verdict{"undelivered": cutBefore, "unanswered": cutAfter, "refused": refuse} {
				for k := 1; ; k++ {
					if k > 100 {
						t.Fatalf("no end of commands")
					}
					if took, done := killedAt(t, server, op, fmt.Sprintf("command %d %s", k, how), k, v); done {
						if took != op.commands {
							t.Errorf("it took %d commands, want %d", took, op.commands)
						}
						break
					}
				}
			}
		})
	}
}

// killedAt does the operation up to the kth command, and looks at what is left.
// It is done when there was no kth command.
func killedAt(t *testing.T, server *redistest.Server, op operation, when string, k int, v verdict) (took int, done bool) {
	t.Helper()
	ctx := t.Context()
	client := server.Client()
	if err := client.Do(ctx, client.B().Flushall().Build()).Error(); err != nil {
		t.Fatal(err)
	}
	before := open(t, server.URL(), quietly)
	stored := op.stored()
	for _, r := range stored {
		if err := before.Create(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	p := newProxy(t, server)
	victim := open(t, p.URL(), redisstore.Config{Timeout: 6 * quiet, Logger: quietly.Logger}) // it pings each sixth
	p.decide(func(n int, _ []string) verdict {
		if n == k {
			return v
		}
		return deliver
	})
	want, err := op.do(ctx, victim, stored)
	took, _ = p.counted()
	p.cut()
	_ = victim.Close()

	after := open(t, server.URL(), quietly)
	if err != nil && (errors.Is(err, coatcheck.ErrNotFound) || !errors.Is(err, coatcheck.ErrUnavailable)) {
		t.Errorf("%s: %v, want nothing but ErrUnavailable", when, err)
	}
	if err == nil {
		got, err := after.Load(ctx, want.ID)
		switch {
		case want.Rev == 0 && !errors.Is(err, coatcheck.ErrNotFound):
			t.Errorf("%s: it succeeded, and the record is there: %v", when, err)
		case want.Rev != 0 && (err != nil || got.Rev != want.Rev || got.Subject != want.Subject ||
			!got.ExpiresAt.Equal(want.ExpiresAt) || !got.AbsoluteDeadline.Equal(want.AbsoluteDeadline)):
			t.Errorf("%s: it succeeded, and Load returns %+v, %v; want %+v", when, got, err, want)
		}
	}
	wantAllListed(t, client, after, when)
	wantAllEnded(t, client, after, when)
	return took, took < k
}

// wantAllListed notes an error unless each living record that somebody may have
// is named to its subject, until its end.
func wantAllListed(t *testing.T, client rueidis.Client, s *redisstore.Store, when string) {
	t.Helper()
	ctx := t.Context()
	for r, err := range s.List(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		ttl, err := client.Do(ctx, client.B().Pttl().Key("coat:"+r.ID).Build()).AsInt64()
		if err != nil {
			t.Fatal(err)
		}
		short := ttl > 0 && ttl <= time.Minute.Milliseconds()
		if short != pending(r) {
			t.Errorf("%s: the key lives for %d ms, the record until %v", when, ttl, r.ExpiresAt)
		}
		if r.Subject == "" || pending(r) {
			continue
		}
		found, err := listed(ctx, s, r.Subject)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := found[r.ID]; !ok {
			t.Errorf("%s: a living record of %s is not listed", when, r.Subject)
			continue
		}
		score, err := client.Do(ctx, client.B().Zscore().Key("coat:subject:"+r.Subject).Member(indexName(r)).Build()).AsFloat64()
		if err != nil {
			t.Fatal(err)
		}
		end := r.AbsoluteDeadline
		if r.ExpiresAt.After(end) {
			end = r.ExpiresAt
		}
		if known := time.UnixMilli(int64(min(score, 1e15))); r.AbsoluteDeadline.IsZero() && score < 1e15 || known.Before(end) {
			t.Errorf("%s: the index knows a record until %v, which lives until %v", when, known, end)
		}
	}
}

// wantAllEnded logs out everywhere, and notes an error if anything but a pending
// record, which nobody has, is left, or an index.
func wantAllEnded(t *testing.T, client rueidis.Client, s *redisstore.Store, when string) {
	t.Helper()
	ctx := t.Context()
	for _, subject := range []string{"ada", "bob"} {
		if err := logOutEverywhere(ctx, s, subject); err != nil {
			t.Fatal(err)
		}
	}
	for r, err := range s.List(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Subject != "" && !pending(r) {
			t.Errorf("%s: a record outlives the end of all", when)
		}
		// As long as it lives it may be named to a subject that it had, or was about
		// to have.
		if err := s.Delete(ctx, r.ID); err != nil {
			t.Fatal(err)
		}
	}
	for _, subject := range []string{"ada", "bob"} {
		if found, err := listed(ctx, s, subject); err != nil || len(found) != 0 {
			t.Errorf("%s: after the end of all %d records are listed, %v", when, len(found), err)
		}
		names, err := client.Do(ctx, client.B().Zrange().Key("coat:subject:"+subject).Min("0").Max("-1").Build()).AsStrSlice()
		if err != nil || len(names) > 0 {
			t.Errorf("%s: after a listing the index names %d dead (%v)", when, len(names), err)
		}
	}
}

// warm has the server know all scripts.
func warm(t *testing.T, s *redisstore.Store) {
	t.Helper()
	r := record("warm")
	err := s.Create(t.Context(), r)
	if err == nil {
		r.Rev++
		err = s.Update(t.Context(), r)
	}
	if err == nil {
		err = s.Delete(t.Context(), r.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A process that was stopped for longer than its record is pending must not hand
// out a token; nor say of a creation that something was not found.
func TestCreationStoppedForTooLong(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client()
	p := newProxy(t, server)
	s := open(t, p.URL(), redisstore.Config{Timeout: 6 * quiet, Logger: quietly.Logger})
	warm(t, s)
	r := record("ada")
	p.decide(func(n int, _ []string) verdict {
		if n == 3 { // as the key's expiry would
			if err := client.Do(t.Context(), client.B().Del().Key("coat:"+r.ID).Build()).Error(); err != nil {
				t.Error(err)
			}
		}
		return deliver
	})
	err := s.Create(t.Context(), r)
	if !errors.Is(err, coatcheck.ErrUnavailable) || errors.Is(err, coatcheck.ErrNotFound) || !strings.Contains(err.Error(), "created") {
		t.Errorf("Create of a record that is gone meanwhile: %v, want ErrUnavailable", err)
	}
}

// A creation whose context ends under way leaves nothing behind.
func TestCreationIsWithdrawn(t *testing.T) {
	for step := 2; step <= 3; step++ {
		server := redistest.Start(t)
		p := newProxy(t, server)
		s := open(t, p.URL(), redisstore.Config{Timeout: 6 * quiet, Logger: quietly.Logger})
		warm(t, s)
		r := record("ada")
		ctx, cancel := context.WithCancel(t.Context())
		p.decide(func(n int, _ []string) verdict {
			if n == step {
				cancel()
			}
			return deliver
		})
		err := s.Create(ctx, r)
		if err == nil { // the answer was as fast as the end of the context
			continue
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Create whose context ends: %v, want context.Canceled", err)
		}
		eventually(t, "the record is withdrawn", func() bool {
			_, err := s.Load(t.Context(), r.ID)
			return errors.Is(err, coatcheck.ErrNotFound)
		})
	}
}
