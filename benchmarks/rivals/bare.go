package rivals

import "net/http"

var bareHandler = Subject{
	Name:       "bare",
	Configured: "the handler alone",
	Reads:      "nobody; nothing",
	Gives:      "no session: what the handler and its client cost",
	Open: func(env Env) (App, error) {
		return &webApp{&pages{bareSite{env.Value}, env}, func() error { return nil }}, nil
	},
}

type bareSite struct{ value Profile }

func (bareSite) create(http.ResponseWriter, *http.Request) error            { return nil }
func (s bareSite) read(http.ResponseWriter, *http.Request) (Profile, error) { return s.value, nil }
func (bareSite) change(http.ResponseWriter, *http.Request) error            { return nil }
func (bareSite) logout(http.ResponseWriter, *http.Request) error            { return nil }
