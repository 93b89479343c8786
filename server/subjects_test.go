package server_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/memstore"
)

// described is a session as an administrator is shown it.
type described struct {
	ID, Subject string
	Rev         uint64
	CreatedAt   time.Time  `json:"created_at"`
	RenewedAt   time.Time  `json:"renewed_at"`
	LastSeen    time.Time  `json:"last_seen"`
	ExpiresAt   *time.Time `json:"expires_at"`
	Client      struct {
		Address   string
		UserAgent string `json:"user_agent"`
	}
}

func sessionsOf(subject string) string {
	return "/v1/subjects/" + url.PathEscape(subject) + "/sessions"
}

// list returns the sessions of a subject.
func (s *service) list(t testing.TB, subject string) []described {
	t.Helper()
	a := s.admin(t, "GET", sessionsOf(subject)).want(t, "list", 200)
	got := decode[struct{ Sessions []described }](t, a)
	if got.Sessions == nil {
		t.Errorf("no list: %s", a.body)
	}
	return got.Sessions
}

// endAll ends the sessions of a subject and returns how many the service says.
func (s *service) endAll(t testing.TB, subject, query string) int {
	t.Helper()
	return decode[struct{ Ended int }](t, s.admin(t, "DELETE", sessionsOf(subject)+query).want(t, "end all", 200)).Ended
}

var asAdmin = setup{admins: []string{adminKey}}

// afterMillisecond returns when times of sessions are later than they were.
func afterMillisecond() {
	for begin := time.Now(); time.Since(begin) < 2*time.Millisecond; {
	}
}

func TestListShowsWhatIsKnown(t *testing.T) {
	s := start(t, asAdmin)
	before := time.Now().Truncate(time.Millisecond)
	first := decode[created](t, s.do(t, request{method: "POST", path: "/v1/sessions",
		body: `{"value":{"private":"` + canary + `"},"subject":"ada","client":{"address":"192.0.2.7","user_agent":"Mozilla/5.0 (é)"}}`}).want(t, "create", 201)).Token
	s.keepOut(first[22:])
	afterMillisecond()
	second := s.createFor(t, "ada")
	s.createFor(t, "eve")
	s.create(t, `1`)
	afterMillisecond()
	renewed := s.mustRenew(t, first, "")

	a := s.admin(t, "GET", sessionsOf("ada")).want(t, "list", 200)
	for _, secret := range []string{canary, first, renewed, second, "value", "token", "eve"} {
		if strings.Contains(a.body, secret) {
			t.Errorf("the list shows %q: %s", secret, a.body)
		}
	}
	all := s.list(t, "ada")
	if len(all) != 2 || all[0].ID != second[:22] || all[1].ID != first[:22] {
		t.Fatalf("want the two of ada's, the latest first: %s", a.body)
	}
	got := all[1]
	if got.Rev != 2 || got.Subject != "ada" || got.Client.Address != "192.0.2.7" || got.Client.UserAgent != "Mozilla/5.0 (é)" {
		t.Errorf("got %+v", got)
	}
	if got.CreatedAt.Before(before) || !got.RenewedAt.After(got.CreatedAt) || got.LastSeen.Before(got.RenewedAt) || !got.ExpiresAt.After(got.LastSeen) {
		t.Errorf("times: %+v", got)
	}
	if all[0].Client.Address != "" || all[0].Client.UserAgent != "" {
		t.Errorf("a client that nobody told: %+v", all[0])
	}
	one := s.admin(t, "GET", "/v1/sessions/"+first[:22]).want(t, "describe", 200)
	if d := decode[described](t, one); fmt.Sprint(d, d.ExpiresAt) != fmt.Sprint(got, d.ExpiresAt) && !d.ExpiresAt.Equal(*got.ExpiresAt) {
		t.Errorf("described %+v, listed %+v", d, got)
	}
	if members := decode[map[string]any](t, one); len(members) != 8 || strings.Contains(one.body, canary) {
		t.Errorf("described as %s", one.body)
	}
}

func TestDeadlineOfASessionWithoutEndIsNull(t *testing.T) {
	s := start(t, setup{admins: []string{adminKey}, manager: config{IdleTimeout: coatcheck.Never, AbsoluteTimeout: coatcheck.Never}})
	token := s.createFor(t, "ada")
	for _, path := range []string{sessionsOf("ada"), "/v1/sessions/" + token[:22]} {
		if a := s.admin(t, "GET", path); !strings.Contains(a.body, `"expires_at":null`) {
			t.Errorf("%s: %s", path, a.body)
		}
	}
}

