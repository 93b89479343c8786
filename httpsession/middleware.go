package httpsession

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	vary    string
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
		m.vary = "Cookie"
	case Bearer:
		m.vary = "Authorization"
	default:
		m.vary = "Authorization, Cookie"
	}
	if m.config.ErrorHandler == nil {
		m.config.ErrorHandler = m.Problem
	}
	return m, nil
}

// Handler returns a handler that calls next with a session in the request's
// context. Inside another Handler of the same middleware it is next.
func (m *Middleware[T]) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if m.request(ctx) != nil {
			next.ServeHTTP(w, r)
			return
		}
		x := &exchange[T]{Context: ctx, middleware: m}
		x.shown, x.bearer = m.tokenOf(r)
		if m.config.recordsClient() {
			x.sender = m.config.senderOf(r)
		}
		x.session.Init(m.manager, x.shown)
		x.response = response[T]{under: w, exchange: x}
		x.request = r.WithContext(x)
		if r.ProtoMajor < 2 {
			next.ServeHTTP(hijackable[T]{&x.response}, x.request)
		} else {
			next.ServeHTTP(&x.response, x.request)
		}
		x.response.end() // not deferred: a panic saves nothing
	})
}

// From returns the session of the request whose context ctx is, or was derived
// from. It panics if the request did not pass through Handler: that is a mistake
// in the program.
func (m *Middleware[T]) From(ctx context.Context) *coatcheck.Session[T] {
	x := m.request(ctx)
	if x == nil {
		panic("httpsession: the request did not pass through Handler of this middleware")
	}
	return &x.session
}

// Manager returns the manager that New was given.
func (m *Middleware[T]) Manager() *coatcheck.Manager[T] { return m.manager }

// Error answers a request that failed because of its session with
// Config.ErrorHandler. What was changed is not saved, whatever the status, unless
// it was flushed. If the response has begun it is too late, and nothing happens.
func (m *Middleware[T]) Error(w http.ResponseWriter, r *http.Request, err error) {
	x := m.request(r.Context())
	if x != nil {
		if x.response.begun && !x.failing {
			return
		}
		x.refused = true
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

// exchange is a request, and the response to it. It is the request's context:
// one allocation for all that goes with it.
type exchange[T any] struct {
	context.Context

	middleware *Middleware[T]
	request    *http.Request
	sender     *sender         // of the request, if that is to be recorded
	shown      coatcheck.Token // that came with the request
	bearer     bool            // it is a client without cookies
	refused    bool            // by Error: nothing is to be saved
	failing    bool            // the ErrorHandler is at work
	session    coatcheck.Session[T]
	response   response[T]

	// For headers of one value, which are slices.
	vary, cacheControl [1]string
}

// Value returns the exchange for its middleware, and the client, if that is to be
// recorded, for whoever does so.
func (x *exchange[T]) Value(key any) any {
	switch {
	case key == any(x.middleware):
		return x
	case key == any(coatcheck.ClientContextKey) && x.middleware.config.recordsClient():
		return x.middleware.config.clientOf(x.sender)
	default:
		return x.Context.Value(key)
	}
}

func (m *Middleware[T]) request(ctx context.Context) *exchange[T] {
	x, _ := ctx.Value(m).(*exchange[T])
	return x
}

// Format prints no token, for any verb: contexts are printed.
func (x *exchange[T]) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, x.String()) // fmt gives no way to report it
}

// String is for the contexts derived from this one, which print their parents.
func (x *exchange[T]) String() string { return fmt.Sprint(x.Context) + ".WithSession" }

var errSlow = errors.New("the session could not be saved within SaveTimeout")

// save flushes the session, also if the client has gone: what the handler has
// done besides is not undone by that either.
func (x *exchange[T]) save() error {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(x), x.middleware.config.SaveTimeout, errSlow)
	defer cancel()
	err := x.session.Flush(ctx)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil {
		return fmt.Errorf("%w: %w: %w", coatcheck.ErrUnavailable, context.Cause(ctx), err)
	}
	return err
}
