package coatcheck

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// FullPolicy says what happens when a subject has one session more than
// Config.MaxSessions.
type FullPolicy int

const (
	// EndOldest ends the session whose token was issued first. Of logins at the same
	// moment that are too many by themselves, some fail with [ErrTooManySessions].
	EndOldest FullPolicy = iota

	// RefuseNewest has the login fail with [ErrTooManySessions].
	RefuseNewest
)

// admit returns ErrTooManySessions if the subject can have no session besides the
// one with this ID. That spares what limit would have to undo.
func (m *Manager[T]) admit(ctx context.Context, subject, id string) error {
	if m.config.MaxSessions == 0 || subject == "" || m.config.WhenFull != RefuseNewest {
		return nil
	}
	return m.admitAmong(ctx, subject, id)
}

// admitAmong is apart from admit, which most have nothing to do with, for its variables
// are on the heap.
func (m *Manager[T]) admitAmong(ctx context.Context, subject, id string) error {
	others := 0
	for r, err := range ListSubject(ctx, m.store, subject) {
		switch {
		case err != nil:
			return err
		case r.ID != id:
			others++
		}
	}
	if others >= m.config.MaxSessions {
		return m.tooMany()
	}
	return nil
}

func (m *Manager[T]) tooMany() error {
	return fmt.Errorf("%w: MaxSessions is %d", ErrTooManySessions, m.config.MaxSessions)
}

// limit sees to it that the subject has no more sessions than it may, when it has
// been given the one with this ID. Of logins that meet, each sees the others, and
// all agree on their order, so that neither too many remain nor too few.
func (m *Manager[T]) limit(ctx context.Context, subject, id string) error {
	if m.config.MaxSessions == 0 || subject == "" {
		return nil
	}
	err := m.keepTo(ctx, subject, id)
	if err != nil { // nobody is given the token
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)
		defer cancel()
		if undo := m.remove(ctx, id, Event{Kind: SessionRevoked, Subject: subject}); undo != nil {
			err = fmt.Errorf("%w; it was not undone: %w", err, undo)
		}
	}
	return err
}

func (m *Manager[T]) keepTo(ctx context.Context, subject, id string) error {
	all, err := collectSubject(ctx, m.store, subject)
	if err != nil {
		return err
	}
	since := (*Record).renewedAt
	if m.config.WhenFull == RefuseNewest { // who has been there for long stays, also if his token was renewed just now
		since = (*Record).signedInAt
	}
	slices.SortFunc(all, func(a, b Record) int {
		return cmp.Or(since(&a).Compare(since(&b)), cmp.Compare(a.ID, b.ID))
	})
	excess := all[:max(0, len(all)-m.config.MaxSessions)]
	if m.config.WhenFull == RefuseNewest {
		excess = all[min(len(all), m.config.MaxSessions):]
	}
	if slices.ContainsFunc(excess, func(r Record) bool { return r.ID == id }) {
		return m.tooMany() // with EndOldest: others have signed in at the same moment
	}
	// With RefuseNewest, too: who is in excess finds out by himself only if he has
	// looked after this one was stored.
	for _, r := range excess {
		if err := m.remove(ctx, r.ID, Event{Kind: SessionRevoked, Subject: subject}); err != nil {
			return err
		}
	}
	return nil
}
