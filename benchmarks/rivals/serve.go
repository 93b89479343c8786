package rivals

import (
	"errors"
	"fmt"
	"net"
	"net/http"
)

// server is an App that serves a listener itself, until that is closed.
type server interface {
	Serve(net.Listener) error
}

// Serve has an App answer requests over HTTP until the listener is closed, and then
// ends the connections. Floors do not speak HTTP.
func Serve(app App, l net.Listener) error {
	switch app := app.(type) {
	case server:
		return app.Serve(l)
	case Web:
		s := &http.Server{Handler: app}
		if err := s.Serve(l); !errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("serve: %w", err)
		}
		return s.Close()
	}
	return fmt.Errorf("serve: %T does not speak HTTP", app)
}
