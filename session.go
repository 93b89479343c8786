package coatcheck

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Session is a unit of work on one session, such as the handling of one request:
// it is read when it is first asked for, changed in private, and saved by
// [Session.Flush], all at once. Changes are functions. Flush runs them again on
// the newest value if somebody else has changed it meanwhile, so that two
// requests that change different things both succeed.
//
// Get one from [Manager.Open]. The goroutines of one request may share it; each
// of its methods waits for those that others have called, also while these ask
// the store. It holds nothing that must be closed; but what is changed after the last
// Flush, such as by a goroutine that outlives its request, is not saved.
type Session[T any] struct {
	manager *Manager[T]

	mu    sync.Mutex
	token Token
	base  *entry[T]                  // as read or saved last; nil if there is no such session
	value *T                         // base with the changes made; nil if that is to be worked out
	work  atomic.Pointer[pending[T]] // nil if there is nothing to save

	opened   right // when the token was shown, or that it has opened the session before
	loaded   bool  // base is what to go by
	renewed  bool  // the session lives, but the token is no longer its own
	shared   bool  // others have what value points to, which must not be changed
	used     bool  // anybody has asked for anything
	reissued bool  // the token is not the one that it was opened with
	another  bool  // nor is it of the same session
	fixed    bool  // the holder of the token cannot be given another one
}

// pending is what Flush is to save.
type pending[T any] struct {
	changes []func(*T) error
	subject *string
	renew   bool
	grace   time.Duration // of the renewal
	failed  error         // of the last Flush
}

// pending returns what there is to save. The session is locked.
func (s *Session[T]) pending() pending[T] {
	if p := s.work.Load(); p != nil {
		return *p
	}
	return pending[T]{}
}

// add returns what there is to save, to be added to. The session is locked.
func (s *Session[T]) add() *pending[T] {
	p := s.work.Load()
	if p == nil {
		p = new(pending[T])
		s.work.Store(p)
	}
	return p
}

// Open returns a unit of work on the session behind the token, without asking
// the store. With an empty token, or one that turns out to have nothing behind it,
// it begins a new session, which is stored, under a token of its own, when a Flush
// finds something to store.
//
// A session that was renewed has nothing for its old token, but is no place for a
// new one either: the client is about to hold the new token, from another response,
// and must not lose it to this one. Changes are refused then by Flush; only
// [Session.SetSubject], a login, begins a new session.
func (m *Manager[T]) Open(token Token) *Session[T] {
	s := new(Session[T])
	s.Init(m, token)
	return s
}

// Init is [Manager.Open] for a Session that is part of a larger struct: it saves
// an allocation. It must be called once, before anything else.
//
// Give that struct a Format method: package fmt prints the fields of a struct
// without asking them, so it would show the token.
func (s *Session[T]) Init(m *Manager[T], token Token) {
	s.manager, s.token, s.opened = m, token, m.shownNow()
}

// Get returns the value as this unit of work sees it: as it was when first read,
// from memory if the near cache holds it (see [Manager.Get]), with the changes
// made since. It is the zero T if there is no session yet, or no more.
//
// It returns the errors of Manager.Get but for [ErrNotFound], [ErrDecode] only with
// StrictDecode, and what a function given to Change returns if it has to be run again,
// as after [Session.Reload]. The value may be shared with other requests: do not
// change what it points to.
func (s *Session[T]) Get(ctx context.Context) (T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.get(ctx)
}

// get is Get. The session is locked.
func (s *Session[T]) get(ctx context.Context) (T, error) {
	s.used = true
	if s.value == nil {
		if err := s.makeCurrent(ctx); err != nil {
			var zero T
			return zero, err
		}
	}
	s.shared = true
	return *s.value, nil
}

// Lookup is [Session.Get] and [Session.Info] in one.
func (s *Session[T]) Lookup(ctx context.Context) (T, Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, err := s.get(ctx)
	if err != nil {
		return value, Info{}, err
	}
	return value, s.info(), nil
}

// Change has fn change the value, in private until [Session.Flush]. The first time
// it is given the value as this unit of work sees it. It may be run again, on a
// newer value by Flush or after [Session.Reload], or on the same one when another
// change has failed: so it should do nothing but change the value. What it stores
// there, such as a map, do not modify afterwards. It must not call the session's
// methods, not even by printing it: they would wait for ever. If fn returns an error,
// Change returns that and all is as it was before.
//
// It returns the errors of [Session.Get].
func (s *Session[T]) Change(ctx context.Context, fn func(*T) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	if err := s.makePrivate(ctx); err != nil {
		return err
	}
	value := s.value
	s.value = nil // should fn fail or panic half way
	if err := fn(value); err != nil {
		return err
	}
	s.value = value
	p := s.add()
	p.changes = append(p.changes, fn)
	return nil
}

// Renew has the next [Session.Flush] give the session a new token, from when on
// nobody gets anything for the old one, nor for any before: here at once, on other
// nodes within MaxStaleness. ID, value and deadlines stay. Do so whenever the rights
// of the holder change; [Session.SetSubject] does it by itself. Where there is no
// session, nothing happens.
func (s *Session[T]) Renew() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	p := s.add()
	p.renew, p.grace = true, 0
}

