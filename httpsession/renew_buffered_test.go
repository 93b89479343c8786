package httpsession_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/coatchecktest"
	"github.com/coatcheck/coatcheck/httpsession"
	"github.com/coatcheck/coatcheck/memstore"
)

// A renewed token goes into the headers at the first byte, but net/http keeps these
// in its buffer until there is more, or the handler returns. A handler that writes a
// little and then works for longer than the grace has the client stay with a token
// that is taken for stolen.
func TestRenewedTokenLeavesWithTheFirstByte(t *testing.T) {
	store, err := memstore.New(memstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	manager := coatchecktest.New(t, coatcheck.Config[struct{ N int }]{Store: store, RenewEvery: 2 * coatcheck.DefaultRenewGrace})
	sessions := coatchecktest.NewMiddleware(t, manager, httpsession.Config{})
	wrote, done := make(chan bool), make(chan bool)
	server := httptest.NewServer(sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := sessions.From(r.Context()).Get(r.Context()); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, "please wait ")
		if r.URL.Path == "/report" {
			close(wrote)
			<-done
		}
	})))
	defer server.Close()
	token, err := manager.Generate(t.Context(), struct{ N int }{1})
	if err != nil {
		t.Fatal(err)
	}
	aged, err := store.Load(t.Context(), token.ID())
	if err != nil {
		t.Fatal(err)
	}
	aged.CreatedAt, aged.Rev = aged.CreatedAt.Add(-time.Hour), aged.Rev+1
	if err := store.Update(t.Context(), aged); err != nil {
		t.Fatal(err)
	}
	request, _ := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/report", nil)
	sessions.Attach(request, token)
	answered := make(chan *http.Response, 1)
	go func() {
		res, err := server.Client().Do(request)
		if err != nil {
			t.Error(err)
		}
		answered <- res
	}()
	<-wrote
	select {
	case res := <-answered:
		_ = res.Body.Close()
		answered <- res
	case <-time.After(30 * time.Second):
		t.Error("the client has not been told of its new token, although the response has begun")
	}
	close(done)
	if res := <-answered; res != nil {
		_ = res.Body.Close()
	}
}

// A client that gets its first token waits for nothing: the response goes out whole, as
// net/http sends small ones, with its length.
func TestFirstTokenLeavesWithTheResponse(t *testing.T) {
	sessions := coatchecktest.NewMiddleware(t, coatchecktest.New(t, coatcheck.Config[struct{ N int }]{}), httpsession.Config{})
	server := httptest.NewServer(sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := sessions.From(r.Context()).Change(r.Context(), func(v *struct{ N int }) error { v.N++; return nil })
		if err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, "welcome")
	})))
	defer server.Close()
	request, _ := http.NewRequestWithContext(t.Context(), "GET", server.URL, nil)
	res, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if len(res.Cookies()) != 1 || res.ContentLength != int64(len("welcome")) {
		t.Errorf("%d cookies, length %d; want one, and the whole response at once", len(res.Cookies()), res.ContentLength)
	}
}
