package httpsession_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/coatchecktest"
	"github.com/coatcheck/coatcheck/httpsession"
)

// The client is that of the request as it came in: what a handler further in makes
// of headers that anybody can send (as chi's RealIP does) is not recorded, and the
// headers are not read while it changes them.
func TestClientIsThatOfTheRequestAsItCame(t *testing.T) {
	manager := coatchecktest.New(t, coatcheck.Config[struct{ N int }]{})
	sessions := coatchecktest.NewMiddleware(t, manager, httpsession.Config{RecordAddress: true, RecordUserAgent: true})
	realIP := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.RemoteAddr = r.Header.Get("X-Forwarded-For")
			r.Header.Set("User-Agent", "another")
			next.ServeHTTP(w, r)
		})
	}
	var got coatcheck.Client
	handler := sessions.Handler(realIP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := sessions.From(r.Context())
		if err := s.Change(r.Context(), func(v *struct{ N int }) error { v.N++; return nil }); err != nil {
			t.Error(err)
		}
		if err := s.Flush(r.Context()); err != nil {
			t.Error(err)
		}
		info, err := s.Info(r.Context())
		if err != nil {
			t.Error(err)
		}
		got = info.Client
	})))
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "192.0.2.1:1234"
	r.Header.Set("User-Agent", "mine")
	r.Header.Set("X-Forwarded-For", "6.6.6.6:1")
	handler.ServeHTTP(httptest.NewRecorder(), r)
	if want := (coatcheck.Client{Address: "192.0.2.1", UserAgent: "mine"}); got != want {
		t.Errorf("recorded %+v, want %+v", got, want)
	}
}
