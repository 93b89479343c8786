package coatchecktest_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/coatchecktest"
	"github.com/coatcheck/coatcheck/httpsession"
)

// A handler is tested with a request that is signed in.
func ExampleSignIn() {
	var t *testing.T // of the test that this stands in

	manager := coatchecktest.New(t, coatcheck.Config[visit]{})
	sessions := coatchecktest.NewMiddleware(t, manager, httpsession.Config{})
	account := sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if info, err := sessions.From(r.Context()).Info(r.Context()); err != nil || info.Subject == "" {
			http.Redirect(w, r, "/signin", http.StatusSeeOther)
		}
	}))

	request, recorder := httptest.NewRequest("GET", "/account", nil), httptest.NewRecorder()
	coatchecktest.SignIn(t, sessions, request, visit{}, coatcheck.ForSubject("alice"))
	account.ServeHTTP(recorder, request)
	if recorder.Code != http.StatusOK {
		t.Errorf("a signed-in user gets %d", recorder.Code)
	}
}