func TestClientIsRecordedAsItIsAndCutOff(t *testing.T) {
	s := start(t, asAdmin)
	for body, want := range map[string][2]string{
		`null`:                               {},
		`{}`:                                 {},
		`{"address":""}`:                     {},
		`{"user_agent":"x"}`:                 {"", "x"},
		`{"address":"a\nb","user_agent":""}`: {"a\nb", ""},
		`{"address":"` + strings.Repeat("é", 200) + `"}`: {strings.Repeat("é", 127), ""},
	} {
		a := s.do(t, request{method: "POST", path: "/v1/sessions", body: `{"value":1,"subject":"ada","client":` + body + `}`})
		id := decode[created](t, a.want(t, body, 201)).ID
		got := decode[described](t, s.admin(t, "GET", "/v1/sessions/"+id)).Client
		if got.Address != want[0] || got.UserAgent != want[1] {
			t.Errorf("client %s is recorded as %q, %q", body, got.Address, got.UserAgent)
		}
	}
}

func TestEndAllSessionsOfASubject(t *testing.T) {
	s := start(t, asAdmin)
	kept, alsoKept, eves := s.createFor(t, "ada"), s.createFor(t, "ada"), s.createFor(t, "eve")
	var ended []string
	for range 3 {
		ended = append(ended, s.createFor(t, "ada"))
	}
	unknown := strings.Repeat("a", 22) // may have ended meanwhile
	if n := s.endAll(t, "ada", "?except="+kept[:22]+"&except="+alsoKept[:22]+"&except="+unknown); n != 3 {
		t.Errorf("ended %d, want 3", n)
	}
	for _, token := range ended {
		s.get(t, token).want(t, "an ended one", 404)
	}
	for _, token := range []string{kept, alsoKept, eves} {
		s.wantValue(t, token, `{}`)
	}
	if n := s.endAll(t, "ada", ""); n != 2 {
		t.Errorf("ended %d, want 2", n)
	}
	if n, all := s.endAll(t, "ada", ""), s.list(t, "ada"); n != 0 || len(all) != 0 {
		t.Errorf("ended %d, and there are %d, want none", n, len(all))
	}
	s.wantValue(t, eves, `{}`)
}

func TestEndASessionByItsID(t *testing.T) {
	s := start(t, asAdmin)
	token, other := s.createFor(t, "ada"), s.createFor(t, "ada")
	path := "/v1/sessions/" + token[:22]
	for _, query := range []string{"", "", "?everywhere=true", "?everywhere=false"} {
		if a := s.admin(t, "DELETE", path+query).want(t, "end", 204); a.body != "" {
			t.Errorf("a body: %q", a.body)
		}
	}
	s.get(t, token).want(t, "get", 404)
	a := s.admin(t, "GET", path).want(t, "describe", 404)
	wantProblemType(t, "describe", a, "session")
	if want := "there is no session of this ID: it has expired or was ended, or there never was one"; a.detail(t) != want {
		t.Errorf("detail is %q", a.detail(t))
	}
	s.wantValue(t, other, `{}`)
}

