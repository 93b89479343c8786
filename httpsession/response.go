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
	"time"

	"github.com/coatcheck/coatcheck"
)

// response is an exchange as the [http.ResponseWriter] that saves the session before
// the first byte leaves. It has the methods that package net/http, and handlers, look
// for.
type response[T any] view[T]

// Format prints no token, for any verb.
func (w *response[T]) Format(f fmt.State, _ rune) { printView[T](f, w.x) }

// hijackable is response for HTTP/1, where connections can be taken over: there
// are handlers that ask for that by a type assertion.
type hijackable[T any] struct{ *response[T] }

// Header implements [http.ResponseWriter].
func (w *response[T]) Header() http.Header { return w.x.under.Header() }

// Unwrap is for [http.ResponseController], which finds the deadlines there.
func (w *response[T]) Unwrap() http.ResponseWriter { return w.x.under }

// begin is called before the first byte of a response with this status. The
// error says that another response was sent.
func (w *response[T]) begin(status int) error {
	x := w.x
	if x.begun {
		return x.failed()
	}
	x.begun, x.status = true, http.StatusInternalServerError // should anything panic here
	err := x.saveBefore(status)
	state := x.session.FixToken(true)
	if err != nil {
		removeBodyHeaders(w.Header())
	}
	x.announce(w.Header(), &state)
	x.urgent = state.TokenRenewed
	if err != nil {
		err = fmt.Errorf("httpsession: the response was not sent: %w", err)
		x.middleware.fail(x, x.under, x.within(x.request()), err)
		if x.extra == nil {
			x.extra = new(extra)
		}
		x.extra.failed = err
		return err
	}
	x.status = int16(status)
	return nil
}

// failed returns why the handler's response was replaced, or nil.
func (x *exchange[T]) failed() error {
	if x.extra == nil {
		return nil
	}
	return x.extra.failed
}

// saveBefore saves the session before a response with this status, if it is to be
// saved then.
func (x *exchange[T]) saveBefore(status int) error {
	if x.refused || status >= 500 {
		return nil
	}
	if !x.session.Pending() {
		x.renewIfDue()
		return nil
	}
	if x.context().Err() == nil {
		x.session.RenewIfDue()
	}
	switch state := x.session.Status(); {
	case state.Failed != nil && status >= 400: // the handler knows
		return nil
	case state.Failed != nil: // it may have been saved, and is not to be saved twice
		return state.Failed
	default:
		return x.save()
	}
}

// renewIfDue gives a session a new token to which nothing else is to be done. That
// it fails is no reason to fail the request. A client that has gone would not
// learn of the token.
func (x *exchange[T]) renewIfDue() {
	x.session.RenewIfDue()
	if !x.session.Pending() {
		return
	}
	m := x.middleware
	if x.context().Err() != nil || time.Now().UnixNano() < m.noRenewalBefore.Load() {
		x.session.Discard()
		return
	}
	err := x.save()
	if err == nil {
		return
	}
	x.session.Discard()
	if !errors.Is(err, coatcheck.ErrNotFound) { // it was ended since it was read: that happens
		m.noRenewalBefore.Store(time.Now().Add(renewalPause).UnixNano())
		x.logUnsaved(fmt.Errorf("token not renewed: %w", err))
	}
}

// renewalPause spares the readers that follow one whose renewal failed the wait for
// a store that may not answer.
const renewalPause = time.Second

// logUnsaved tells the log what no client is told.
func (x *exchange[T]) logUnsaved(err error) {
	if errors.Is(err, coatcheck.ErrUnavailable) {
		x.middleware.outage.Tell(x.context(), x.middleware.config.Logger, err)
	} else {
		x.middleware.config.Logger.ErrorContext(x.context(), "httpsession", "error", err)
	}
}

// announce tells the client and the caches in between what they must know of the
// session.
func (x *exchange[T]) announce(h http.Header, state *coatcheck.SessionStatus) {
	config := &x.middleware.config
	news := state.TokenChanged
	if !news && !state.Used {
		return
	}
	values := h["Cache-Control"] // as Get finds it, which is for names in other capitals, too
	said := len(values) > 0 && values[0] != ""
	x.addVary(h)
	switch {
	case !news && said:
		return
	case !news:
	case x.bearer:
		h.Set(config.TokenHeader, string(state.Token))
	default:
		config.setCookie(h, state)
	}
	if news { // caches of some networks heed these instead
		h.Del("Cdn-Cache-Control")
		h.Del("Surrogate-Control")
	}
	h["Cache-Control"] = noStore
}

// noStore, and a middleware's vary, are shared by all responses: [http.Header] replaces
// such slices, or appends to them, for which they have no room.
var noStore = []string{"no-store"}

