package httpsession

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/coatcheck/coatcheck"
)

// response is the [http.ResponseWriter] that saves the session before the first
// byte leaves. It has the methods that package net/http, and handlers, look for.
type response[T any] struct {
	under    http.ResponseWriter
	exchange *exchange[T]

	begun  bool
	status int
	failed error // why the handler's response was replaced
}

// hijackable is response for HTTP/1, where connections can be taken over: there
// are handlers that ask for that by a type assertion.
type hijackable[T any] struct{ *response[T] }

// Header implements [http.ResponseWriter].
func (w *response[T]) Header() http.Header { return w.under.Header() }

// Unwrap is for [http.ResponseController], which finds the deadlines there.
func (w *response[T]) Unwrap() http.ResponseWriter { return w.under }

// begin is called before the first byte of a response with this status. The
// error says that another response was sent.
func (w *response[T]) begin(status int) error {
	if w.begun {
		return w.failed
	}
	w.begun, w.status = true, status
	x := w.exchange
	state := x.session.Status()
	if state.Pending && status < 500 {
		err := x.save()
		if err != nil {
			w.failed = fmt.Errorf("httpsession: the response was not sent: %w", err)
			removeBodyHeaders(w.Header())
		}
		state = x.session.Status()
	}
	x.session.FixToken(true)
	x.announce(w.Header(), &state)
	if w.failed != nil {
		a := &answer{ResponseWriter: w.under}
		x.middleware.config.ErrorHandler(a, x.request, w.failed)
		if !a.begun { // which would be taken for success
			a.WriteHeader(ErrorStatus(w.failed))
		}
	}
	return w.failed
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

// announce tells the client and the caches in between what they must know of the
// session.
func (x *exchange[T]) announce(h http.Header, state *coatcheck.SessionStatus) {
	config := &x.middleware.config
	news := state.Token != x.shown
	if !news && !state.Used {
		return
	}
	x.addVary(h)
	switch {
	case !news:
		if _, set := h["Cache-Control"]; set {
			return
		}
	case x.bearer:
		h.Set(config.TokenHeader, string(state.Token))
	default:
		config.setCookie(h, state)
	}
	x.cacheControl[0] = "no-store"
	h["Cache-Control"] = x.cacheControl[:]
}

func (x *exchange[T]) addVary(h http.Header) {
	x.vary[0] = x.middleware.vary
	switch have := h["Vary"]; {
	case len(have) == 0:
		h["Vary"] = x.vary[:]
	case !slices.Contains(have, x.vary[0]):
		h["Vary"] = append(have, x.vary[0])
	}
}

// removeBodyHeaders removes what does not hold for another body.
func removeBodyHeaders(h http.Header) {
	for _, name := range []string{
		"Accept-Ranges", "Cache-Control", "Content-Digest", "Content-Disposition", "Content-Encoding", "Content-Language",
		"Content-Length", "Content-Location", "Content-Range", "Content-Type", "Digest", "Etag", "Expires", "Last-Modified",
		"Location", "Refresh", "Repr-Digest", "Retry-After", "Trailer", "Www-Authenticate",
	} {
		h.Del(name)
	}
	maps.DeleteFunc(h, func(name string, _ []string) bool { return strings.HasPrefix(name, http.TrailerPrefix) })
}

// end is called when the handler has returned.
func (w *response[T]) end() {
	if !w.begun {
		_ = w.begin(http.StatusOK) // should it fail, the client was told
		return
	}
	x := w.exchange
	if w.failed != nil || w.status >= 500 || !x.session.Status().Pending {
		return
	}
	if err := x.save(); err != nil {
		err = fmt.Errorf("changed after the response had begun, and not saved: %w", err)
		if errors.Is(err, coatcheck.ErrUnavailable) {
			x.middleware.outage.Tell(x, x.middleware.config.Logger, err)
		} else {
			x.middleware.config.Logger.ErrorContext(x, "httpsession", "error", err)
		}
	}
}

// WriteHeader implements [http.ResponseWriter].
func (w *response[T]) WriteHeader(status int) {
	// Others of 1xx may come before the response itself.
	informational := status >= 100 && status < 200 && status != http.StatusSwitchingProtocols
	if !informational && w.begin(status) != nil || w.failed != nil {
		return
	}
	w.under.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *response[T]) Write(p []byte) (int, error) {
	if err := w.begin(http.StatusOK); err != nil {
		return 0, err
	}
	return w.under.Write(p)
}

// WriteString implements [io.StringWriter].
func (w *response[T]) WriteString(s string) (int, error) {
	if err := w.begin(http.StatusOK); err != nil {
		return 0, err
	}
	return io.WriteString(w.under, s)
}

// ReadFrom implements [io.ReaderFrom], so that files go out by sendfile.
func (w *response[T]) ReadFrom(src io.Reader) (int64, error) {
	if err := w.begin(http.StatusOK); err != nil {
		return 0, err
	}
	return io.Copy(w.under, src)
}

// FlushError is Flush for [http.ResponseController].
func (w *response[T]) FlushError() error {
	if err := w.begin(http.StatusOK); err != nil {
		return err
	}
	return http.NewResponseController(w.under).Flush()
}

// Flush implements [http.Flusher].
func (w *response[T]) Flush() {
	_ = w.FlushError() // http.Flusher has no way to report it
}

// Hijack implements [http.Hijacker]. What is in the headers is not sent: a
// token that the client does not know yet would be lost, and is an error.
func (w hijackable[T]) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if err := w.prepareHijack(); err != nil {
		return nil, nil, err
	}
	conn, rw, err := http.NewResponseController(w.under).Hijack()
	if err == nil && !w.begun { // else the handler goes on to answer
		w.begun, w.status = true, http.StatusSwitchingProtocols
		w.exchange.session.FixToken(true)
	}
	return conn, rw, err
}

func (w *response[T]) prepareHijack() error {
	if w.begun {
		return w.failed
	}
	x := w.exchange
	state := x.session.Status()
	if state.Token != x.shown && state.Token != "" {
		return fmt.Errorf("httpsession: hijack: %w", coatcheck.ErrTokenFixed)
	}
	if !state.Pending {
		return nil
	}
	x.session.FixToken(true)
	if err := x.save(); err != nil {
		x.session.FixToken(false) // the handler will answer in another way
		return fmt.Errorf("httpsession: hijack: %w", err)
	}
	return nil
}

// CloseNotify implements http.CloseNotifier, which is deprecated: it is there for
// frameworks that still demand it of every writer.
func (w *response[T]) CloseNotify() <-chan bool {
	gone := make(chan bool, 1)
	context.AfterFunc(w.exchange, func() { gone <- true })
	return gone
}