// Whatever a subject is made of, it comes through a path exactly.
func TestSubjectsComeThroughThePath(t *testing.T) {
	s := start(t, asAdmin)
	subjects := []string{
		"ada", "Ada", " ", "a b", "a+b", "a%2Fb", "a/b", "/", "//", "a//b", "/a/", ".", "..", "...", "../..", "./a", "a/../b", "%", "%25", "%zz",
		"ada/sessions", "é", "e\u0301", "日本", "😀", "a?b", "a#b", "a&b=c", "a;b", `a"b`, `\`, "a\nb", "\x00", "a\x00b", "{subject}", "*", "~", "\u2028",
		"ada@example.com", "urn:x:y", strings.Repeat("x", 255), strings.Repeat("é", 127), strings.Repeat("/", 255),
	}
	tokens := map[string]string{}
	for _, subject := range subjects {
		body := fmt.Sprintf(`{"value":{},"subject":%s}`, quoted(t, subject))
		token := decode[created](t, s.do(t, request{method: "POST", path: "/v1/sessions", body: body}).want(t, subject, 201)).Token
		s.keepOut(token[22:])
		tokens[subject] = token
	}
	for _, subject := range subjects {
		for what, path := range map[string]string{"escaped": sessionsOf(subject), "escaped throughout": "/v1/subjects/" + allEscaped(subject) + "/sessions"} {
			if what == "escaped" && strings.Trim(subject, ".") == "" && len(subject) < 3 {
				continue // such a path means another one
			}
			got := decode[struct{ Sessions []described }](t, s.admin(t, "GET", path).want(t, path, 200)).Sessions
			if len(got) != 1 || got[0].ID != tokens[subject][:22] || got[0].Subject != subject {
				t.Errorf("%q, %s: %+v", subject, what, got)
			}
		}
	}
	for i, subject := range subjects {
		a := s.admin(t, "DELETE", "/v1/subjects/"+allEscaped(subject)+"/sessions").want(t, subject, 200)
		if decode[struct{ Ended int }](t, a).Ended != 1 {
			t.Errorf("%q: %s", subject, a.body)
		}
		for _, later := range subjects[i+1:] {
			s.get(t, tokens[later]).want(t, "another subject's", 200)
		}
	}
}

func quoted(t testing.TB, text string) string {
	t.Helper()
	var out strings.Builder
	for _, r := range text {
		if r < ' ' || r == '"' || r == '\\' {
			fmt.Fprintf(&out, `\u%04x`, r)
		} else {
			out.WriteRune(r)
		}
	}
	return `"` + out.String() + `"`
}

// allEscaped escapes every byte, also those that need not be.
func allEscaped(text string) string {
	var out strings.Builder
	for _, b := range []byte(text) {
		fmt.Fprintf(&out, "%%%02X", b)
	}
	return out.String()
}

func TestSubjectsThatNobodyHasAreRefused(t *testing.T) {
	s := start(t, asAdmin)
	s.create(t, `1`) // of nobody
	for path, status := range map[string]int{
		"/v1/subjects/" + strings.Repeat("x", 256) + "/sessions":                 422,
		"/v1/subjects/" + url.PathEscape(strings.Repeat("é", 128)) + "/sessions": 422,
		"/v1/subjects/%FF/sessions":                                              422,
		"/v1/subjects/ada%C3/sessions":                                           422,
		"/v1/subjects/%ED%A0%80/sessions":                                        422, // a surrogate
		"/v1/subjects//sessions":                                                 404,
		"/v1/subjects/sessions":                                                  404,
		"/v1/subjects/../sessions":                                               404,
		"/v1/subjects/./sessions":                                                404,
		"/v1/subjects/ada/../ada/sessions":                                       404,
		"/v1/subjects/a/b/sessions":                                              404,
		"/v1/subjects/ada/sessions/":                                             404,
		"/v1/subjects/ada/sessions/../../../sessions/" + strings.Repeat("a", 22): 404,
		"/v1/subjects/ada%2Fsessions":                                            404,
		"/v1/sessions/" + strings.Repeat("a", 22) + "/":                          404,
		"/v1//sessions/" + strings.Repeat("a", 22):                               404,
	} {
		for _, method := range []string{"GET", "DELETE"} {
			a := s.admin(t, method, path).want(t, method+" "+path, status)
			wantProblemType(t, path, a, map[int]string{404: "path", 422: "request"}[status])
		}
	}
}

// blind is a store whose records cannot be listed.
type blind struct{ coatcheck.Store }

// refusing says so only when it is asked.
type refusing struct{ coatcheck.Store }

func (refusing) List(context.Context) iter.Seq2[coatcheck.Record, error] {
	return func(yield func(coatcheck.Record, error) bool) { yield(coatcheck.Record{}, errors.ErrUnsupported) }
}

func TestStoreThatCannotFindSubjectsIs501(t *testing.T) {
	inner, err := memstore.New(memstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = inner.Close() })
	for what, store := range map[string]coatcheck.Store{"blind": blind{inner}, "refusing": refusing{inner}} {
		s := start(t, setup{store: store, admins: []string{adminKey}})
		token := s.createFor(t, "ada")
		for _, method := range []string{"GET", "DELETE"} {
			a := s.admin(t, method, sessionsOf("ada")).want(t, what, 501)
			wantProblemType(t, what, a, "unsupported")
		}
		s.admin(t, "GET", "/v1/sessions/"+token[:22]).want(t, "describe", 200)
		s.admin(t, "DELETE", "/v1/sessions/"+token[:22]).want(t, "end", 204)
		if strings.Contains(s.log.String(), "level=ERROR") {
			t.Errorf("%s: the log:\n%s", what, s.log)
		}
	}
}

func TestListIsInOrder(t *testing.T) {
	s := start(t, asAdmin)
	var want []string
	for range 12 {
		want = append(want, s.createFor(t, "ada")[:22])
		afterMillisecond()
	}
	slices.Reverse(want)
	var got []string
	for _, d := range s.list(t, "ada") {
		got = append(got, d.ID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