// SetSubject has the next [Session.Flush] say who the session belongs to, such
// as a user's id after login, and renew the token: whoever knew the old one, and
// may have planted it, is not logged in with it. The value stays, such as a cart,
// but not if it was somebody else's: from one subject to another the session ends, and
// a new one begins with what was changed in this unit of work. Empty means nobody.
// SetSubject returns [ErrInvalid] as [ForSubject] would have it.
func (s *Session[T]) SetSubject(subject string) error {
	if err := checkSubject(subject); err != nil {
		return fmt.Errorf("coatcheck: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	p := s.add()
	p.subject, p.renew, p.grace = &subject, true, 0
	return nil
}

// RenewIfDue has the next [Session.Flush] give the session a new token if it was
// read, and the token is older than RenewEvery. The old one works besides it for
// RenewGrace, so that parallel requests of the client do not fail; if one of these
// renews the session first, this one does not. Package httpsession calls it.
func (s *Session[T]) RenewIfDue() {
	every := s.manager.config.RenewEvery
	if every == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.loaded || s.base == nil || s.fixed || time.Now().UnixMilli()-s.base.Value.renewedAt() < every.Milliseconds() {
		return
	}
	if p := s.add(); !p.renew {
		p.renew, p.grace = true, s.manager.config.RenewGrace
	}
}

// Info returns what is known about the session. Its ID is empty if there is none:
// not yet, before the first Flush, or not any more. Of what is not flushed yet it
// knows the subject. Errors are those of [Session.Get].
func (s *Session[T]) Info(ctx context.Context) (Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	if err := s.load(ctx); err != nil {
		return Info{}, err
	}
	return s.info(), nil
}

// info is Info of what was loaded. The session is locked.
func (s *Session[T]) info() (i Info) {
	if s.base != nil {
		i = info(s.token, s.base)
	}
	if subject := s.pending().subject; subject != nil {
		i.Subject = *subject
	}
	return i
}

// Reload forgets what was read, so that the next call sees the value as it is by
// then, with the changes made again that are not flushed yet. It is for units of
// work that last, such as an event stream. When the session has ended meanwhile, or
// was renewed elsewhere, there is nothing behind the token any more: the value is
// zero, and so is the ID in [Session.Info]. A stream should end then; its client
// comes back with the token that it holds by now.
func (s *Session[T]) Reload() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget()
}

// Discard drops what was changed and not flushed. What is behind the token stays as
// it is, and so does what this unit of work has read of it.
func (s *Session[T]) Discard() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.work.Store(nil)
	s.outdate()
}

// forget is for when base may be anything. The session is locked.
func (s *Session[T]) forget() {
	s.loaded = false // base stays, as what is known of the deadline
	s.outdate()
}

// end has there be no session behind the token. The session is locked.
func (s *Session[T]) end() {
	s.loaded, s.base, s.renewed = true, nil, false
	s.outdate()
}

// outdate gives up the value, which is to be made anew from base.
func (s *Session[T]) outdate() {
	s.value, s.shared = nil, false
}

// Token returns the token that the client should hold: the one given to
// [Manager.Open], until [Session.Flush] has stored a new session or renewed this one. It is
// empty before that, and after [Session.Destroy].
func (s *Session[T]) Token() Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	return s.token
}

// ID returns the public half of the token: see [Token.ID].
func (s *Session[T]) ID() string { return s.Token().ID() }

// SessionStatus is what whoever carries tokens to and fro should know.
type SessionStatus struct {
	// Token is the one that the client should hold: see [Session.Token].
	Token Token

	// TokenChanged says that Token is not the one that Open was given: the client is to be
	// told, also if there is none any more.
	TokenChanged bool

	// TokenRenewed says that Token is another one of the same session. What the client holds
	// is of no use any more, or will soon be of none.
	TokenRenewed bool

	// Used says that the session was asked for anything, or given anything to do:
	// that what the client gets may depend on it. Flush, Reload, FixToken and
	// printing do not count.
	Used bool

	// Pending says that Flush has something to save.
	Pending bool

	// Failed is what the last Flush returned, if it failed, other than by
	// [ErrTokenFixed], and what it was to save is still pending. It may have been saved
	// all the same: to flush again is a decision.
	Failed error

	// Deadline is when the session ends even if it is used: the zero time means
	// never, or that the session was not read, or that there is none.
	Deadline time.Time
}

// Status returns what is known without asking the store. It does not count as use.
func (s *Session[T]) Status() SessionStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status()
}

// Pending is that of Status, for who needs to know no more.
func (s *Session[T]) Pending() bool {
	return s.work.Load() != nil
}

func (s *Session[T]) status() SessionStatus {
	status := SessionStatus{Token: s.token, TokenChanged: s.reissued, TokenRenewed: s.reissued && !s.another, Used: s.used}
	if p := s.work.Load(); p != nil {
		status.Pending, status.Failed = true, p.failed
	}
	if s.base != nil {
		status.Deadline = fromMillis(s.base.Value.absoluteDeadline)
	}
	return status
}

// FixToken says that the client cannot be given another token any more, for
// example because the response has begun, or that it can again: meanwhile a Flush
// that would have to give it one does nothing but return [ErrTokenFixed]. It is for
// whoever carries the token, as package httpsession does, and returns the status as
// of then.
func (s *Session[T]) FixToken(fixed bool) SessionStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fixed = fixed
	return s.status()
}
