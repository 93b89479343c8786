package httpsession

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/outage"
)

// Middleware gives the requests that pass through it their sessions. It is safe
// for concurrent use. There may be several, for values of several types, if their
// cookies have different names.
type Middleware[T any] struct {
	manager *coatcheck.Manager[T]
	config  Config
	vary    []string // the header
	outage  outage.Log

	noRenewalBefore atomic.Int64 // in nanoseconds since the Unix epoch
}

// New returns a middleware for the manager's sessions, or an error that wraps
// [coatcheck.ErrInvalid] and names all that is wrong with the configuration at
// once.
func New[T any](manager *coatcheck.Manager[T], config Config) (*Middleware[T], error) {
	if manager == nil {
		return nil, fmt.Errorf("httpsession: %w: manager is nil: see coatcheck.New", coatcheck.ErrInvalid)
	}
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	m := &Middleware[T]{manager: manager, config: config}
	switch config.Transport {
	case Cookie:
		m.vary = []string{"Cookie"}
	case Bearer:
		m.vary = []string{"Authorization"}
	default:
		m.vary = []string{"Authorization, Cookie"}
	}
	if m.config.ErrorHandler == nil {
		m.config.ErrorHandler = m.Problem
	}
	return m, nil
}

// Handler returns a handler that calls next with a session in the request's
// context, for [Middleware.From]. Inside another Handler or HandlerFunc of the same
// middleware the session is the one that there is already.
func (m *Middleware[T]) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.exchangeIn(r.Context()) != nil {
			next.ServeHTTP(w, r)
			return
		}
		if x := m.exchangeOf(w); x != nil {
			within := x.within(r)
			defer leaveFiles(r, within)
			next.ServeHTTP(w, within)
			return
		}
		x := &exchangeWithCopy[T]{}
		x.begins(m, w, r)
		defer leaveFiles(r, &x.copy)
		next.ServeHTTP(x.writer(), &x.copy)
		x.end() // not deferred: a panic saves nothing
	})
}

// HandlerFunc returns a handler that calls fn with the session of the request. It is
// what Handler and From are together, for one handler, in about two thirds of the time: the
// request is not copied, and its context is the one that it came with, in which From finds
// nothing. Hand the session on to the functions that need it, and to [Middleware.Error] the
// writer that fn was given, or one around it that has a method Unwrap. Where clients are
// recorded, by Config.RecordAddress or RecordUserAgent, it does take a copy and a context.
//
// Inside another Handler or HandlerFunc of the same middleware the session is the one
// that there is already, if each writer in between has a method Unwrap, as
// [http.ResponseController] wants it.
func (m *Middleware[T]) HandlerFunc(fn func(w http.ResponseWriter, r *http.Request, session *coatcheck.Session[T])) http.HandlerFunc {
	if m.config.recordsClient() { // who that is the manager learns by the context
		return m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fn(w, r, m.From(r.Context()))
		})).ServeHTTP
	}
	return func(w http.ResponseWriter, r *http.Request) {
		if x := m.exchange(w, r); x != nil {
			fn(w, r, &x.session)
			return
		}
		x := &exchange[T]{}
		x.begins(m, w, r)
		fn(x.writer(), r, &x.session)
		x.end() // as in Handler
	}
}

// shallowCopy makes to what r.WithContext(ctx) is, in memory that there is already.
func shallowCopy(to, r *http.Request, ctx context.Context) {
	*to = *r.WithContext(ctx)
}

// From returns the session of the request whose context ctx is, or was derived
// from. It panics if the request did not pass through Handler: that is a mistake
// in the program. (HandlerFunc hands the session over, and leaves the context alone.)
func (m *Middleware[T]) From(ctx context.Context) *coatcheck.Session[T] {
	x := m.exchangeIn(ctx)
	if x == nil {
		panic("httpsession: the request did not pass through Handler of this middleware")
	}
	return &x.session
}

// Manager returns the manager that New was given.
func (m *Middleware[T]) Manager() *coatcheck.Manager[T] { return m.manager }

// Error answers a request that failed because of its session with
// Config.ErrorHandler. What was changed is not saved, whatever the status, unless
// it was flushed. It finds the session by the context of r or, in a HandlerFunc, by w, which
// must be the writer that fn was given, or have a method Unwrap that leads there. If the
// response has begun it is too late, and nothing happens.
func (m *Middleware[T]) Error(w http.ResponseWriter, r *http.Request, err error) {
	x := m.exchange(w, r)
	if x != nil {
		if x.begun && !x.failing {
			return
		}
		x.refused = true
		r = x.within(r)
	}
	removeBodyHeaders(w.Header())
	m.fail(x, w, r, err)
}

// Attach adds the token to a request as a client would send it, in place of any
// other. It is for clients in Go, and tests.
func (m *Middleware[T]) Attach(r *http.Request, token coatcheck.Token) {
	if m.config.Transport&Cookie == 0 {
		r.Header.Set("Authorization", "Bearer "+string(token))
		return
	}
	others := r.Cookies()
	r.Header.Del("Cookie")
	for _, c := range others {
		if c.Name != m.config.CookieName {
			r.AddCookie(c)
		}
	}
	r.AddCookie(&http.Cookie{Name: m.config.CookieName, Value: string(token)})
}

func (m *Middleware[T]) tokenOf(r *http.Request) (token coatcheck.Token, bearer bool) {
	if m.config.Transport&Bearer != 0 {
		if token, is := bearerToken(r.Header["Authorization"]); is {
			return token, true
		}
		if m.config.Transport == Bearer {
			return "", true
		}
	}
	return cookieToken(r.Header["Cookie"], m.config.CookieName), false
}

// exchange returns the one that the request belongs to, or nil: by its context, or, in a
// HandlerFunc, by the writer.
func (m *Middleware[T]) exchange(w http.ResponseWriter, r *http.Request) *exchange[T] {
	if x := m.exchangeIn(r.Context()); x != nil {
		return x
	}
	return m.exchangeOf(w)
}

// exchangeIn returns the one that the context belongs to, or nil.
func (m *Middleware[T]) exchangeIn(ctx context.Context) *exchange[T] {
	if c, is := ctx.Value(m).(*requestContext[T]); is {
		return c.x
	}
	return nil
}

// exchangeOf returns the one that the writer belongs to, or nil.
func (m *Middleware[T]) exchangeOf(w http.ResponseWriter) *exchange[T] {
	for w != nil {
		switch own := w.(type) {
		case hijackable[T]:
			if own.x.middleware == m {
				return own.x
			}
		case *response[T]:
			if own.x.middleware == m {
				return own.x
			}
		}
		wrapped, is := w.(interface{ Unwrap() http.ResponseWriter })
		if !is {
			return nil
		}
		w = wrapped.Unwrap()
	}
	return nil
}
