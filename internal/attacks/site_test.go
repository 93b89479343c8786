package attacks

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/httpsession"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// account is what a session of the site holds.
type account struct {
	Note string `json:"note"`
}

// site is a web site as its users, and its attackers, see it: anybody can leave a
// note, and sign in by giving a name.
type site struct {
	*httptest.Server
	t       testing.TB
	manager *coatcheck.Manager[account]
	log     *lockedBuffer
}

const cookieName = "session"

// startSite serves sessions that are kept in store. A handler may be nil.
func startSite(t testing.TB, config coatcheck.Config[account], slow http.HandlerFunc) *site {
	t.Helper()
	s := &site{t: t, log: new(lockedBuffer)}
	logger := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	config.Logger, config.OnEvent = logger, coatcheck.LogEvents(logger)
	if config.Store == nil {
		config.Store = memory(t)
	}
	var err error
	if s.manager, err = coatcheck.New(config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.manager.Close() })
	sessions, err := httpsession.New(s.manager, httpsession.Config{
		InsecureCookie: true, // these tests are without TLS
		Logger:         logger, RecordUserAgent: true, RecordAddress: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	answer := func(w http.ResponseWriter, r *http.Request, err error) {
		if err != nil {
			sessions.Error(w, r, err)
			return
		}
		value, info, err := sessions.From(r.Context()).Lookup(r.Context())
		if err != nil {
			sessions.Error(w, r, err)
			return
		}
		_, _ = io.WriteString(w, info.Subject+"|"+value.Note)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) { answer(w, r, nil) })
	mux.HandleFunc("POST /note", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, sessions.From(r.Context()).Change(r.Context(), func(a *account) error {
			a.Note = r.FormValue("note")
			return nil
		}))
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, sessions.From(r.Context()).SetSubject(r.FormValue("name")))
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, sessions.From(r.Context()).Destroy(r.Context()))
	})
	if slow != nil {
		mux.HandleFunc("POST /slow", func(w http.ResponseWriter, r *http.Request) {
			err := sessions.From(r.Context()).Change(r.Context(), func(a *account) error {
				a.Note = "back again"
				return nil
			})
			slow(w, r)
			answer(w, r, err)
		})
	}
	s.Server = httptest.NewServer(sessions.Handler(mux))
	t.Cleanup(s.Close)
	return s
}

// browser is somebody's, with one cookie.
type browser struct {
	site   *site
	cookie string
}

// post sends a form, and get without one asks for the page.
func (b *browser) send(method, path, form string) (status int, body string) {
	b.site.t.Helper()
	r, err := http.NewRequestWithContext(b.site.t.Context(), method, b.site.URL+path, strings.NewReader(form))
	if err != nil {
		b.site.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if b.cookie != "" {
		r.Header.Set("Cookie", cookieName+"="+b.cookie)
	}
	response, err := b.site.Client().Do(r)
	if err != nil {
		b.site.t.Fatal(err)
	}
	defer response.Body.Close()
	for _, c := range response.Cookies() {
		if c.Name == cookieName {
			b.cookie = c.Value
		}
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		b.site.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func (b *browser) get() string {
	_, body := b.send("GET", "/", "")
	return body
}

// want fails the test unless the browser is shown this page.
func (b *browser) want(what, page string) {
	b.site.t.Helper()
	if got := b.get(); got != page {
		b.site.t.Errorf("%s: the page is %q, want %q", what, got, page)
	}
}

const nobody = "|" // the page of who has no session

func wantErr(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) || want == nil && err != nil {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func generate(t testing.TB, m *coatcheck.Manager[account], note string, opts ...coatcheck.GenerateOption) coatcheck.Token {
	t.Helper()
	token, err := m.Generate(t.Context(), account{note}, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// newManager returns one that asks the store each time.
func newManager(t testing.TB, store coatcheck.Store) *coatcheck.Manager[account] {
	t.Helper()
	m, err := coatcheck.New(coatcheck.Config[account]{
		Store: store, NearCache: coatcheck.NearCache{MaxEntries: -1}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// lockedBuffer is a log that may be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// counting counts what a store is asked.
type counting struct {
	coatcheck.Store
	mu    sync.Mutex
	loads int
}

func (c *counting) Load(ctx context.Context, id string) (coatcheck.Record, error) {
	c.mu.Lock()
	c.loads++
	c.mu.Unlock()
	return c.Store.Load(ctx, id)
}
