package rivals

import (
	"net/http"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// TestClientsAllocateNothing makes sure that what a read allocates is the subject's.
func TestClientsAllocateNothing(t *testing.T) {
	session := &http.Cookie{Name: "session", Value: "1"}
	plain := newVisitor(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			http.SetCookie(w, session)
		}
		answer(w, nil)
	}))
	fast := newFastVisitor(func(ctx *fasthttp.RequestCtx) {
		if ctx.IsPost() {
			ctx.Response.Header.Add("Set-Cookie", session.String())
		}
		ctx.SetBody(okBody)
	})
	for name, client := range map[string]Client{"visitor": plain, "fastVisitor": fast} {
		must(t, client.Create, client.Read)
		if n := testing.AllocsPerRun(100, func() { must(t, client.Read) }); n != 0 {
			t.Errorf("%s: %v allocations a read, want none", name, n)
		}
	}
}

// TestVisitorKeepsCookie makes sure that both clients show the cookie that they were
// given last, until it is taken from them.
func TestVisitorKeepsCookie(t *testing.T) {
	var set, shown string
	plain := newVisitor(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown = r.Header.Get("Cookie")
		if set != "" {
			w.Header().Set("Set-Cookie", set)
		}
		answer(w, nil)
	}))
	fast := newFastVisitor(func(ctx *fasthttp.RequestCtx) {
		shown = string(ctx.Request.Header.Peek("Cookie"))
		if set != "" {
			ctx.Response.Header.Set("Set-Cookie", set)
		}
		ctx.SetBody(okBody)
	})
	past := time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)
	for name, client := range map[string]Client{"visitor": plain, "fastVisitor": fast} {
		for _, step := range []struct{ set, want string }{
			{"", ""},
			{"a=1; Path=/; Secure", "a=1"},
			{"", "a=1"},
			{"a=2; Max-Age=60", "a=2"},
			{"a=; Max-Age=0", ""},
			{"b=3", "b=3"},
			{"b=; Expires=" + past, ""},
		} {
			set = step.set
			must(t, client.Read)
			set = ""
			must(t, client.Read)
			if shown != step.want {
				t.Errorf("%s: after %q it shows %q, want %q", name, step.set, shown, step.want)
			}
		}
		set = "a=1"
		must(t, client.Read, client.Create)
		if shown != "" {
			t.Errorf("%s: a new session begins with the cookie %q", name, shown)
		}
	}
}
