// Command gin counts the visits of each visitor, on Gin.
package main

import (
	"log"
	"net/http"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/httpsession"
	"github.com/coatcheck/coatcheck/memstore"
	"github.com/gin-gonic/gin"
)

type Visit struct{ Count int }

func handler(sessions *httpsession.Middleware[Visit]) http.Handler {
	router := gin.Default()
	router.GET("/", func(c *gin.Context) {
		ctx := c.Request.Context()
		session := sessions.From(ctx)
		if err := session.Change(ctx, func(v *Visit) error { v.Count++; return nil }); err != nil {
			sessions.Error(c.Writer, c.Request, err)
			return
		}
		visit, _ := session.Get(ctx) // which cannot fail after Change
		c.String(http.StatusOK, "visit %d\n", visit.Count)
	})
	return sessions.Handler(router) // around all of it: Gin takes middleware of its own kind only
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
