package main

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/coatcheck/coatcheck"
)

// account also lists where else the user is signed in.
func (s *shop) account(w http.ResponseWriter, r *http.Request, session *Session) error {
	info, err := session.Info(r.Context())
	if err != nil {
		return err
	}
	all, err := s.sessions.Manager().Sessions(r.Context(), info.Subject)
	if err != nil {
		return err
	}
	return s.show(w, r, session, http.StatusOK, "account", page{Sessions: all})
}

// endOne signs the user out elsewhere. IDs are no secret: IfSubject keeps users from
// ending the sessions of others.
func (s *shop) endOne(w http.ResponseWriter, r *http.Request, session *Session) error {
	id := r.PathValue("id")
	if id == session.ID() {
		return s.signOut(w, r, session)
	}
	info, err := session.Info(r.Context())
	if err != nil {
		return err
	}
	err = s.sessions.Manager().Revoke(r.Context(), id, coatcheck.IfSubject(info.Subject))
	switch {
	case err == nil:
		return s.backToAccount(w, r, session, "You are signed out there.")
	case errors.Is(err, coatcheck.ErrNotFound), errors.Is(err, coatcheck.ErrInvalid):
		return s.backToAccount(w, r, session, "You are not signed in there.")
	default:
		return err
	}
}

// endOthers signs the user out everywhere else.
func (s *shop) endOthers(w http.ResponseWriter, r *http.Request, session *Session) error {
	info, err := session.Info(r.Context())
	if err != nil {
		return err
	}
	n, err := s.sessions.Manager().RevokeAll(r.Context(), info.Subject, coatcheck.Except(info.ID))
	if err != nil {
		return err
	}
	return s.backToAccount(w, r, session, fmt.Sprintf("You are signed out everywhere else: sessions ended: %d.", n))
}

func (s *shop) backToAccount(w http.ResponseWriter, r *http.Request, session *Session, flash string) error {
	if err := session.Change(r.Context(), func(v *Visit) error { v.Flash = flash; return nil }); err != nil {
		return err
	}
	http.Redirect(w, r, "/account", http.StatusSeeOther)
	return nil
}
