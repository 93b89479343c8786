package coatchecktest

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
)

// BaseURL is where the handler of a [NewClient] answers, as it does anywhere else.
// It is https, without which no client sends secure cookies.
const BaseURL = "https://app.test"

// NewClient returns a client that keeps cookies as package cookiejar does, and whose
// requests go to the handler without a network, so that it can be used in a synctest
// bubble. It follows redirects. The handler has returned when the client has the response; to
// test how one streams, use [httptest.NewTLSServer] and its client, with a jar. Each
// client is somebody else.
func NewClient(handler http.Handler) *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // it has no way to fail
	}
	return &http.Client{Transport: direct{handler}, Jar: jar}
}

var errAborted = errors.New("coatchecktest: the handler aborted the response")

type direct struct{ handler http.Handler }

// RoundTrip implements [http.RoundTripper].
func (d direct) RoundTrip(r *http.Request) (response *http.Response, err error) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel() // as a server does when the handler returns
	in := httptest.NewRequestWithContext(ctx, r.Method, r.URL.RequestURI(), r.Body)
	in.Header = r.Header.Clone()
	in.ContentLength = r.ContentLength
	in.TransferEncoding = r.TransferEncoding
	in.Host = cmp.Or(r.Host, r.URL.Host)
	if r.URL.Scheme == "https" {
		in.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true, ServerName: r.URL.Hostname()}
	}
	if r.Body != nil {
		defer r.Body.Close()
	}
	defer func() {
		if failure := recover(); failure == http.ErrAbortHandler { // net/http cuts the connection then
			response, err = nil, errAborted
		} else if failure != nil {
			panic(failure)
		}
	}()
	recorder := httptest.NewRecorder()
	d.handler.ServeHTTP(recorder, in)
	response = recorder.Result()
	response.Request = r
	return response, nil
}
