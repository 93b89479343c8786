package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/memstore"
	"github.com/coatcheck/coatcheck/server"
)

// huma decodes every body into float64 before we see it.
func TestNumberBeyondFloat64IsKept(t *testing.T) {
	s := start(t, setup{})
	for _, number := range []string{"1e400", "-1E+999", strings.Repeat("7", 400)} {
		s.wantValue(t, s.create(t, number), number)
		token := s.create(t, `{}`)
		s.patch(t, token, `{"n":`+number+`}`, "").want(t, "patch", 200)
	}
}

// A refused body is not repeated, whatever is wrong with it.
func TestNumberIsNotRepeatedInAnError(t *testing.T) {
	s := start(t, setup{})
	digits := strings.Repeat("7", 400)
	s.keepOut(digits)
	for _, body := range []string{`{"value":` + digits + `}`, `{"value":1,"subject":` + digits + `}`} {
		s.do(t, request{method: "POST", path: "/v1/sessions", body: body})
	}
}

// Names in JSON are case-sensitive; the document has additionalProperties false.
func TestNamesOfMembersAreCaseSensitive(t *testing.T) {
	s := start(t, setup{})
	for _, body := range []string{`{"VALUE":1}`, `{"value":1,"Value":2}`, `{"value":1,"SUBJECT":"ada"}`} {
		s.do(t, request{method: "POST", path: "/v1/sessions", body: body}).want(t, body, 422)
	}
}

// RFC 9110 section 8.3.1.
func TestMediaTypesAreCaseInsensitive(t *testing.T) {
	s := start(t, setup{})
	r := calls["create"]
	r.header = map[string]string{"Content-Type": "Application/JSON"}
	s.do(t, r).want(t, "create", 201)
}

// do checks the Content-Type of the problem.
func TestAcceptDoesNotChooseWhatIsNoMediaType(t *testing.T) {
	s := start(t, setup{})
	s.do(t, request{method: "GET", path: "/v1/session", header: map[string]string{"Accept": "json"}}).want(t, "get", 401)
}

// stuck is a store whose Load waits for as long as its caller does.
type stuck struct {
	*memstore.Store
	entered chan struct{}
}

func (s *stuck) Load(ctx context.Context, _ string) (coatcheck.Record, error) {
	close(s.entered)
	<-ctx.Done()
	return coatcheck.Record{}, ctx.Err()
}

// Whoever is on call is woken by ERROR: for an outage, not for a closed tab.
func TestClientThatLeavesIsNoOutage(t *testing.T) {
	store := &stuck{newBuggy(t).Store, make(chan struct{})}
	s := start(t, setup{store: store})
	ctx, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/v1/session", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+unknownToken)
	go func() {
		<-store.entered
		leave()
	}()
	if res, err := s.client.Do(req); err == nil {
		res.Body.Close()
		t.Fatalf("status %d", res.StatusCode)
	}
	for begin := time.Now(); !strings.Contains(s.log.String(), "msg=request"); {
		if time.Since(begin) > time.Minute {
			t.Fatal("the request does not end")
		}
	}
	if text := s.log.String(); strings.Contains(text, "level=ERROR") {
		t.Errorf("the log:\n%s", text)
	}
}

// Editors on Windows begin a file with a byte order mark.
func TestByteOrderMarkIsNotPartOfAKey(t *testing.T) {
	marked, err := server.ParseAPIKeys("\ufeff" + firstKey)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := server.ParseAPIKeys(firstKey)
	if err != nil {
		t.Fatal(err)
	}
	if marked[0] != plain[0] {
		t.Error("the mark is part of the key")
	}
}

// RFC 9110 section 5.6.1.2: empty elements of a list are to be ignored.
func TestEmptyElementsOfIfMatchAreIgnored(t *testing.T) {
	s := start(t, setup{})
	for _, ifMatch := range []string{`"1",`, `,"1"`, `"7",,"1"`} {
		s.put(t, s.create(t, `1`), `2`, ifMatch).want(t, ifMatch, 200)
	}
}

// A client whose variable is empty must not overwrite as if it had no
// condition.
func TestEmptyIfMatchIsRefused(t *testing.T) {
	s := start(t, setup{})
	token := s.create(t, `1`)
	r := request{method: "PUT", path: "/v1/session", token: token, body: `{"value":2}`, header: map[string]string{"If-Match": " "}}
	s.do(t, r).want(t, "put", 400)
	s.wantValue(t, token, `1`)
}

func TestUntidyPathIsNotRedirected(t *testing.T) {
	s := start(t, setup{})
	s.do(t, request{method: "GET", path: "//v1/session/" + unknownToken}).want(t, "get", 404)
}

func TestNegativeLimitIsRefused(t *testing.T) {
	store := newBuggy(t).Store
	m, err := coatcheck.New(coatcheck.Config[json.RawMessage]{Store: store, Codec: server.RawJSON{}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.New(server.Config{Manager: m, Store: store, MaxValueBytes: -5}); !errors.Is(err, coatcheck.ErrInvalid) {
		t.Errorf("New: %v, want ErrInvalid", err)
	}
}

func TestAPIKeyWithASpaceIsRefused(t *testing.T) {
	if _, err := server.ParseAPIKeys(firstKey + " # the first"); !errors.Is(err, coatcheck.ErrInvalid) {
		t.Errorf("ParseAPIKeys: %v, want ErrInvalid", err)
	}
}

// A wrong base URL must not look as if everybody had been logged out, nor a
// wrong API key as if a token were wrong: the type of the problem tells.
func TestProblemTypesTellCausesApart(t *testing.T) {
	s := start(t, setup{})
	locked := start(t, setup{keys: []string{firstKey}})
	locked.key = "" // as a client has it that knows of none
	for _, c := range []struct {
		on   *service
		r    request
		kind string
	}{
		{s, request{method: "GET", path: "/v1/session", token: unknownToken}, "session"},
		{s, request{method: "GET", path: "/v1/session/", token: unknownToken}, "path"},
		{s, request{method: "GET", path: "/v1/session"}, "token"},
		{locked, request{method: "GET", path: "/v1/session", token: unknownToken}, "api-key"},
		{s, request{method: "POST", path: "/v1/sessions", body: `{"value":}`}, "request"},
	} {
		if a := c.on.do(t, c.r); !strings.Contains(a.body, `"type":"urn:coatcheck:problem:`+c.kind+`"`) {
			t.Errorf("%s %s: want the type %s: %s", c.r.method, c.r.path, c.kind, a.body)
		}
	}
}

// A condition that a call does not heed must not be dropped in silence.
func TestCallsWithoutConditionsRefuseOne(t *testing.T) {
	s := start(t, setup{})
	token := s.create(t, `1`)
	for method, path := range map[string]string{"DELETE": "/v1/session", "POST": "/v1/session/refresh"} {
		r := request{method: method, path: path, token: token, header: map[string]string{"If-Match": `"99"`}}
		s.do(t, r).want(t, method, 400)
	}
	s.wantValue(t, token, `1`)
}
