package httpsession_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/httpsession"
	"github.com/coatcheck/coatcheck/memstore"
)

// profile is the value that most tests keep behind their tokens.
type profile struct {
	Name   string
	Visits int
}

// watched is a memory store that counts calls, and asks before each. What the
// hook returns is the result of the call instead, unless it is nil.
type watched struct {
	*memstore.Store

	mu     sync.Mutex
	counts map[string]int
	before func(ctx context.Context, method string) error
	lost   error
}

func (s *watched) call(ctx context.Context, method string) error {
	s.mu.Lock()
	s.counts[method]++
	before := s.before
	s.mu.Unlock()
	if before == nil {
		return nil
	}
	return before(ctx, method)
}

// forget begins to count anew.
func (s *watched) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.counts)
}

// count returns how many calls there were of the methods, or of all.
func (s *watched) count(methods ...string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for method, calls := range s.counts {
		if len(methods) == 0 || slices.Contains(methods, method) {
			n += calls
		}
	}
	return n
}

// hook has the store ask fn before each call; nil for nobody.
func (s *watched) hook(fn func(ctx context.Context, method string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = fn
}

// fail has the named methods, or all, return the error.
func (s *watched) fail(err error, methods ...string) {
	s.hook(func(_ context.Context, method string) error {
		if len(methods) == 0 || slices.Contains(methods, method) {
			return err
		}
		return nil
	})
}

func (s *watched) Load(ctx context.Context, id string) (coatcheck.Record, error) {
	if err := s.call(ctx, "Load"); err != nil {
		return coatcheck.Record{}, err
	}
	return s.Store.Load(ctx, id)
}

func (s *watched) Create(ctx context.Context, r coatcheck.Record) error {
	if err := s.call(ctx, "Create"); err != nil {
		return err
	}
	return s.Store.Create(ctx, r)
}

func (s *watched) Update(ctx context.Context, r coatcheck.Record) error {
	if err := s.call(ctx, "Update"); err != nil {
		return err
	}
	if err := s.Store.Update(ctx, r); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost
}

func (s *watched) Delete(ctx context.Context, id string) error {
	if err := s.call(ctx, "Delete"); err != nil {
		return err
	}
	return s.Store.Delete(ctx, id)
}

func (s *watched) Touch(ctx context.Context, r coatcheck.Record) error {
	if err := s.call(ctx, "Touch"); err != nil {
		return err
	}
	return s.Store.Touch(ctx, r)
}

// lockedBuffer is a log that many may write to.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// site is a middleware on a store of its own.
type site struct {
	store    *watched
	manager  *coatcheck.Manager[profile]
	sessions *httpsession.Middleware[profile]
	log      lockedBuffer
}

type setup struct {
	http    httpsession.Config
	manager coatcheck.Config[profile]
}

var tokenForm = regexp.MustCompile(`[A-Za-z0-9_-]{44}`)

// newSite also checks, when the test ends, that the log holds no token.
func newSite(t testing.TB, s setup) *site {
	t.Helper()
	inMemory, err := memstore.New(memstore.Config{SweepInterval: 1 << 62})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = inMemory.Close() })
	x := &site{store: &watched{Store: inMemory, counts: map[string]int{}}}
	logger := slog.New(slog.NewTextHandler(&x.log, nil))
	s.manager.Store, s.manager.Logger, s.http.Logger = x.store, logger, logger
	if x.manager, err = coatcheck.New(s.manager); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.manager.Close() })
	for s.manager.NearCache.MaxEntries >= 0 && x.manager.Stats().NearCache.MarkAge < 0 { // the watch has not begun
		runtime.Gosched()
	}
	if x.sessions, err = httpsession.New(x.manager, s.http); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if text := x.log.String(); tokenForm.MatchString(text) {
			t.Errorf("the log holds a token:\n%s", text)
		}
	})
	return x
}

func (s *site) generate(t testing.TB, value profile, opts ...coatcheck.GenerateOption) coatcheck.Token {
	t.Helper()
	token, err := s.manager.Generate(t.Context(), value, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// handler puts sessions around next, by Handler or by HandlerFunc, so that session finds
// the one of the request: see TestAllByHandlerFunc.
func (s *site) handler(next http.Handler) http.Handler {
	if !byHandlerFunc {
		return s.sessions.Handler(next)
	}
	return s.sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, session *coatcheck.Session[profile]) {
		*r = *r.WithContext(context.WithValue(r.Context(), s, session)) // as a copy it would not be net/http's
		next.ServeHTTP(w, r)
	})
}

// session returns the session of the request.
func (s *site) session(r *http.Request) *coatcheck.Session[profile] {
	if session, is := r.Context().Value(s).(*coatcheck.Session[profile]); is {
		return session
	}
	return s.sessions.From(r.Context())
}

// rename returns what has the session of the request be called so.
func (s *site) rename(t testing.TB, r *http.Request, name string) {
	t.Helper()
	wantErr(t, "Change", s.session(r).Change(r.Context(), func(p *profile) error {
		p.Name = name
		return nil
	}), nil)
}

// name returns how the session of the request is called.
func (s *site) name(t testing.TB, r *http.Request) string {
	t.Helper()
	p, err := s.session(r).Get(r.Context())
	wantErr(t, "Get", err, nil)
	return p.Name
}

