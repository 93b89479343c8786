package server_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/memstore"
)

func TestChangeUnderACondition(t *testing.T) {
	tests := []struct {
		ifMatch string
		status  int
	}{
		{`"3"`, 200},
		{`"1", "3"`, 200},
		{`"someone else's","3"`, 200},
		{`*`, 200},
		{`"2"`, 412},
		{`"4"`, 412},
		{`W/"3"`, 412}, // If-Match compares strongly (RFC 9110 section 13.1.1)
		{`"03"`, 412},
		{`"1", "2"`, 412},
		{`""`, 412},
		{`3`, 400},
		{`"3`, 400},
	}
	s := start(t, setup{})
	for _, method := range []string{"PUT", "PATCH"} {
		for _, test := range tests {
			t.Run(method+" "+test.ifMatch, func(t *testing.T) {
				token := s.create(t, `{"old":1}`)
				s.put(t, token, `{"old":2}`, "").want(t, "put", 200)
				s.put(t, token, `{"old":3}`, "").want(t, "put", 200)

				body, after := `{"value":{"new":1}}`, `{"new":1}`
				if method == "PATCH" {
					body, after = `{"new":1}`, `{"new":1,"old":3}`
				}
				a := s.change(t, method, token, body, test.ifMatch).want(t, test.ifMatch, test.status)
				etag := a.header.Get("ETag")
				switch {
				case test.status == 200 && etag != `"4"`:
					t.Errorf("ETag is %s after the change", etag)
				case test.status == 412 && (etag != `"3"` || a.detail(t) != "the value is at revision 3: read it again"):
					t.Errorf("ETag %s, detail %q: want the current revision", etag, a.detail(t))
				}
				if test.status != 200 {
					after = `{"old":3}`
				}
				s.wantValue(t, token, after)
			})
		}
	}
}

// interrupted is a store in which somebody else is faster with each Update
// that has a turn.
type interrupted struct {
	*memstore.Store
	mu    sync.Mutex
	turns int
}

func (s *interrupted) Update(ctx context.Context, r coatcheck.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.turns > 0 {
		s.turns--
		faster := r
		faster.Value = json.RawMessage(`{"faster":1}`)
		if err := s.Store.Update(ctx, faster); err != nil {
			return err
		}
	}
	return s.Store.Update(ctx, r)
}

func (s *interrupted) interrupt(turns int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turns = turns
}

func startInterrupted(t *testing.T) (*service, *interrupted) {
	t.Helper()
	store, err := memstore.New(memstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	inner := &interrupted{Store: store}
	return start(t, setup{store: inner}), inner
}

// The condition must hold at the moment of the change, not only when it was
// looked at.
func TestConditionIsAtomicWithTheChange(t *testing.T) {
	s, store := startInterrupted(t)
	for _, method := range []string{"PUT", "PATCH"} {
		token := s.create(t, `{}`)
		store.interrupt(1)
		body := map[string]string{"PUT": `{"value":{"slow":1}}`, "PATCH": `{"slow":1}`}[method]
		a := s.change(t, method, token, body, `"1"`).want(t, method, 412)
		if want := "the value is at revision 2: read it again"; a.detail(t) != want {
			t.Errorf("detail is %q, want %q", a.detail(t), want)
		}
		s.wantValue(t, token, `{"faster":1}`)
	}
}

// Without a condition a patch is applied again, to what the other one left.
func TestPatchMeetsAnotherChange(t *testing.T) {
	s, store := startInterrupted(t)
	for _, ifMatch := range []string{"", "*"} {
		token := s.create(t, `{}`)
		store.interrupt(3)
		a := s.patch(t, token, `{"slow":1}`, ifMatch).want(t, "patch", 200)
		got := decode[session](t, a)
		if string(got.Value) != `{"faster":1,"slow":1}` || got.Rev != 5 {
			t.Errorf("If-Match %q: got %s", ifMatch, a.body)
		}
	}
}

// Whoever never gets a turn is told to try again, not that he failed a
// condition that he did not set.
func TestEndlessConflictIs409(t *testing.T) {
	t.Parallel() // it takes all the manager's attempts: two seconds
	s, store := startInterrupted(t)
	token := s.create(t, `{}`)
	store.interrupt(1 << 30)
	a := s.patch(t, token, `{"slow":1}`, "").want(t, "patch", 409)
	if !strings.Contains(a.detail(t), "try again") {
		t.Errorf("detail is %q", a.detail(t))
	}
}

// What this node has in memory may be behind: the store decides.
func TestIfMatchIsDecidedByTheStore(t *testing.T) {
	store, err := memstore.New(memstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	one := start(t, setup{store: store})
	behind := start(t, setup{store: struct{ coatcheck.Store }{store}, manager: config{NearCache: coatcheck.NearCache{MaxStaleness: time.Hour}}})
	token := one.create(t, `1`)
	behind.wantValue(t, token, `1`)
	one.put(t, token, `2`, "").want(t, "put", 200)
	behind.put(t, token, `3`, `"1"`).want(t, "put at the old revision", 412)
	behind.wantValue(t, token, `2`)
	one.put(t, token, `3`, "").want(t, "put", 200)
	behind.put(t, token, `4`, `"3"`).want(t, "put at the newest revision", 200)
}
