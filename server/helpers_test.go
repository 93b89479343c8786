package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/memstore"
	"github.com/coatcheck/coatcheck/server"
)

// canary is put into what tests send, to see whether it comes out anywhere.
const canary = "CANARY-5f2c"

var tokenForm = regexp.MustCompile(`^[A-Za-z0-9_-]{44}$`)

// service is the handler of package server behind a real socket.
type service struct {
	url    string
	client *http.Client
	key    string // sent as X-API-Key unless it is empty
	log    *lockedBuffer

	mu      sync.Mutex
	secrets []string // that neither the log nor a problem may show
}

type config = coatcheck.Config[json.RawMessage]

// storeOnly has every call reach the store.
var storeOnly = config{NearCache: coatcheck.NearCache{MaxEntries: -1}}

// setup is what a test may change about its service.
type setup struct {
	store   coatcheck.Store // default: a memory store
	manager config
	keys    []string
	admins  []string      // keys of administrators
	limit   time.Duration // of a request's reading and its answer's writing, if not 0
}

func start(t testing.TB, s setup) *service {
	t.Helper()
	if s.store == nil {
		store, err := memstore.New(memstore.Config{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		s.store = store
	}
	out := &service{log: &lockedBuffer{}, secrets: slices.Concat([]string{canary}, s.keys, s.admins)}
	logger := slog.New(slog.NewTextHandler(out.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.manager.Store, s.manager.Codec, s.manager.Logger = s.store, server.RawJSON{}, logger
	manager, err := coatcheck.New(s.manager)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = manager.Close() })
	config := server.Config{Manager: manager, Store: s.store, MaxValueBytes: s.manager.MaxValueBytes, Version: "1.2.3", Logger: logger}
	if len(s.keys) > 0 {
		if config.APIKeys, err = server.ParseAPIKeys(strings.Join(s.keys, "\n")); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.admins) > 0 {
		if config.AdminKeys, err = server.ParseAPIKeys(strings.Join(s.admins, "\n")); err != nil {
			t.Fatal(err)
		}
	}
	handler, err := server.New(config)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewUnstartedServer(handler)
	web.Config.ReadTimeout, web.Config.WriteTimeout = s.limit, s.limit
	web.Start()
	if len(s.keys) > 0 {
		out.key = s.keys[0]
	}
	out.url, out.client = web.URL, web.Client()
	out.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	t.Cleanup(func() {
		web.Close()
		out.wantDiscreetLog(t)
	})
	return out
}

// keepOut remembers a text that must not get into the log or a problem.
func (s *service) keepOut(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets = append(s.secrets, secret)
}

func (s *service) allSecrets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.secrets)
}

// wantDiscreetLog checks, at the end of every test, what holds for all of
// them: nothing in the log opens a session or tells what is in it.
func (s *service) wantDiscreetLog(t testing.TB) {
	t.Helper()
	for _, secret := range s.allSecrets() {
		if strings.Contains(s.log.String(), secret) {
			t.Errorf("the log shows %q:\n%s", secret, s.log)
		}
	}
}

// request is one call; body is sent as the media type that belongs to the
// method, unless header says otherwise. An empty header is not sent.
type request struct {
	method, path, token, body string
	header                    map[string]string
}

type answer struct {
	status int
	header http.Header
	body   string
}

// do makes a call and checks what holds for every answer.
func (s *service) do(t testing.TB, r request) answer {
	t.Helper()
	a, err := s.send(r)
	if err != nil {
		t.Fatal(err)
	}
	if got := a.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("%s %s: Cache-Control is %q, want no-store", r.method, r.path, got)
	}
	if a.status >= http.StatusBadRequest {
		s.wantProblem(t, r, a)
	}
	return a
}

