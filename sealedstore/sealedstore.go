// Package sealedstore encrypts values at rest: a [coatcheck.Store] around any
// other, which seals each value before the store sees it and opens it after.
//
//	keys, err := sealedstore.ReadKeyring("/etc/coatcheck/keyring")
//	…
//	store, err := sealedstore.New(inner, keys)
//	…
//	manager, err := coatcheck.New(coatcheck.Config[Cart]{Store: store})
//
// Values are sealed with AES-256-GCM, under a key that is derived for each
// session. A value opens only in the record that it was sealed for: under the
// same ID and incarnation, with the same secrets and subject. What stays in
// clear are ID, subject, hash of the token and of those before it, client,
// revision and times. Whoever controls the store can still delete records, change
// their deadlines, and put back an older version of a whole record, unnoticed.
//
// docs/ENCRYPTION.md has the bytes, and how to make, change and retire keys.
package sealedstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/coatcheck/coatcheck"
)

// Store is a [coatcheck.Store] that seals the values in another one. A sealed
// value is [Overhead] bytes longer, which counts towards the limits of that
// store. It implements [coatcheck.Toucher], [coatcheck.Lister],
// [coatcheck.SubjectIndex], [coatcheck.Pinger] and [coatcheck.Watcher] as far as
// the other store does; else the method returns an error that wraps
// [errors.ErrUnsupported].
//
// A value that cannot be opened, since it was tampered with or its key is not
// in the keyring, is an error that wraps [coatcheck.ErrDecode].
//
// It has nothing to close: close the other store.
type Store struct {
	inner           coatcheck.Store
	keys            *Keyring
	acceptPlaintext bool
}

var (
	_ coatcheck.Store        = (*Store)(nil)
	_ coatcheck.Toucher      = (*Store)(nil)
	_ coatcheck.Lister       = (*Store)(nil)
	_ coatcheck.SubjectIndex = (*Store)(nil)
	_ coatcheck.Pinger       = (*Store)(nil)
	_ coatcheck.Watcher      = (*Store)(nil)
)

// Option is an option of [New].
type Option func(*Store)

// AcceptPlaintext has values that are not sealed be read as they are, for the
// time until all that were stored before encryption was switched on are gone or
// written anew: writing always seals. Do without it as soon as you can: as long
// as it is set, whoever can write to the store can put any value into any
// session.
func AcceptPlaintext() Option { return func(s *Store) { s.acceptPlaintext = true } }

// New returns a store that seals the values in inner with the first key of the
// keyring, and opens them with any. An error wraps [coatcheck.ErrInvalid].
func New(inner coatcheck.Store, keys *Keyring, options ...Option) (*Store, error) {
	switch {
	case inner == nil:
		return nil, fmt.Errorf("sealedstore: %w: the store to seal values in is nil", coatcheck.ErrInvalid)
	case keys == nil || keys.held == nil:
		return nil, fmt.Errorf("sealedstore: %w: there is no keyring: see ReadKeyring and NewKeyring", coatcheck.ErrInvalid)
	}
	if _, err := keys.first().aead(""); err != nil { // never, but where AES-GCM with a nonce of one's own is forbidden
		return nil, fmt.Errorf("sealedstore: %w: this program cannot seal: %w", coatcheck.ErrInvalid, err)
	}
	s := &Store{inner: inner, keys: keys}
	for _, option := range options {
		option(s)
	}
	return s, nil
}

// Load implements [coatcheck.Store].
func (s *Store) Load(ctx context.Context, id string) (coatcheck.Record, error) {
	r, err := s.inner.Load(ctx, id)
	if err != nil {
		return r, err
	}
	return s.opened(r)
}

// Create implements [coatcheck.Store].
func (s *Store) Create(ctx context.Context, r coatcheck.Record) error {
	r, err := s.sealed(r)
	if err != nil {
		return err
	}
	return s.inner.Create(ctx, r)
}

// Update implements [coatcheck.Store].
func (s *Store) Update(ctx context.Context, r coatcheck.Record) error {
	r, err := s.sealed(r)
	if err != nil {
		return err
	}
	return s.inner.Update(ctx, r)
}

// Delete implements [coatcheck.Store].
func (s *Store) Delete(ctx context.Context, id string) error { return s.inner.Delete(ctx, id) }

// These are made once, for touches are frequent.
var (
	errNoToucher = unsupported("extend a session without an update")
	errNoLister  = unsupported("list its records")
	errNoIndex   = unsupported("find the records of a subject")
	errNoPinger  = unsupported("tell whether it can do its work")
	errNoWatcher = unsupported("report changes")
)

func unsupported(what string) error {
	return fmt.Errorf("sealedstore: the store that holds the sealed values cannot %s: %w", what, errors.ErrUnsupported)
}

// Touch implements [coatcheck.Toucher].
func (s *Store) Touch(ctx context.Context, r coatcheck.Record) error {
	t, ok := s.inner.(coatcheck.Toucher)
	if !ok {
		return errNoToucher
	}
	r.Value = nil // which a touch has no use for, and which is not sealed
	return t.Touch(ctx, r)
}

// List implements [coatcheck.Lister]. It ends with an error at a value that
// cannot be opened.
func (s *Store) List(ctx context.Context) iter.Seq2[coatcheck.Record, error] {
	return func(yield func(coatcheck.Record, error) bool) {
		l, ok := s.inner.(coatcheck.Lister)
		if !ok {
			yield(coatcheck.Record{}, errNoLister)
			return
		}
		for r, err := range l.List(ctx) {
			if err == nil {
				r, err = s.opened(r)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// ListSubject implements [coatcheck.SubjectIndex]. It opens no value, so records
// whose value cannot be opened are listed like the others.
func (s *Store) ListSubject(ctx context.Context, subject string) iter.Seq2[coatcheck.Record, error] {
	if x, ok := s.inner.(coatcheck.SubjectIndex); ok {
		return x.ListSubject(ctx, subject)
	}
	return func(yield func(coatcheck.Record, error) bool) { yield(coatcheck.Record{}, errNoIndex) }
}

// Ping implements [coatcheck.Pinger].
func (s *Store) Ping(ctx context.Context) error {
	if p, ok := s.inner.(coatcheck.Pinger); ok {
		return p.Ping(ctx)
	}
	return errNoPinger
}

// Watch implements [coatcheck.Watcher].
func (s *Store) Watch(ctx context.Context, interval time.Duration, sink coatcheck.WatchSink) error {
	if w, ok := s.inner.(coatcheck.Watcher); ok {
		return w.Watch(ctx, interval, sink)
	}
	return errNoWatcher
}

// sealed returns the record as the other store is to see it.
func (s *Store) sealed(r coatcheck.Record) (coatcheck.Record, error) {
	var random nonce
	rand.Read(random[:]) // never fails since Go 1.24
	value, err := s.keys.first().seal(&r, random)
	if err != nil {
		return coatcheck.Record{}, fmt.Errorf("sealedstore: seal the value of session %s: %w", r.ID, err)
	}
	r.Value = value
	return r, nil
}

// opened returns the record with its value in clear.
func (s *Store) opened(r coatcheck.Record) (coatcheck.Record, error) {
	if s.acceptPlaintext && !isSealed(r.Value) {
		return r, nil
	}
	value, err := s.keys.open(&r)
	if err != nil {
		return coatcheck.Record{}, fmt.Errorf("sealedstore: load session %s: %w: %w", r.ID, coatcheck.ErrDecode, err)
	}
	r.Value = value
	return r, nil
}
