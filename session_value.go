package coatcheck

import (
	"context"
	"errors"
)

// load finds out what is behind the token. The session is locked.
func (s *Session[T]) load(ctx context.Context) error {
	if s.loaded {
		return nil
	}
	if s.token != "" {
		e, wall := s.manager.cached(s.token)
		if e != nil && s.manager.servedAsIs(e, wall) {
			s.take(e, &e.Value.value)
			return nil
		}
		value, e, err := s.manager.read(ctx, s.token, e, wall, s.opened)
		switch {
		case err == nil:
			s.take(e, value)
			return nil
		case errors.Is(err, ErrNotFound):
			s.end()
			s.renewed = err == errWrongSecret
			return nil
		case errors.Is(err, ErrDecode) && !s.manager.config.StrictDecode:
		default:
			return err
		}
	}
	s.end()
	return nil
}

// take has the session be as it was read.
func (s *Session[T]) take(e *entry[T], value *T) {
	s.loaded, s.base, s.opened = true, e, proven
	s.outdate()
	if len(s.pending().changes) == 0 {
		s.value, s.shared = value, true
	}
}

// makeCurrent has value be the current one. The session is locked.
func (s *Session[T]) makeCurrent(ctx context.Context) error {
	if err := s.load(ctx); err != nil || s.value != nil {
		return err
	}
	if s.base != nil && len(s.pending().changes) == 0 {
		value, err := s.manager.valueOf(s.base)
		if err == nil {
			s.value, s.shared = value, true
			return nil
		}
		err = s.manager.failed("get", s.token.ID(), err)
		if !errors.Is(err, ErrDecode) || s.manager.config.StrictDecode {
			return err
		}
		s.end() // as load does
	}
	return s.replay(ctx)
}

// makePrivate has value be the current one and nobody else's. The session is locked.
func (s *Session[T]) makePrivate(ctx context.Context) error {
	if err := s.load(ctx); err != nil {
		return err
	}
	if s.value == nil || s.shared && len(s.pending().changes) == 0 {
		if err := s.replay(ctx); err != nil {
			return err
		}
	}
	if len(s.pending().changes) == 0 {
		return nil
	}
	switch {
	case s.manager.separate(s.value):
		s.shared = false
	case s.shared:
		return s.replay(ctx)
	}
	return nil
}

// replay makes the value anew, from base, in memory of its own.
func (s *Session[T]) replay(ctx context.Context) error {
	value, err := s.copyOfBase(ctx)
	if err != nil {
		return err
	}
	if err := s.replayOn(&value); err != nil {
		return err
	}
	s.value, s.shared = &value, false
	return nil
}

// replayOn makes the changes again, on value.
func (s *Session[T]) replayOn(value *T) error {
	for i, change := range s.pending().changes {
		if i > 0 {
			s.manager.separate(value)
		}
		if err := change(value); err != nil {
			return err
		}
	}
	return nil
}

// separate copies value, if it can be copied: what a change has put into it others
// may be reading, or it may put there again when it is run again. What cannot be
// copied cannot be stored either, which Flush will say, unless a later change mends it.
func (m *Manager[T]) separate(value *T) bool {
	data, err := m.codec.Encode(*value)
	if err != nil {
		return false
	}
	own, err := m.codec.Decode(data)
	if err != nil {
		return false
	}
	*value = own
	return true
}

func (s *Session[T]) copyOfBase(ctx context.Context) (T, error) {
	var value T
	if s.base == nil {
		return value, nil
	}
	value, err := s.manager.privateCopy(s.base)
	switch {
	case err == nil:
		return value, nil
	case !errors.Is(err, errNoCopy):
		return value, s.manager.failed("change", s.token.ID(), err)
	}
	// What is in memory may have been changed by a reader: only the store knows.
	e, err := s.manager.load(ctx, s.token, proven)
	if err == nil {
		s.base = e
		value, err = s.manager.privateCopy(e)
	}
	switch {
	case err == nil:
		return value, nil
	case errors.Is(err, ErrNotFound):
		return value, nil // base stays: it is for Flush to find that the session has ended
	default:
		s.forget()
		return value, s.manager.failed("get", s.token.ID(), err)
	}
}
