package coatcheck

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// RevokeOption adjusts one call of [Manager.Revoke] or [Manager.RevokeAll].
type RevokeOption interface{ applyRevoke(*revokeOptions) }

type revokeOptions struct {
	everywhere  bool
	conditional bool
	subject     string
	except      []string
}

type revokeFunc func(*revokeOptions)

func (f revokeFunc) applyRevoke(o *revokeOptions) { f(o) }

func (EverywhereOption) applyRevoke(o *revokeOptions) { o.everywhere = true }

// IfSubject has [Manager.Revoke] end the session only if it belongs to this
// subject, and else return [ErrNotFound]. Use it wherever the ID comes from a
// user, who is to end no other's. Empty is nobody's: it ends none, and not those
// of other visitors who have not signed in either.
func IfSubject(subject string) RevokeOption {
	return revokeFunc(func(o *revokeOptions) { o.conditional, o.subject = true, subject })
}

// Except has [Manager.RevokeAll] spare the sessions of these IDs, such as the one
// in which a user asks for it.
func Except(ids ...string) RevokeOption {
	return revokeFunc(func(o *revokeOptions) { o.except = append(o.except, ids...) })
}

// Sessions returns what is known of the sessions of a subject, the latest first:
// for a page on which users see where they are signed in. The current one is that
// whose ID is the [Token.ID] of the token at hand. It may list one that has just
// ended, and miss one that is created meanwhile. Of one that cannot be decoded it
// knows ID and subject only.
//
// Besides the general errors it returns [ErrInvalid] if the subject is empty or not
// as [ForSubject] wants it, and an error that wraps [errors.ErrUnsupported] if the
// store can find no subjects: see [SubjectIndex].
func (m *Manager[T]) Sessions(ctx context.Context, subject string) ([]Info, error) {
	records, err := m.ofSubject(ctx, subject)
	if err != nil {
		return nil, m.failed("list sessions", "", err)
	}
	all := make([]Info, len(records))
	for i := range records {
		all[i] = records[i].info()
	}
	slices.SortFunc(all, func(a, b Info) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

func (m *Manager[T]) ofSubject(ctx context.Context, subject string) ([]Record, error) {
	if m.closed.Load() {
		return nil, ErrClosed
	}
	if err := checkSubject(subject); err != nil {
		return nil, err
	}
	return collectSubject(ctx, m.store, subject)
}

// collectSubject is ListSubject at once. What cannot be decoded is among them, with
// its ID and subject: it can be counted, and ended.
func collectSubject(ctx context.Context, s Store, subject string) (all []Record, err error) {
	for r, err := range ListSubject(ctx, s, subject) {
		if err != nil && (r.ID == "" || !errors.Is(err, ErrDecode)) {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// Describe returns what is known of the session with this ID, for those who look
// after the sessions of others: it asks for no token. Besides the general errors
// it returns [ErrInvalid] if the ID is malformed.
func (m *Manager[T]) Describe(ctx context.Context, id string) (Info, error) {
	r, err := m.byID(ctx, id)
	if err != nil {
		return Info{}, m.failed("describe", nameOf(id), err)
	}
	return r.info(), nil
}

// nameOf returns what an error may say of an ID that somebody has given: nothing,
// if it is none. It may be a token.
func nameOf(id string) string {
	if checkID(id) != nil {
		return ""
	}
	return id
}

func (m *Manager[T]) byID(ctx context.Context, id string) (Record, error) {
	if m.closed.Load() {
		return Record{}, ErrClosed
	}
	if err := checkID(id); err != nil {
		return Record{}, err
	}
	r, err := m.store.Load(ctx, id)
	if err == nil && r.Expired(now()) {
		err = ErrNotFound
	}
	return r, err
}

// Revoke ends the session with this ID, whoever asks: let nobody do so who may not,
// and see [IfSubject]. It promises what [Manager.Delete] does, and is idempotent
// as well, unless IfSubject is given. Besides the general errors it returns
// [ErrInvalid] if the ID is malformed.
func (m *Manager[T]) Revoke(ctx context.Context, id string, opts ...RevokeOption) error {
	o := revocation(opts)
	if err := m.revoke(ctx, id, &o); err != nil {
		return m.failed("revoke", nameOf(id), err)
	}
	return nil
}

func revocation(opts []RevokeOption) (o revokeOptions) {
	for _, opt := range opts {
		opt.applyRevoke(&o)
	}
	return o
}

func (m *Manager[T]) revoke(ctx context.Context, id string, o *revokeOptions) error {
	r, err := m.byID(ctx, id)
	event := Event{Kind: SessionRevoked, Subject: r.Subject}
	switch {
	case errors.Is(err, ErrDecode) && !o.conditional: // damaged, or of another version: away with it
	case errors.Is(err, ErrNotFound) && !o.conditional:
		event = nothing
	case err != nil:
		return err
	case o.conditional && (o.subject == "" || r.Subject != o.subject):
		return ErrNotFound
	}
	if err := m.remove(ctx, id, event); err != nil {
		return err
	}
	return m.outlastIf(ctx, o.everywhere)
}

// revokers is how many sessions RevokeAll ends at a time.
const revokers = 16

// RevokeAll ends all sessions of a subject, and returns how many it has ended: log
// out everywhere. When it returns without an error, no session of the subject
// whose creation, or login, had returned before the call can be used on any node
// after MaxStaleness (and ServeStaleFor, see [Manager.Delete]; with [Everywhere] it
// waits for that), however often it was renewed meanwhile. One that is created
// meanwhile is ended, or is younger than the call: so change the password before.
// After an error, such as [ErrUnavailable], some may have been ended: call it again.
//
// What cannot be decoded of the subject's is ended as well. Errors are those of
// [Manager.Sessions].
func (m *Manager[T]) RevokeAll(ctx context.Context, subject string, opts ...RevokeOption) (ended int, err error) {
	o := revocation(opts)
	records, err := m.ofSubject(ctx, subject)
	if err != nil {
		return 0, m.failed("revoke all sessions", "", err)
	}
	records = slices.DeleteFunc(records, func(r Record) bool { return slices.Contains(o.except, r.ID) })

	next := make(chan string, len(records))
	for _, r := range records {
		next <- r.ID
	}
	close(next)
	var mu sync.Mutex
	var faults []error
	var workers sync.WaitGroup
	for range min(revokers, len(records)) {
		workers.Go(func() {
			for id := range next {
				err := m.remove(ctx, id, Event{Kind: SessionRevoked, Subject: subject})
				mu.Lock()
				if err == nil {
					ended++
				} else {
					faults = append(faults, fmt.Errorf("session %s: %w", id, err))
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	if len(faults) > 0 {
		return ended, m.failed(fmt.Sprintf("revoke all sessions: %d of %d remain", len(faults), len(records)), "", faults[0])
	}
	if err := m.outlastIf(ctx, o.everywhere); err != nil {
		return ended, m.failed("revoke all sessions", "", err)
	}
	return ended, nil
}
