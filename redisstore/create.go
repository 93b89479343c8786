package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/rueidis"

	"github.com/coatcheck/coatcheck"
)

// pendingFor is how long a record is kept that is not yet in the index of its
// subject: what is left of a creation whose process died.
const pendingFor = time.Minute

// withdrawWithin is how long a creation that has failed may take to remove what
// it has filed. The server does it all the same should it answer later.
const withdrawWithin = 100 * time.Millisecond

// Create implements [coatcheck.Store]. A record without a subject is one
// command; for the three that one with a subject takes see [indexName].
func (s *Store) Create(ctx context.Context, r coatcheck.Record) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	if r.Subject == "" {
		return s.file(ctx, &r, false)
	}
	pending := r
	pending.ExpiresAt = coatcheck.Earlier(r.ExpiresAt, time.Now().Add(pendingFor))
	shortened := !pending.ExpiresAt.Equal(r.ExpiresAt)
	if err := s.file(ctx, &pending, shortened); err != nil {
		return err
	}
	err := s.addToIndex(ctx, "create", &r)
	if err == nil && shortened {
		err = s.run(ctx, "create", touchScript, r.ID, wordsOf(r.Incarnation), decimal(millis(r.ExpiresAt)), "own")
		if errors.Is(err, coatcheck.ErrNotFound) {
			// Nobody was given the token. To say that it is not found would be taken
			// for an answer about another session.
			return s.failed(ctx, "create", r.ID, errGoneWhilePending)
		}
	}
	if err != nil {
		s.withdraw(ctx, &r)
	}
	return err
}

var errGoneWhilePending = fmt.Errorf("the session was ended by others, or not completed within %v, while it was created: create another", pendingFor)

// file writes the record if there is none. One that is pending is dropped after
// pendingFor by the server's clock, whatever this process's clock may say.
func (s *Store) file(ctx context.Context, r *coatcheck.Record, pending bool) error {
	b, err := newEnvelope(r)
	if err != nil {
		return s.failed(ctx, "create", r.ID, err)
	}
	set := s.client.B().Set().Key(s.prefix + r.ID).Value(rueidis.BinaryString(b)).Nx()
	cmd := set.Build
	switch {
	case pending:
		cmd = set.PxMilliseconds(pendingFor.Milliseconds()).Build
	case !r.ExpiresAt.IsZero():
		cmd = set.PxatMillisecondsTimestamp(keyExpiry(r)).Build
	}
	err = s.client.Do(ctx, cmd()).Error()
	if rueidis.IsRedisNil(err) {
		return coatcheck.ErrExists
	}
	return s.failed(ctx, "create", r.ID, err)
}

// withdraw removes what a creation has filed that has failed since, though its
// context may have ended. If it cannot, nobody has the token, and a record that
// is pending still ends soon.
func (s *Store) withdraw(ctx context.Context, r *coatcheck.Record) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawWithin)
	defer cancel()
	_ = s.remove(ctx, r.ID, wordsOf(r.Incarnation))
}
