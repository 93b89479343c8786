package main

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// lookEvery is how often an event stream looks at its session: it can be often,
// for that is read from memory.
const lookEvery = 100 * time.Millisecond

func (s *shop) live(w http.ResponseWriter, r *http.Request, session *Session) error {
	return s.show(w, r, session, http.StatusOK, "live", page{})
}

// liveEvents sends the cart, as HTML, whenever it has changed: in this or another
// tab, by this or another process.
func (s *shop) liveEvents(w http.ResponseWriter, r *http.Request, session *Session) error {
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for sent := ""; ; {
		session.Reload() // or it would stay as it was when first read
		visit, err := session.Get(r.Context())
		if err != nil && sent == "" {
			return err
		}
		if err != nil {
			return nil // it is too late to say so, but the browser will ask again
		}
		if cart := liveCart(visit); cart != sent {
			fmt.Fprintf(w, "retry: 1000\ndata: %s\n\n", strings.ReplaceAll(cart, "\n", "\ndata: "))
			if out.Flush() != nil {
				return nil
			}
			sent = cart
		}
		// Is there a session behind the token, still? A sign-in elsewhere has
		// changed the token: have the browser come back with the new one.
		if info, err := session.Info(r.Context()); err != nil || info.ID == "" {
			return nil
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return nil
		case <-s.Closing:
			return nil
		}
	}
}

func liveCart(visit Visit) string {
	var html bytes.Buffer
	if err := pages["live"].ExecuteTemplate(&html, "lines", visit); err != nil {
		panic(err) // the live page would not be there, either
	}
	return strings.TrimSpace(html.String())
}
