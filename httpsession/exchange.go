package httpsession

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/coatcheck/coatcheck"
)

// exchange is a request, and the response to it: all of that in one piece of memory,
// because to get memory is most of what a request with a session costs.
type exchange[T any] struct {
	self       view[T]
	middleware *Middleware[T]
	outer      *http.Request // as it came
	session    coatcheck.Session[T]
	under      http.ResponseWriter
	extra      *extra // nil if there is nothing

	status  int16
	begun   bool
	urgent  bool // what has been written is to leave at once, for the sake of a new token
	bearer  bool // it is a client without cookies
	refused bool // by Error: nothing is to be saved
	failing bool // the ErrorHandler is at work
}

// exchangeWithCopy is an exchange whose context the handler's request has.
type exchangeWithCopy[T any] struct {
	exchange[T]
	copy http.Request
	more extra
}

// begins has the exchange begin with r.
func (x *exchange[T]) begins(m *Middleware[T], w http.ResponseWriter, r *http.Request) {
	x.self.x = x
	x.middleware, x.under, x.outer = m, w, r
	var token coatcheck.Token
	token, x.bearer = m.tokenOf(r)
	x.session.Init(m.manager, token)
}

// begins has the exchange begin with r, and the handler's request be a copy.
func (x *exchangeWithCopy[T]) begins(m *Middleware[T], w http.ResponseWriter, r *http.Request) {
	x.exchange.begins(m, w, r)
	x.extra, x.more.request, x.more.parent = &x.more, &x.copy, r.Context()
	if m.config.recordsClient() {
		x.more.sender = m.config.senderOf(r)
	}
	shallowCopy(&x.copy, r, x.context())
}

// request returns the handler's.
func (x *exchange[T]) request() *http.Request {
	if x.extra == nil || x.extra.request == nil {
		return x.outer
	}
	return x.extra.request
}

// parent returns the context that the request came with: not what it has by now, for there
// are those who write what the handler was given back to it.
func (x *exchange[T]) parent() context.Context {
	if x.extra == nil || x.extra.parent == nil {
		return x.outer.Context()
	}
	return x.extra.parent
}

// writer returns the handler's response writer.
func (x *exchange[T]) writer() http.ResponseWriter {
	response := (*response[T])(&x.self)
	if x.outer.ProtoMajor < 2 {
		return hijackable[T]{response}
	}
	return response
}

// extra is what exchanges need that have a copy of the request, or whose response was
// replaced: not those of HandlerFunc as a rule.
type extra struct {
	request *http.Request   // the handler's, if it is a copy
	parent  context.Context // of the copy's context
	sender  *sender         // of the request, if that is to be recorded
	failed  error           // why the handler's response was replaced
}

// view is what others hold of an exchange: the handler's context and its response
// writer are pointers to it. Package fmt may follow one of these, from a struct that has
// it in a field that is not exported, but no further: it finds no token.
type view[T any] struct{ x *exchange[T] }

// requestContext is an exchange as the context of its request.
type requestContext[T any] view[T]

func (x *exchange[T]) context() *requestContext[T] { return (*requestContext[T])(&x.self) }

// Deadline implements [context.Context].
func (c *requestContext[T]) Deadline() (time.Time, bool) { return c.x.parent().Deadline() }

// Done implements [context.Context].
func (c *requestContext[T]) Done() <-chan struct{} { return c.x.parent().Done() }

// Err implements [context.Context].
func (c *requestContext[T]) Err() error { return c.x.parent().Err() }

// Value returns the context itself for its middleware, and the client, if that is to be
// recorded, for whoever does so.
func (c *requestContext[T]) Value(key any) any {
	m := c.x.middleware
	switch {
	case key == any(m):
		return c
	case key == any(coatcheck.ClientContextKey) && m.config.recordsClient():
		return m.config.clientOf(c.x.extra.sender)
	default:
		return c.x.parent().Value(key)
	}
}

// Format prints no token, for any verb: contexts are printed.
func (c *requestContext[T]) Format(f fmt.State, _ rune) { printView[T](f, c.x) }

// String is for the contexts derived from this one, which print their parents.
func (c *requestContext[T]) String() string { return fmt.Sprint(c.x.parent()) + ".WithSession" }

func printView[T any](f fmt.State, x *exchange[T]) {
	_, _ = io.WriteString(f, x.context().String()) // fmt gives no way to report it
}

// within returns a request in whose context From finds the session: r, or r with such a
// context.
func (x *exchange[T]) within(r *http.Request) *http.Request {
	if x.middleware.exchangeIn(r.Context()) != nil {
		return r
	}
	return r.WithContext(context.WithValue(r.Context(), x.middleware, x.context()))
}

// leaveFiles leaves the files of an upload that was parsed with a copy of the request to
// package net/http, which removes those of its own request.
func leaveFiles(r, with *http.Request) {
	if r.MultipartForm == nil {
		r.MultipartForm = with.MultipartForm
	}
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