func (s *service) send(r request) (answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, r.method, s.url+r.path, strings.NewReader(r.body))
	if err != nil {
		return answer{}, err
	}
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
		if r.method == http.MethodPatch {
			req.Header.Set("Content-Type", "application/merge-patch+json")
		}
	}
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	if s.key != "" {
		req.Header.Set("X-API-Key", s.key)
	}
	for name, value := range r.header {
		req.Header.Set(name, value)
		if value == "" {
			req.Header.Del(name)
		}
	}
	res, err := s.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(body)}, err
}

// wantProblem checks what holds for every error.
func (s *service) wantProblem(t testing.TB, r request, a answer) {
	t.Helper()
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("%s %s: Content-Type of status %d is %q", r.method, r.path, a.status, got)
	}
	for _, secret := range s.allSecrets() {
		if strings.Contains(a.body, secret) {
			t.Errorf("%s %s: the problem repeats what was sent, %q: %s", r.method, r.path, secret, a.body)
		}
	}
	if r.method == http.MethodHead {
		return
	}
	var problem struct {
		Title, Detail string
		Status        int
	}
	if err := json.Unmarshal([]byte(a.body), &problem); err != nil {
		t.Errorf("%s %s: the problem is not JSON: %v: %q", r.method, r.path, err, a.body)
	}
	if problem.Status != a.status || problem.Title != http.StatusText(a.status) || problem.Detail == "" {
		t.Errorf("%s %s: problem of status %d: %s", r.method, r.path, a.status, a.body)
	}
}

func (a answer) detail(t testing.TB) string {
	t.Helper()
	return decode[struct{ Detail string }](t, a).Detail
}

func (a answer) want(t testing.TB, what string, status int) answer {
	t.Helper()
	if a.status != status {
		t.Errorf("%s: status %d, want %d: %s", what, a.status, status, a.body)
	}
	return a
}

func decode[T any](t testing.TB, a answer) T {
	t.Helper()
	var out T
	decoder := json.NewDecoder(strings.NewReader(a.body))
	decoder.UseNumber()
	if err := decoder.Decode(&out); err != nil {
		t.Fatalf("answer is not JSON: %v: %q", err, a.body)
	}
	return out
}

// created and session are the answers as the documentation shows them.
type created struct {
	Token     string
	ID        string
	Rev       uint64
	ExpiresAt *time.Time `json:"expires_at"`
}

type session struct {
	ID        string
	Rev       uint64
	Value     json.RawMessage
	Subject   string
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at"`
}

// create files a value and returns the token.
func (s *service) create(t testing.TB, value string) string {
	t.Helper()
	a := s.do(t, request{method: "POST", path: "/v1/sessions", body: `{"value":` + value + `}`})
	token := decode[created](t, a.want(t, "create", 201)).Token
	if !tokenForm.MatchString(token) {
		t.Fatalf("create %s: %q is no token", value, token)
	}
	s.keepOut(token[22:])
	return token
}

func (s *service) get(t testing.TB, token string) answer {
	t.Helper()
	return s.do(t, request{method: "GET", path: "/v1/session", token: token})
}

func (s *service) put(t testing.TB, token, value, ifMatch string) answer {
	t.Helper()
	return s.change(t, "PUT", token, `{"value":`+value+`}`, ifMatch)
}

func (s *service) patch(t testing.TB, token, patch, ifMatch string) answer {
	t.Helper()
	return s.change(t, "PATCH", token, patch, ifMatch)
}

func (s *service) change(t testing.TB, method, token, body, ifMatch string) answer {
	t.Helper()
	r := request{method: method, path: "/v1/session", token: token, body: body}
	if ifMatch != "" {
		r.header = map[string]string{"If-Match": ifMatch}
	}
	return s.do(t, r)
}

// wantValue checks the value byte for byte.
func (s *service) wantValue(t testing.TB, token, want string) {
	t.Helper()
	if got := decode[session](t, s.get(t, token).want(t, "get", 200)).Value; string(got) != want {
		t.Errorf("the value is %s, want %s", got, want)
	}
}

// lockedBuffer is a log that the service writes to while the test reads it.
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