func (x *exchange[T]) addVary(h http.Header) {
	vary := x.middleware.vary
	switch have := h["Vary"]; {
	case len(have) == 0:
		h["Vary"] = vary
	case !slices.Contains(have, vary[0]):
		h["Vary"] = append(have, vary[0])
	}
}

// removeBodyHeaders removes what does not hold for another body.
func removeBodyHeaders(h http.Header) {
	for _, name := range []string{
		"Accept-Ranges", "Cache-Control", "Cdn-Cache-Control", "Clear-Site-Data", "Content-Digest",
		"Content-Disposition", "Content-Encoding", "Content-Language", "Content-Length", "Content-Location",
		"Content-Range", "Content-Type", "Digest", "Etag", "Expires", "Last-Modified", "Location", "Refresh",
		"Repr-Digest", "Retry-After", "Surrogate-Control", "Trailer", "Www-Authenticate",
	} {
		h.Del(name)
	}
	maps.DeleteFunc(h, func(name string, _ []string) bool {
		return strings.HasPrefix(name, http.TrailerPrefix) || strings.HasPrefix(name, "Hx-") // of htmx, which acts on them
	})
}

// end is called when the handler has returned.
func (x *exchange[T]) end() {
	if !x.begun {
		_ = (*response[T])(&x.self).begin(http.StatusOK) // should it fail, the client was told
		return
	}
	if !x.session.Pending() || x.refused || x.failed() != nil || x.status >= 500 || x.session.Status().Failed != nil {
		return
	}
	if err := x.save(); err != nil {
		x.logUnsaved(fmt.Errorf("changed after the response had begun, and not saved: %w", err))
	}
}

// WriteHeader implements [http.ResponseWriter].
func (w *response[T]) WriteHeader(status int) {
	if status < 100 || status > 999 { // which it refuses, by a panic
		w.x.under.WriteHeader(status)
		return
	}
	// Others of 1xx may come before the response itself.
	informational := status >= 100 && status < 200 && status != http.StatusSwitchingProtocols
	if !informational && w.begin(status) != nil || w.x.failed() != nil {
		return
	}
	w.x.under.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *response[T]) Write(p []byte) (int, error) {
	if err := w.begin(http.StatusOK); err != nil {
		return 0, err
	}
	n, err := w.x.under.Write(p)
	return n, w.hurry(err)
}

// WriteString implements [io.StringWriter].
func (w *response[T]) WriteString(s string) (int, error) {
	if err := w.begin(http.StatusOK); err != nil {
		return 0, err
	}
	n, err := io.WriteString(w.x.under, s)
	return n, w.hurry(err)
}

// hurry sends what was written, if it brings the client a token in place of another:
// package net/http would keep it until there is more, for as long as the handler
// goes on, and the client would come with its old token when that has ended.
func (w *response[T]) hurry(err error) error {
	if !w.x.urgent || err != nil {
		return err
	}
	w.x.urgent = false
	if err := http.NewResponseController(w.x.under).Flush(); !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// ReadFrom implements [io.ReaderFrom], so that files go out by sendfile.
func (w *response[T]) ReadFrom(src io.Reader) (int64, error) {
	if err := w.begin(http.StatusOK); err != nil {
		return 0, err
	}
	return io.Copy(w.x.under, src)
}

// FlushError is Flush for [http.ResponseController].
func (w *response[T]) FlushError() error {
	if err := w.begin(http.StatusOK); err != nil {
		return err
	}
	return http.NewResponseController(w.x.under).Flush()
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
	conn, rw, err := http.NewResponseController(w.x.under).Hijack()
	switch {
	case w.x.begun:
	case err == nil:
		w.x.begun, w.x.status = true, http.StatusSwitchingProtocols
	default: // the handler goes on to answer in another way
		w.x.session.FixToken(false)
	}
	return conn, rw, err
}

func (w *response[T]) prepareHijack() error {
	x := w.x
	if x.begun {
		return x.failed()
	}
	state := x.session.FixToken(true)
	err := state.Failed
	if state.TokenChanged && state.Token != "" {
		err = coatcheck.ErrTokenFixed
	} else if err == nil && state.Pending {
		err = x.save()
	}
	if err != nil {
		x.session.FixToken(false)
		return fmt.Errorf("httpsession: hijack: %w", err)
	}
	return nil
}

// CloseNotify implements http.CloseNotifier, which is deprecated: it is there for
// frameworks that still demand it of every writer. Each call makes a channel, for it may
// come from another goroutine than the handler's.
func (w *response[T]) CloseNotify() <-chan bool {
	gone := make(chan bool, 1)
	context.AfterFunc(w.x.context(), func() { gone <- true })
	return gone
}
