package httpsession_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/coatchecktest"
	"github.com/coatcheck/coatcheck/httpsession"
)

// A request with the token from before a login must not undo it: by a new session,
// whose cookie would take the place of the one that the login has given out.
func TestLateRequestDoesNotUndoALogin(t *testing.T) {
	for name, method := range map[string]string{"change": "/change", "read": "/read", "login": "/login"} {
		t.Run(name, func(t *testing.T) {
			manager := coatchecktest.New(t, coatcheck.Config[coatcheck.Attributes]{})
			sessions := coatchecktest.NewMiddleware(t, manager, httpsession.Config{})
			app := sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var err error
				switch session := sessions.From(r.Context()); r.URL.Path {
				case "/change":
					err = coatcheck.SetAttr(r.Context(), session, "visit", 1)
				case "/read":
					_, _, err = coatcheck.Attr[int](r.Context(), session, "visit")
				case "/login":
					err = session.SetSubject("alice")
				}
				if err != nil {
					sessions.Error(w, r, err)
				}
			}))
			call := func(path string, token coatcheck.Token) *http.Response {
				r, w := httptest.NewRequest("POST", path, nil), httptest.NewRecorder()
				sessions.Attach(r, token)
				app.ServeHTTP(w, r)
				return w.Result()
			}
			before, err := manager.Generate(t.Context(), coatcheck.Attributes{"visit": []byte("1")})
			if err != nil {
				t.Fatal(err)
			}
			login := call("/login", before)
			if len(login.Cookies()) != 1 {
				t.Fatal("the login gives no cookie")
			}
			late := call(method, before)
			switch {
			case name == "change" && late.StatusCode != http.StatusUnauthorized,
				name != "change" && late.StatusCode != http.StatusOK:
				t.Errorf("status %d", late.StatusCode)
			case (len(late.Cookies()) == 1) != (name == "login"): // whoever proves who he is gets in
				t.Errorf("cookies %v", late.Header["Set-Cookie"])
			}
			after := coatcheck.Token(login.Cookies()[0].Value)
			if _, info, err := manager.Lookup(t.Context(), after); err != nil || info.Subject != "alice" {
				t.Errorf("of the login is left: %+v, %v", info, err)
			}
		})
	}
}
