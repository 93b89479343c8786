package main

import (
	"errors"
	"net/http"
	"testing"

	"github.com/coatcheck/coatcheck/examples/internal/visitor"
	"github.com/labstack/echo/v5"
)

func TestCounts(t *testing.T) {
	visitor.Counts(t, handler(visitor.Sessions[Visit](t)))
}

func TestStreams(t *testing.T) {
	sessions := visitor.Sessions[Visit](t)
	next := make(chan bool)
	e := echo.New()
	e.GET("/stream", func(c *echo.Context) error {
		ctx := c.Request().Context()
		if err := sessions.From(ctx).Change(ctx, func(v *Visit) error { v.Count++; return nil }); err != nil {
			return err
		}
		if _, err := c.Response().Write([]byte("one\n")); err != nil {
			return err
		}
		c.Response().(http.Flusher).Flush()
		select {
		case <-next:
		case <-ctx.Done():
		}
		_, err := c.Response().Write([]byte("two\n"))
		return err
	})
	visitor.Streams(t, sessions.Handler(e), func() { next <- true }, "one", "two")
}

// Echo answers an error after its middleware: what the comment in handler says
// of Use.
func TestErrorChangesNothing(t *testing.T) {
	sessions := visitor.Sessions[Visit](t)
	e := echo.New()
	e.GET("/fail", func(c *echo.Context) error {
		ctx := c.Request().Context()
		if err := sessions.From(ctx).Change(ctx, func(v *Visit) error { v.Count++; return nil }); err != nil {
			return err
		}
		return errors.New("out of order")
	})
	e.GET("/", func(c *echo.Context) error {
		visit, err := sessions.From(c.Request().Context()).Get(c.Request().Context())
		if err != nil {
			return err
		}
		return c.JSON(http.StatusOK, visit.Count)
	})
	v := visitor.New(t, sessions.Handler(e))
	if status, _ := v.Get(t, "/fail"); status != http.StatusInternalServerError {
		t.Errorf("status %d, want 500", status)
	}
	if _, got := v.Get(t, "/"); got != "0\n" {
		t.Errorf("the count is %q after a request that failed", got)
	}
}
