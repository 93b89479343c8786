package rivals

import (
	"fmt"

	"github.com/valyala/fasthttp"
)

// fastVisitor is what visitor is, for a handler of fasthttp.
type fastVisitor struct {
	handler fasthttp.RequestHandler
	cookie  fasthttp.Cookie // without a value if there is no session
	request fasthttp.Request
	ctx     fasthttp.RequestCtx
}

func newFastVisitor(handler fasthttp.RequestHandler) *fastVisitor {
	v := &fastVisitor{handler: handler}
	v.request.Header.SetHost("localhost")
	v.ctx.Init(&v.request, nil, nil)
	return v
}

func (v *fastVisitor) Create() error {
	v.cookie.Reset()
	return v.do(fasthttp.MethodPost, "/create")
}

func (v *fastVisitor) Read() error   { return v.do(fasthttp.MethodGet, "/read") }
func (v *fastVisitor) Change() error { return v.do(fasthttp.MethodPost, "/change") }
func (v *fastVisitor) Logout() error { return v.do(fasthttp.MethodPost, "/logout") }

// do resets as fasthttp's server does between two requests of a connection.
func (v *fastVisitor) do(method, page string) error {
	v.request.Header.SetMethod(method)
	v.request.SetRequestURI(page)
	v.request.Header.DelAllCookies()
	if value := v.cookie.Value(); len(value) > 0 {
		v.request.Header.SetCookieBytesKV(v.cookie.Key(), value)
	}
	v.ctx.ResetUserValues()
	v.request.CopyTo(&v.ctx.Request)
	v.ctx.Response.Reset()

	v.handler(&v.ctx)

	for _, line := range v.ctx.Response.Header.Cookies() {
		if err := v.cookie.ParseBytes(line); err != nil {
			return fmt.Errorf("%s: cookie of the response: %w", page, err)
		}
	}
	return verdict(page, v.ctx.Response.StatusCode(), v.ctx.Response.Body())
}
