package coatcheck

import (
	"context"
	"errors"
	"fmt"
	"iter"
)

// lacks reports whether err says that the store cannot do such a thing at all,
// though it has the method: so it is with one that wraps another. (An error that
// wraps ErrUnavailable is a failure, even if its cause is an error of the
// operating system that wraps errors.ErrUnsupported, as some of sockets do.)
func lacks(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, ErrUnavailable)
}

// Touch extends the life of a record to r.ExpiresAt as [Toucher] says, and
// returns the record as it then is. With a store that cannot touch it falls
// back on an Update that changes nothing but the deadline and the revision; if
// somebody else changes the record at the same moment, that change counts as
// the extension.
func Touch(ctx context.Context, s Store, r Record) (Record, error) {
	if t, ok := s.(Toucher); ok {
		if err := t.Touch(ctx, r); !lacks(err) {
			return r, err
		}
	}
	stored, err := s.Load(ctx, r.ID)
	if err != nil {
		return r, err
	}
	if stored.Incarnation != r.Incarnation {
		return r, ErrNotFound
	}
	deadline := Earlier(r.ExpiresAt, stored.AbsoluteDeadline)
	if Earlier(deadline, stored.ExpiresAt).Equal(deadline) {
		return stored, nil // never shorten
	}
	stored.Rev++
	stored.ExpiresAt = deadline
	switch err := s.Update(ctx, stored); {
	case errors.Is(err, ErrConflict):
		return r, nil // not stored, whose next revision is the other's
	case err != nil:
		return r, err
	}
	return stored, nil
}

// List enumerates the living records as [Lister] says, or yields one error
// that wraps [errors.ErrUnsupported].
func List(ctx context.Context, s Store) iter.Seq2[Record, error] {
	if l, ok := s.(Lister); ok {
		return l.List(ctx)
	}
	return func(yield func(Record, error) bool) {
		yield(Record{}, fmt.Errorf("list records of %T: %w", s, errors.ErrUnsupported))
	}
}

// ListSubject enumerates the living records of a subject, without their values,
// as [SubjectIndex] says. With a store that has no such index it looks at all
// records, if they can be listed. An error wraps [ErrInvalid] if the subject is
// empty.
func ListSubject(ctx context.Context, s Store, subject string) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		if subject == "" {
			yield(Record{}, fmt.Errorf("%w: the empty subject is nobody's", ErrInvalid))
			return
		}
		if index, ok := s.(SubjectIndex); ok {
			absent := false
			for r, err := range index.ListSubject(ctx, subject) {
				if absent = lacks(err); absent {
					break
				}
				if !yield(r, err) || err != nil && !errors.Is(err, ErrDecode) {
					return
				}
			}
			if !absent {
				return
			}
		}
		seen := make(map[string]bool)
		for r, err := range List(ctx, s) {
			if err != nil {
				yield(Record{}, err)
				return
			}
			if r.Subject != subject || seen[r.ID] {
				continue
			}
			seen[r.ID] = true
			r.Value = nil
			if !yield(r, nil) {
				return
			}
		}
	}
}

// canListSubjects reports whether ListSubject may work. A store that wraps another
// one tells only when it is asked.
func canListSubjects(s Store) bool {
	_, index := s.(SubjectIndex)
	_, lister := s.(Lister)
	return index || lister
}

// Ping tells whether the store can do its work, as [Pinger] says. With a store
// that cannot tell it looks for a record that does not exist.
func Ping(ctx context.Context, s Store) error {
	if p, ok := s.(Pinger); ok {
		if err := p.Ping(ctx); !lacks(err) {
			return err
		}
	}
	_, id, _ := newToken("")
	if _, err := s.Load(ctx, id); !errors.Is(err, ErrNotFound) {
		return err
	}
	return nil
}
