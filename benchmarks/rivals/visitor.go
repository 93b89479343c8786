package rivals

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// visitor is a Client of a handler without a network in between: it makes the same
// request again and again, keeps one cookie, and is its own ResponseWriter.
type visitor struct {
	handler http.Handler
	cookie  []string // the line of the header Cookie; nil without a session

	request *http.Request // what each request begins as
	current http.Request

	header http.Header
	status int
	body   []byte
}

var pageURLs = map[string]*url.URL{
	"/create": {Path: "/create"},
	"/read":   {Path: "/read"},
	"/change": {Path: "/change"},
	"/logout": {Path: "/logout"},
}

func newVisitor(handler http.Handler) *visitor {
	return &visitor{
		handler: handler,
		request: &http.Request{
			Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header:     http.Header{},
			Body:       http.NoBody,
			Host:       "localhost",
			RemoteAddr: "127.0.0.1:1",
		},
		header: http.Header{},
	}
}

func (v *visitor) Create() error {
	v.cookie = nil
	return v.do(http.MethodPost, "/create")
}

func (v *visitor) Read() error   { return v.do(http.MethodGet, "/read") }
func (v *visitor) Change() error { return v.do(http.MethodPost, "/change") }
func (v *visitor) Logout() error { return v.do(http.MethodPost, "/logout") }

// do starts from a fresh request and an empty header each time: some subjects leave
// the session in the one, and add to the other.
func (v *visitor) do(method, page string) error {
	clear(v.request.Header)
	if v.cookie != nil {
		v.request.Header["Cookie"] = v.cookie
	}
	v.current = *v.request
	v.current.Method, v.current.URL, v.current.RequestURI = method, pageURLs[page], page
	clear(v.header)
	v.status, v.body = 0, v.body[:0]

	v.handler.ServeHTTP(v, &v.current)

	if set := v.header["Set-Cookie"]; len(set) > 0 {
		if err := v.adopt(set); err != nil {
			return fmt.Errorf("%s: %w", page, err)
		}
	}
	return verdict(page, v.status, v.body)
}

// adopt does with the cookie what a browser would.
func (v *visitor) adopt(lines []string) error {
	if len(lines) > 1 {
		return fmt.Errorf("%d cookies in one response: want one", len(lines))
	}
	set, err := http.ParseSetCookie(lines[0])
	if err != nil {
		return fmt.Errorf("cookie of the response: %w", err)
	}
	if set.MaxAge < 0 || !set.Expires.IsZero() && set.Expires.Before(time.Now()) {
		v.cookie = nil
	} else {
		v.cookie = []string{set.Name + "=" + set.Value}
	}
	return nil
}

// verdict returns an error if the response is not the one it should be.
func verdict(page string, status int, body []byte) error {
	switch {
	case status == http.StatusUnauthorized:
		return ErrMissing
	case status != http.StatusOK || string(body) != "ok":
		return fmt.Errorf("%s: status %d: %s", page, status, bytes.TrimSpace(body))
	}
	return nil
}

func (v *visitor) Header() http.Header { return v.header }

func (v *visitor) WriteHeader(status int) {
	if v.status == 0 {
		v.status = status
	}
}

func (v *visitor) Write(p []byte) (int, error) {
	v.WriteHeader(http.StatusOK)
	v.body = append(v.body, p...)
	return len(p), nil
}
