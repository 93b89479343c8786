package main

import (
	"io"
	"testing"

	"github.com/coatcheck/coatcheck/examples/internal/visitor"
	"github.com/gin-gonic/gin"
)

func TestCounts(t *testing.T) {
	visitor.Counts(t, handler(visitor.Sessions[Visit](t)))
}

func TestStreams(t *testing.T) {
	sessions := visitor.Sessions[Visit](t)
	next := make(chan bool)
	router := gin.New()
	router.GET("/stream", func(c *gin.Context) {
		ctx := c.Request.Context()
		if err := sessions.From(ctx).Change(ctx, func(v *Visit) error { v.Count++; return nil }); err != nil {
			t.Error(err)
		}
		sent := 0
		c.Stream(func(io.Writer) bool {
			if sent > 0 {
				select {
				case <-next:
				case <-ctx.Done():
				}
			}
			c.SSEvent("", sent)
			sent++
			return sent < 2
		})
	})
	visitor.Streams(t, sessions.Handler(router), func() { next <- true }, "data:0", "data:1")
}