// wantName checks what is in the store.
func (s *site) wantName(t testing.TB, token coatcheck.Token, want string) {
	t.Helper()
	p, err := s.manager.Get(t.Context(), token)
	if err != nil || p.Name != want {
		t.Errorf("the session is %+v, %v; want the name %q", p, err, want)
	}
}

func (s *site) wantGone(t testing.TB, token coatcheck.Token) {
	t.Helper()
	_, err := s.manager.Get(t.Context(), token)
	wantErr(t, "Get", err, coatcheck.ErrNotFound)
}

// wantRecords checks how many sessions there are.
func (s *site) wantRecords(t testing.TB, want int) {
	t.Helper()
	n := 0
	for _, err := range s.store.List(t.Context()) {
		wantErr(t, "List", err, nil)
		n++
	}
	if n != want {
		t.Errorf("%d sessions in the store, want %d", n, want)
	}
}

// request returns one with the token, unless that is empty.
func (s *site) request(t testing.TB, method, url string, token coatcheck.Token) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		s.sessions.Attach(r, token)
	}
	return r
}

// call hands a GET with the token to the handler without any server, which is
// what can be done in a synctest bubble.
func (s *site) call(t testing.TB, handler http.HandlerFunc, token coatcheck.Token) reply {
	t.Helper()
	w := httptest.NewRecorder()
	s.handler(handler).ServeHTTP(w, s.request(t, "GET", "http://localhost/", token))
	return replyOf(t, w.Result())
}

// reply is a response that was read.
type reply struct {
	status int
	header http.Header
	body   string
	set    []*http.Cookie
}

func replyOf(t testing.TB, response *http.Response) reply {
	t.Helper()
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	wantErr(t, "read the body", err, nil)
	return reply{response.StatusCode, response.Header, string(body), response.Cookies()}
}

// wantStatus checks the status and, unless it is empty, the body.
func (r reply) wantStatus(t testing.TB, status int, body string) {
	t.Helper()
	if r.status != status || body != "" && r.body != body {
		t.Errorf("answered %d %q, want %d %q", r.status, r.body, status, body)
	}
}

// wantCookie returns the only cookie that was set.
func (r reply) wantCookie(t testing.TB) *http.Cookie {
	t.Helper()
	if len(r.set) != 1 {
		t.Fatalf("%d cookies were set, want one: %d %s", len(r.set), r.status, r.body)
	}
	if got := r.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control beside a cookie is %q, want no-store", got)
	}
	return r.set[0]
}

// wantToken is wantCookie for its value, a token.
func (r reply) wantToken(t testing.TB) coatcheck.Token {
	t.Helper()
	token := coatcheck.Token(r.wantCookie(t).Value)
	if token.ID() == "" {
		t.Fatal("the cookie holds no token")
	}
	return token
}

func (r reply) wantNoCookie(t testing.TB) {
	t.Helper()
	if len(r.set) != 0 {
		t.Errorf("the cookie was set to %v, Max-Age %d; want none", coatcheck.Token(r.set[0].Value), r.set[0].MaxAge)
	}
}

func (r reply) wantHeader(t testing.TB, name string, want ...string) {
	t.Helper()
	if got := r.header.Values(name); !slices.Equal(got, want) {
		t.Errorf("%s is %q, want %q", name, got, want)
	}
}

// wantErr checks that err wraps target, or that it is nil if target is.
func wantErr(t testing.TB, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("%s: got error %v, want %v", what, err, target)
	}
}

const (
	http1 = "HTTP/1.1"
	http2 = "HTTP/2.0"
)

// overBoth runs the test over each protocol.
func overBoth(t *testing.T, test func(t *testing.T, protocol string)) {
	for _, protocol := range []string{http1, http2} {
		t.Run(strings.ReplaceAll(protocol, "/", " "), func(t *testing.T) { test(t, protocol) })
	}
}

// web is a handler behind a real socket.
type web struct {
	*httptest.Server
	client *http.Client
	log    lockedBuffer // of the server: it tells of panics, and of wrong calls
}

func serve(t testing.TB, protocol string, handler http.Handler) *web {
	t.Helper()
	w := &web{Server: httptest.NewUnstartedServer(handler)}
	w.Config.ErrorLog = log.New(&w.log, "", 0)
	if protocol == http2 {
		w.EnableHTTP2 = true
		w.StartTLS()
	} else {
		w.Start()
	}
	t.Cleanup(w.Close)
	w.client = w.Client()
	w.client.Timeout = time.Minute
	w.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return w
}

// serve is serve for a handler with sessions.
func (s *site) serve(t testing.TB, protocol string, handler http.HandlerFunc) *web {
	t.Helper()
	return serve(t, protocol, s.handler(handler))
}

func (w *web) do(t testing.TB, r *http.Request) reply {
	t.Helper()
	response, err := w.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return replyOf(t, response)
}

// get is do for a GET of the path with the token.
func (s *site) get(t testing.TB, w *web, path string, token coatcheck.Token) reply {
	t.Helper()
	return w.do(t, s.request(t, "GET", w.URL+path, token))
}
