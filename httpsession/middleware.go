package httpsession

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

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
		x := &exchange[T]{outer: r, middleware: m, under: w}
		x.self.x = x
		shallowCopy(&x.request, r, x.context())
		defer x.leaveFiles()
		x.shown, x.bearer = m.tokenOf(r)
		if m.config.recordsClient() {
			x.seldom = &seldom{sender: m.config.senderOf(r)}
		}
		x.session.Init(m.manager, x.shown)
		response := (*response[T])(&x.self)
		if r.ProtoMajor < 2 {
			next.ServeHTTP(hijackable[T]{response}, &x.request)
		} else {
			next.ServeHTTP(response, &x.request)
		}
		response.end() // not deferred: a panic saves nothing
	})
}

// shallowCopy makes to what r.WithContext(ctx) is, in memory that there is already.
func shallowCopy(to, r *http.Request, ctx context.Context) {
	*to = *r.WithContext(ctx)
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
		if x.begun && !x.failing {
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

// exchange is a request, and the response to it: all of that in one piece of memory,
// because to get memory is most of what a request with a session costs.
type exchange[T any] struct {
	self       view[T]
	middleware *Middleware[T]
	outer      *http.Request // as it came
	request    http.Request  // the handler's
	session    coatcheck.Session[T]
	shown      coatcheck.Token // that came with the request
	under      http.ResponseWriter
	seldom     *seldom // nil if there is nothing

	status  int16
	begun   bool
	urgent  bool // what has been written is to leave at once, for the sake of a new token
	bearer  bool // it is a client without cookies
	refused bool // by Error: nothing is to be saved
	failing bool // the ErrorHandler is at work

	// For headers of one value, which are slices.
	vary, cacheControl [1]string
}

// seldom is what few exchanges need.
type seldom struct {
	sender *sender // of the request, if that is to be recorded
	failed error   // why the handler's response was replaced
}

// view is what others hold of an exchange: the handler's context and its response
// writer are pointers to it. Package fmt may follow one of these, from a struct that has
// it in a field that is not exported, but no further: it finds no token.
type view[T any] struct{ x *exchange[T] }

// requestContext is an exchange as the context of its request.
type requestContext[T any] view[T]

func (x *exchange[T]) context() *requestContext[T] { return (*requestContext[T])(&x.self) }

// Deadline implements [context.Context].
func (c *requestContext[T]) Deadline() (time.Time, bool) { return c.x.outer.Context().Deadline() }

// Done implements [context.Context].
func (c *requestContext[T]) Done() <-chan struct{} { return c.x.outer.Context().Done() }

// Err implements [context.Context].
func (c *requestContext[T]) Err() error { return c.x.outer.Context().Err() }

// Value returns the exchange for its middleware, and the client, if that is to be
// recorded, for whoever does so.
func (c *requestContext[T]) Value(key any) any {
	m := c.x.middleware
	switch {
	case key == any(m):
		return c.x
	case key == any(coatcheck.ClientContextKey) && m.config.recordsClient():
		return m.config.clientOf(c.x.seldom.sender)
	default:
		return c.x.outer.Context().Value(key)
	}
}

// Format prints no token, for any verb: contexts are printed.
func (c *requestContext[T]) Format(f fmt.State, _ rune) { printView[T](f, c.x) }

// String is for the contexts derived from this one, which print their parents.
func (c *requestContext[T]) String() string { return fmt.Sprint(c.x.outer.Context()) + ".WithSession" }

func printView[T any](f fmt.State, x *exchange[T]) {
	_, _ = io.WriteString(f, x.context().String()) // fmt gives no way to report it
}

// leaveFiles leaves the files of an upload to package net/http, which removes those of
// its own request.
func (x *exchange[T]) leaveFiles() {
	if x.outer.MultipartForm == nil {
		x.outer.MultipartForm = x.request.MultipartForm
	}
}

func (m *Middleware[T]) request(ctx context.Context) *exchange[T] {
	x, _ := ctx.Value(m).(*exchange[T])
	return x
}

var errSlow = errors.New("the session could not be saved within SaveTimeout")

// save flushes the session, also if the client has gone: what the handler has
// done besides is not undone by that either.
func (x *exchange[T]) save() error {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(x.context()), x.middleware.config.SaveTimeout, errSlow)
	defer cancel()
	err := x.session.Flush(ctx)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil {
		return fmt.Errorf("%w: %w: %w", coatcheck.ErrUnavailable, context.Cause(ctx), err)
	}
	return err
}
