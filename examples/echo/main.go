// Command echo counts the visits of each visitor, on Echo.
package main

import (
	"fmt"
	"log"
	"net/http"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/httpsession"
	"github.com/coatcheck/coatcheck/memstore"
	"github.com/labstack/echo/v5"
)

type Visit struct{ Count int }

func handler(sessions *httpsession.Middleware[Visit]) http.Handler {
	e := echo.New()
	e.GET("/", func(c *echo.Context) error {
		ctx := c.Request().Context()
		session := sessions.From(ctx)
		if err := session.Change(ctx, func(v *Visit) error { v.Count++; return nil }); err != nil {
			sessions.Error(c.Response(), c.Request(), err)
			return nil
		}
		visit, _ := session.Get(ctx) // which cannot fail after Change
		return c.String(http.StatusOK, fmt.Sprintf("visit %d\n", visit.Count))
	})
	// Around all of it, and not by Use: Echo answers errors only after its
	// middleware, and a request that fails should change no session.
	return sessions.Handler(e)
}

func main() {
	store, err := memstore.New(memstore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	manager, err := coatcheck.New(coatcheck.Config[Visit]{Store: store})
	if err != nil {
		log.Fatal(err)
	}
	sessions, err := httpsession.New(manager, httpsession.Config{})
	if err != nil {
		log.Fatal(err)
	}
	log.Println("listening on http://127.0.0.1:8080")
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", handler(sessions)))
}
