package coatcheck

import (
	"context"
	"errors"
	"fmt"
)

// RenewOption adjusts one call of [Manager.Renew].
type RenewOption interface{ applyRenew(*renewOptions) }

type renewOptions struct {
	grace   bool
	subject *string
	info    *Info
	faults  []error
}

type graceOption struct{}

func (graceOption) applyRenew(o *renewOptions) { o.grace = true }

// WithGrace has the old token work for RenewGrace besides the new one: for
// renewals that nothing but the age of the token calls for, so that parallel
// requests of its holder do not fail. A login, by [ForSubject], can have none.
func WithGrace() RenewOption { return graceOption{} }

func (s SubjectOption) applyRenew(o *renewOptions) {
	o.subject = &s.subject
	if err := checkSubject(s.subject); err != nil {
		o.faults = append(o.faults, err)
	}
}

func (i InfoOption) applyRenew(o *renewOptions) { o.info = i.info }

// Renew gives the session a new token: ID, value and deadlines stay. The old
// token opens nothing from then on: here at once, on other nodes within
// MaxStaleness. Do so whenever the rights of the holder change. With [ForSubject]
// it is a login: it says who the session belongs to from now on, which must not be
// somebody else's by then; and its absolute timeout begins anew.
// It costs two round trips, or one if the session is in memory.
//
// Of several calls at once one succeeds; the others get [ErrNotFound], or with
// [WithGrace] [ErrRenewed]: the holder gets the new token from the first. Besides
// the general errors and those of [Manager.Update] it returns [ErrInvalid] for a
// bad option or another subject's session, and [ErrTooManySessions], after which the
// session is as it was, or, if others have logged in at the same moment, ended.
// After any other error it may have been renewed, to a token that nobody knows.
func (m *Manager[T]) Renew(ctx context.Context, token Token, opts ...RenewOption) (Token, error) {
	var o renewOptions
	for _, opt := range opts {
		opt.applyRenew(&o)
	}
	if o.grace && o.subject != nil { // whoever has planted the token would be signed in with it
		o.faults = append(o.faults, fmt.Errorf("%w: a login with a grace: the old token must end with it", ErrInvalid))
	}
	id := token.ID()
	if len(o.faults) > 0 {
		return "", m.failed("renew", id, errors.Join(o.faults...))
	}
	if err := m.usable(token); err != nil {
		return "", m.failed("renew", id, err)
	}
	with := rewrite[T]{value: m.encodedValue, subject: o.subject}
	if o.subject != nil {
		with.value = func(e *entry[T]) ([]byte, error) {
			if changesHands(e, *o.subject) {
				return nil, errOthersSession
			}
			return m.encodedValue(e)
		}
	}
	if o.grace {
		with.grace = m.config.RenewGrace
	}
	with.token, _, _ = newToken(id)
	if _, err := m.swap(ctx, token, with, InfoOption{o.info}); err != nil {
		return "", m.failed("renew", id, err)
	}
	return with.token, nil
}

var errOthersSession = fmt.Errorf("%w: it belongs to another subject: end it, and begin a new one", ErrInvalid)

// changesHands reports whether the session would become somebody else's.
func changesHands[T any](e *entry[T], to string) bool {
	return to != "" && e.Value.subject != "" && to != e.Value.subject
}
