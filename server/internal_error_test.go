package server_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/memstore"
)

// buggy is a store that panics while it is told to.
type buggy struct {
	*memstore.Store
	panics atomic.Bool
}

func (s *buggy) trip() {
	if s.panics.Load() {
		panic("a bug in the store")
	}
}

func (s *buggy) Load(ctx context.Context, id string) (coatcheck.Record, error) {
	s.trip()
	return s.Store.Load(ctx, id)
}

func (s *buggy) Create(ctx context.Context, r coatcheck.Record) error {
	s.trip()
	return s.Store.Create(ctx, r)
}

func (s *buggy) Ping(ctx context.Context) error {
	s.trip()
	return s.Store.Ping(ctx)
}

func newBuggy(t *testing.T) *buggy {
	t.Helper()
	store, err := memstore.New(memstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return &buggy{Store: store}
}

const internalError = "internal error: see the log of the service"

func TestPanicIs500AndTheServiceLivesOn(t *testing.T) {
	store := newBuggy(t)
	s := start(t, setup{store: store, manager: storeOnly, keys: []string{firstKey}})
	token := s.create(t, `{}`)

	store.panics.Store(true)
	asked := map[string]request{"readyz": {method: "GET", path: "/readyz"}}
	for call, r := range calls {
		asked[call] = r
	}
	for call, r := range asked {
		before := len(s.log.String())
		r.token = token
		a := s.do(t, r).want(t, call, 500)
		if a.detail(t) != internalError || strings.Contains(a.body, "bug in the store") {
			t.Errorf("%s: %s", call, a.body)
		}
		line := s.log.String()[before:] // start checks that it shows no secret
		for _, want := range []string{"level=ERROR", "msg=panic", `route="` + r.method + " " + r.path, `panic="a bug in the store"`} {
			if !strings.Contains(line, want) {
				t.Errorf("%s: the log does not tell %s:\n%s", call, want, line)
			}
		}
	}

	store.panics.Store(false)
	s.wantValue(t, token, `{}`)
	// A change that panicked must not leave the session locked.
	s.patch(t, token, `{"a":1}`, "").want(t, "patch", 200)
	s.put(t, token, `{"a":2}`, "").want(t, "put", 200)
}

// Damage in the store is neither a miss nor an outage, and what is left of the
// value is nobody's business.
func TestDamagedValueIs500(t *testing.T) {
	store := newBuggy(t)
	s := start(t, setup{store: store})
	token := s.create(t, `{}`)
	r, err := store.Load(t.Context(), token[:22])
	if err != nil {
		t.Fatal(err)
	}
	r.Rev, r.Value = r.Rev+1, []byte(`{"`+canary+`":`)
	if err := store.Update(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	for what, a := range map[string]answer{"get": s.get(t, token), "patch": s.patch(t, token, `{}`, "")} {
		a.want(t, what, 500)
		if a.detail(t) != internalError {
			t.Errorf("%s: detail is %q", what, a.detail(t))
		}
	}
	if text := s.log.String(); !strings.Contains(text, "level=ERROR") || !strings.Contains(text, token[:22]) {
		t.Errorf("the log does not name the session:\n%s", text)
	}
	// Its holder can still end it.
	s.do(t, request{method: "DELETE", path: "/v1/session", token: token}).want(t, "delete", 204)
	s.get(t, token).want(t, "get", 404)
}
