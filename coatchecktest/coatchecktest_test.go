package coatchecktest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/coatchecktest"
	"github.com/coatcheck/coatcheck/httpsession"
)

type visit struct{ Count int }

// counter is an application: it counts the visits of each client, and greets who
// is signed in.
func counter(sessions *httpsession.Middleware[visit]) http.Handler {
	return sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, session := r.Context(), sessions.From(r.Context())
		err := session.Change(ctx, func(v *visit) error { v.Count++; return nil })
		v, _ := session.Get(ctx)
		info, _ := session.Info(ctx)
		if err != nil {
			sessions.Error(w, r, err)
			return
		}
		fmt.Fprintf(w, "%s %d", info.Subject, v.Count)
	}))
}

func get(t *testing.T, client *http.Client, path string) string {
	t.Helper()
	response, err := client.Get(coatchecktest.BaseURL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestClientsKeepTheirCookies(t *testing.T) {
	sessions := coatchecktest.NewMiddleware(t, coatchecktest.New(t, coatcheck.Config[visit]{}), httpsession.Config{})
	app := counter(sessions)
	alice, bob := coatchecktest.NewClient(app), coatchecktest.NewClient(app)
	for _, visit := range []struct {
		client *http.Client
		want   string
	}{{alice, " 1"}, {alice, " 2"}, {bob, " 1"}, {alice, " 3"}} {
		if got := get(t, visit.client, "/"); got != visit.want {
			t.Errorf("got %q, want %q", got, visit.want)
		}
	}
}

func TestSignedInRequest(t *testing.T) {
	for name, config := range map[string]httpsession.Config{"cookie": {}, "bearer": {Transport: httpsession.Bearer}} {
		t.Run(name, func(t *testing.T) {
			sessions := coatchecktest.NewMiddleware(t, coatchecktest.New(t, coatcheck.Config[visit]{}), config)
			request := httptest.NewRequest("GET", "/", nil)
			token := coatchecktest.SignIn(t, sessions, request, visit{41}, coatcheck.ForSubject("alice"))
			recorder := httptest.NewRecorder()
			counter(sessions).ServeHTTP(recorder, request)
			if got := recorder.Body.String(); got != "alice 42" {
				t.Errorf("got %q", got)
			}
			if v, err := sessions.Manager().Get(t.Context(), token); err != nil || v.Count != 42 {
				t.Errorf("got %v, %v", v, err)
			}
		})
	}
}

func TestTimePassesOnCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		manager := coatchecktest.New(t, coatcheck.Config[visit]{IdleTimeout: time.Hour})
		sessions := coatchecktest.NewMiddleware(t, manager, httpsession.Config{Persistent: true})
		client := coatchecktest.NewClient(counter(sessions))
		for i, step := range []struct {
			after time.Duration
			want  string
		}{{0, " 1"}, {59 * time.Minute, " 2"}, {59 * time.Minute, " 3"}, {time.Hour, " 1"}, {100 * 365 * 24 * time.Hour, " 1"}} {
			coatchecktest.Advance(t, step.after)
			if got := get(t, client, "/"); got != step.want {
				t.Errorf("step %d: got %q, want %q", i, got, step.want)
			}
		}
	})
}

// failure stands in for a test that is ended.
type failure struct {
	testing.TB
	text string
}

func (f *failure) Helper() {}

func (f *failure) Fatal(args ...any) {
	f.text = fmt.Sprint(args...)
	panic(f)
}

func ended(t *testing.T, call func(testing.TB)) (text string) {
	t.Helper()
	f := &failure{TB: t}
	defer func() {
		if recover() != any(f) {
			t.Error("the test goes on")
		}
		text = f.text
	}()
	call(f)
	return ""
}

func TestMisuseEndsTheTest(t *testing.T) {
	began := time.Now()
	for want, call := range map[string]func(testing.TB){
		"synctest.Test":  func(t testing.TB) { coatchecktest.Advance(t, time.Hour) },
		"IdleTimeout":    func(t testing.TB) { coatchecktest.New(t, coatcheck.Config[visit]{IdleTimeout: -1}) },
		"manager is nil": func(t testing.TB) { coatchecktest.NewMiddleware[visit](t, nil, httpsession.Config{}) },
		"subject must be": func(t testing.TB) {
			sessions := coatchecktest.NewMiddleware(t, coatchecktest.New(t, coatcheck.Config[visit]{}), httpsession.Config{})
			coatchecktest.SignIn(t, sessions, httptest.NewRequest("GET", "/", nil), visit{}, coatcheck.ForSubject("\xff"))
		},
	} {
		if text := ended(t, call); !strings.Contains(text, want) {
			t.Errorf("ended with %q, want %q in it", text, want)
		}
	}
	if time.Since(began) > 30*time.Minute {
		t.Error("Advance has waited")
	}
}

func TestClientSeesWhatAServerWould(t *testing.T) {
	client := coatchecktest.NewClient(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/abort":
			panic(http.ErrAbortHandler)
		case "/panic":
			panic("a bug")
		case "/redirect":
			http.Redirect(w, r, "/echo?q=1", http.StatusSeeOther)
		default:
			fmt.Fprintf(w, "%s %s %s %s %t %d", r.Method, r.Host, r.RequestURI, body, r.TLS != nil, r.ContentLength)
		}
	}))
	response, err := client.Post(coatchecktest.BaseURL+"/echo", "text/plain", strings.NewReader("hi"))
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(response.Body); string(body) != "POST app.test /echo hi true 2" {
		t.Errorf("got %s", body)
	}
	if got := get(t, client, "/redirect"); got != "GET app.test /echo?q=1  true 0" {
		t.Errorf("got %s", got)
	}
	if _, err := client.Get(coatchecktest.BaseURL + "/abort"); err == nil {
		t.Error("an aborted response is none")
	}
	defer func() {
		if recover() != "a bug" {
			t.Error("a panic of the handler is hidden")
		}
	}()
	_, err = client.Get(coatchecktest.BaseURL + "/panic")
	t.Error(errors.Join(errors.New("a panic is an answer"), err))
}

// What a handler leaves behind must not go on with the request's context, which
// ends.
func TestContextEndsWithTheHandler(t *testing.T) {
	var left context.Context
	client := coatchecktest.NewClient(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		left = r.Context()
		if left.Err() != nil {
			t.Error("it has ended before")
		}
	}))
	get(t, client, "/")
	if left.Err() == nil {
		t.Error("it goes on")
	}
}
