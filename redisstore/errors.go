package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/rueidis"

	"github.com/coatcheck/coatcheck"
)

// failed adds to an error of the client what was being done, and one of
// coatcheck's errors; nil stays nil.
func (s *Store) failed(ctx context.Context, doing, id string, err error) error {
	switch {
	case err == nil:
		return nil
	case s.closed.Load():
		err = coatcheck.ErrClosed
	default:
		err = classify(ctx, err)
	}
	if id == "" {
		return fmt.Errorf("redisstore: %s: %w", doing, err)
	}
	return fmt.Errorf("redisstore: %s session %s: %w", doing, id, err)
}

// classify wraps an error of the client with one of coatcheck's.
func classify(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, coatcheck.ErrInvalid) {
		return err
	}
	if reply, ok := rueidis.IsRedisErr(err); ok {
		switch text := reply.Error(); {
		case strings.HasPrefix(text, "WRONGTYPE"):
			return fmt.Errorf("%w: the key is not a record of coatcheck", coatcheck.ErrDecode)
		case strings.HasPrefix(text, "NOAUTH"), strings.HasPrefix(text, "WRONGPASS"):
			return fmt.Errorf("%w: the server asks for another user or password: give them in the URL, as in redis://user:password@host", coatcheck.ErrUnavailable)
		case strings.Contains(text, "unknown command"):
			// The server repeats the arguments, which may be the password.
			return fmt.Errorf("%w: the server does not know a command: Redis 6.2 or newer is needed", coatcheck.ErrUnavailable)
		}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		// Not of this call's context: another call's, which was connecting on
		// behalf of all, or a limit of the client's own.
		return fmt.Errorf("%w: connecting: %v", coatcheck.ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %w", coatcheck.ErrUnavailable, err)
}
