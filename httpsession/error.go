package httpsession

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/coatcheck/coatcheck"
)

// problems says how errors are told to clients: with the types that the
// service uses.
var problems = []struct {
	err          error
	status       int
	kind, detail string
}{
	{coatcheck.ErrNotFound, http.StatusUnauthorized, "session", "the session has ended: sign in again"},
	{coatcheck.ErrTooManySessions, http.StatusForbidden, "too-many-sessions", "signed in too often: sign out elsewhere first"},
	{coatcheck.ErrConflict, http.StatusConflict, "overtaken", "others changed the session at the same moment: try again"},
	{coatcheck.ErrTooLarge, http.StatusRequestEntityTooLarge, "value-too-large", "the session cannot hold so much"},
	{coatcheck.ErrUnavailable, http.StatusServiceUnavailable, "store", "sessions are not available at the moment: try again"},
	{coatcheck.ErrClosed, http.StatusServiceUnavailable, "store", "sessions are not available at the moment: try again"},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, "store", "sessions are not available at the moment: try again"},
	{context.Canceled, http.StatusServiceUnavailable, "given-up", "the request was given up"},
	{nil, http.StatusInternalServerError, "internal", "internal error"},
}

// ErrorStatus returns the status that suits an error of a session: 401 if it
// ended while the request was under way, 403 if its subject has too many, 409 if
// others kept changing it, 413 if it has become too large, 503 if the store cannot
// be reached, or the request was given up, and 500 for all else.
func ErrorStatus(err error) int { return problems[problemOf(err)].status }

func problemOf(err error) int {
	for i, p := range problems {
		if errors.Is(err, p.err) {
			return i
		}
	}
	return len(problems) - 1
}

// fail has the ErrorHandler answer, and sees to it that it does.
func (m *Middleware[T]) fail(x *exchange[T], w http.ResponseWriter, r *http.Request, err error) {
	if x != nil {
		if x.failing { // the ErrorHandler asks for itself
			m.Problem(w, r, err)
			return
		}
		x.failing = true
		defer func() { x.failing = false }()
	}
	a := &answer{ResponseWriter: w}
	m.config.ErrorHandler(a, r, err)
	if !a.begun { // which would be taken for success
		a.WriteHeader(ErrorStatus(err))
	}
}

// answer notices whether anything was answered.
type answer struct {
	http.ResponseWriter
	begun bool
}

func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) WriteHeader(status int) {
	a.begun = true
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	a.begun = true
	return a.ResponseWriter.Write(p)
}

// Problem is the default ErrorHandler, for others to fall back on.
func (m *Middleware[T]) Problem(w http.ResponseWriter, r *http.Request, err error) {
	p := problems[problemOf(err)]
	h := w.Header()
	switch p.status {
	case http.StatusUnauthorized: // which demands to say how
		challenge := fmt.Sprintf("Cookie cookie-name=%q", m.config.CookieName)
		if m.config.Transport&Bearer != 0 {
			challenge = `Bearer error="invalid_token"`
		}
		h.Set("WWW-Authenticate", challenge)
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
		if p.kind == "store" {
			m.outage.Tell(r.Context(), m.config.Logger, err)
		}
	case http.StatusInternalServerError:
		m.config.Logger.ErrorContext(r.Context(), "httpsession: request failed", "error", err)
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.status)
	_, _ = fmt.Fprintf(w, `{"type":"urn:coatcheck:problem:%s","title":%q,"status":%d,"detail":%q}`+"\n",
		p.kind, http.StatusText(p.status), p.status, p.detail) // the client may have gone
}
