package rivals

import (
	"errors"
	"net/http"
)

// site is what a subject does for each of the four pages, with the library's calls
// alone. read and change return ErrMissing where there is no session.
type site interface {
	create(http.ResponseWriter, *http.Request) error
	read(http.ResponseWriter, *http.Request) (Profile, error)
	change(http.ResponseWriter, *http.Request) error
	logout(http.ResponseWriter, *http.Request) error
}

// pages serves a site of net/http. It has no router, which would cost as much as
// some of the reads.
type pages struct {
	site site
	env  Env
}

func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer(w, serve(p.site, &p.env, w, r))
}

// serve is for a site that may be there for this request only, and in no memory of its
// own.
func serve[S site](s S, env *Env, w http.ResponseWriter, r *http.Request) error {
	switch {
	case r.Method == http.MethodGet && r.URL.Path == "/read":
		value, err := s.read(w, r)
		if err != nil {
			return err
		}
		return env.check(value)
	case r.Method == http.MethodPost && r.URL.Path == "/create":
		return s.create(w, r)
	case r.Method == http.MethodPost && r.URL.Path == "/change":
		return s.change(w, r)
	case r.Method == http.MethodPost && r.URL.Path == "/logout":
		return s.logout(w, r)
	}
	return errNoPage
}

var errNoPage = errors.New("rivals: no such page")

// status is that of a response to a request that came to err.
func status(err error) int {
	switch {
	case err == nil:
		return http.StatusOK
	case errors.Is(err, ErrMissing):
		return http.StatusUnauthorized
	case errors.Is(err, errNoPage):
		return http.StatusNotFound
	}
	return http.StatusInternalServerError
}

var okBody = []byte("ok")

func answer(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, err.Error(), status(err))
		return
	}
	_, _ = w.Write(okBody) // fails only if the client has gone
}

// webApp is a Web of a handler.
type webApp struct {
	http.Handler
	close func() error
}

func (a *webApp) Client() Client { return newVisitor(a.Handler) }
func (a *webApp) Close() error   { return a.close() }
