package server_test

import (
	"strings"
	"testing"
)

// calls are all calls on sessions, each as it is right.
var calls = map[string]request{
	"create":  {method: "POST", path: "/v1/sessions", body: `{"value":{"a":1}}`},
	"get":     {method: "GET", path: "/v1/session"},
	"put":     {method: "PUT", path: "/v1/session", body: `{"value":{"a":1}}`},
	"patch":   {method: "PATCH", path: "/v1/session", body: `{"value":{"a":1}}`},
	"refresh": {method: "POST", path: "/v1/session/refresh"},
	"renew":   {method: "POST", path: "/v1/session/renew"},
	"delete":  {method: "DELETE", path: "/v1/session"},
}

const (
	parsed    = "create put patch renew"
	withBody  = "create put patch"
	withValue = "create put" // in a member of the body
	onOne     = "get put patch refresh renew delete"
	changing  = "create put patch refresh renew delete"
	all       = "create get put patch refresh renew delete"
)

// badInput is a way to get a call wrong. Each is sent as every call that on
// names, and must be refused in the same words, and change nothing.
type badInput struct {
	name, on string
	spoil    func(r *request)
	status   int
	detail   string // a part of it
	header   [2]string
}

func body(text string) func(*request) { return func(r *request) { r.body = text } }

func header(name, value string) func(*request) {
	return func(r *request) { r.header = map[string]string{name: value} }
}

// instead sends another header Authorization than that with the right token.
func instead(authorization string) func(*request) {
	return func(r *request) { r.header = map[string]string{"Authorization": authorization} }
}

var (
	deep        = strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001)
	bearerAsked = [2]string{"Www-Authenticate", `Bearer realm="coatcheck"`}
	patchAsked  = [2]string{"Accept-Patch", "application/merge-patch+json"}

	// A token of the right form, whose secret half must not come back.
	unknownToken = strings.Repeat("a", 44-len(canary)) + canary
)

const (
	notFound  = "nothing is behind this token: it is unknown, has expired, or its session was ended"
	noToken   = "the header Authorization does not hold a token: those have 44 characters of A-Z, a-z, 0-9, - and _"
	noHeader  = "the header Authorization is missing: send Authorization: Bearer and the token"
	noBearer  = "the header Authorization has another scheme than Bearer"
	otherSite = "requests from other sites' pages are refused"
)

var badInputs = []badInput{
	{"malformed", parsed, body("{\"value\":\n {\"" + canary + "\":nope}}"), 400, "malformed JSON at line 2, column 18: invalid character 'o'", none},
	{"malformed at the start", parsed, body(canary), 400, "malformed JSON at line 1, column 1: ", none},
	{"truncated", parsed, body(`{"value":"` + canary), 400, "malformed JSON at line 1, column 21: unexpected end", none},
	{"trailing data", parsed, body("{\"value\":\"" + canary + "\"}\n\n x"), 400, "malformed JSON at line 3, column 2: ", none},
	{"a second document", parsed, body(`{"value":1}{"value":"` + canary + `"}`), 400, "malformed JSON at line 1, column 12: ", none},
	{"single quotes", parsed, body(`{'value':'` + canary + `'}`), 400, "malformed JSON at line 1, column 2: ", none},
	{"byte order mark", parsed, body("\ufeff" + `{"value":"` + canary + `"}`), 400, "malformed JSON at line 1, column 1: ", none},
	{"invalid UTF-8", parsed, body("{\"value\":\"" + canary + "\xff\"}"), 400, "the body is not UTF-8", none},
	{"NaN", parsed, body(`{"value":NaN}`), 400, "malformed JSON at line 1, column 10: ", none},
	{"white space alone", parsed, body(" \n "), 400, "malformed JSON at line 2, column 1: unexpected end", none},
	{"no body", withValue, body(""), 400, "request body is required", none},
	{"no patch", "patch", func(r *request) {
		body("")(r)
		header("Content-Type", "application/merge-patch+json")(r)
	}, 400, "request body is required", none},
	{"10,001 levels", parsed, body(deep), 400, "malformed JSON at line 1, column 10001: ", none},
	{"10,001 levels in a value", withValue, body(`{"value":` + deep + `}`), 400, "exceeded max depth", none},

	{"not an object", "create put renew", body(`["` + canary + `"]`), 422, "expected object", none},
	{"null", "create put renew", body(`null`), 422, "expected object", none},
	{"no value", withValue, body(`{}`), 422, "expected required property value to be present", none},
	{"unknown member", "create put", body(`{"value":1,"valeu":"` + canary + `"}`), 422, "unexpected property (body.valeu)", none},
	{"subject of a change", "put", body(`{"value":1,"subject":"` + canary + `"}`), 422, "unexpected property (body.subject)", none},
	{"subject of another type", "create", body(`{"value":1,"subject":["` + canary + `"]}`), 422, "expected string (body.subject)", none},
	{"subject of 256 bytes", "create", body(`{"value":1,"subject":"` + canary + strings.Repeat("x", 256-len(canary)) + `"}`), 422, "(body.subject)", none},
	{"subject of 256 bytes in fewer characters", "create", body(`{"value":1,"subject":"` + canary + strings.Repeat("é", 123) + `"}`), 422, "at most 255 bytes, got 257 bytes", none},

	{"a name twice", withValue, body("{\"value\":1,\n\"value\":\"" + canary + "\"}"), 422, "JSON at line 2, column 7: a name that this object has already", none},
	{"a name twice, once escaped", "create", body(`{"value":1,"subject":"ada","s\u0075bject":"` + canary + `"}`), 422, "column 41: a name that this object has already", none},
	{"a name twice within", "create", body(`{"value":1,"client":{"address":"1","address":"` + canary + `"}}`), 422, "a name that this object has already", none},
	{"a name twice in a renewal", "renew", body(`{"grace":true,"grace":false}`), 422, "a name that this object has already", none},
	{"a name twice in a patch", "patch", body(`{"a":{"b":[{"c":1,"c":"` + canary + `"}]}}`), 422, "a name that this object has already", none},
	{"a name twice in a patch's value", "patch", body(`{"value":{"b":1,"b":"` + canary + `"}}`), 422, "a name that this object has already", none},
	{"client of another type", "create", body(`{"value":1,"client":"` + canary + `"}`), 422, "expected object (body.client)", none},
	{"client's address of another type", "create", body(`{"value":1,"client":{"address":1e99999}}`), 422, "expected string (body.client.address)", none},
	{"unknown member of the client", "create", body(`{"value":1,"client":{"ip":"` + canary + `"}}`), 422, "unexpected property (body.client.ip)", none},
	{"a grace that is a number", "renew", body(`{"grace":` + strings.Repeat("9", 60_000) + `}`), 422, "expected boolean (body.grace)", none},
	{"a grace in words", "renew", body(`{"grace":"true"}`), 422, "expected boolean (body.grace)", none},
	{"a value in a renewal", "renew", body(`{"value":"` + canary + `"}`), 422, "unexpected property (body.value)", none},
	{"a subject that is empty", "renew", body(`{"subject":""}`), 422, "(body.subject)", none},
	{"a login with grace", "renew", body(`{"subject":"` + canary + `","grace":true}`), 422, "a login has no grace", none},
	{"a subject that is too long", "renew", body(`{"subject":"` + canary + strings.Repeat("é", 123) + `"}`), 422, "at most 255 bytes, got 257 bytes", none},

	{"value too large", withBody, body(`{"value":"` + canary + strings.Repeat("x", 65536) + `"}`), 413, "the value is too large: at most 65536 bytes of compact JSON are kept", none},
	{"body too large", parsed, body(`{"value":"` + canary + strings.Repeat("x", 90_000) + `"}`), 413, "request body is too large", none},
	{"body of white space too large", parsed, body(strings.Repeat(" ", 90_000) + `{"value":1}`), 413, "request body is too large", none},

	{"form", "create put renew", header("Content-Type", "application/x-www-form-urlencoded"), 415, "Content-Type must be application/json", none},
	{"text", "create put renew", header("Content-Type", "text/plain"), 415, "Content-Type must be application/json", none},
	{"JSON that is no merge patch", "patch", header("Content-Type", "application/json"), 415, "Content-Type must be application/merge-patch+json", patchAsked},
	{"patch of another kind", "patch", header("Content-Type", "application/json-patch+json"), 415, "Content-Type must be application/merge-patch+json", patchAsked},
	{"patch of no kind", "patch", header("Content-Type", ""), 415, "Content-Type must be application/merge-patch+json", patchAsked},

	{"no token", onOne, instead(""), 401, noHeader, bearerAsked},
	{"empty token", onOne, instead("Bearer "), 401, noToken, bearerAsked},
	{"43 characters", onOne, instead("Bearer " + unknownToken[1:]), 401, noToken, bearerAsked},
	{"45 characters", onOne, instead("Bearer a" + unknownToken), 401, noToken, bearerAsked},
	{"the ID alone", onOne, instead("Bearer " + unknownToken[:22]), 401, noToken, bearerAsked},
	{"a character that no token has", onOne, instead("Bearer +" + unknownToken[1:]), 401, noToken, bearerAsked},
	{"two tokens", onOne, instead("Bearer " + unknownToken + " " + unknownToken), 401, noToken, bearerAsked},
	{"scheme Basic", onOne, instead("Basic " + unknownToken), 401, noBearer, bearerAsked},
	{"token without a scheme", onOne, instead(unknownToken), 401, noBearer, bearerAsked},
	{"unknown token", "get put patch refresh renew", instead("Bearer " + unknownToken), 404, notFound, none},

	{"If-Match without quotes", "put patch", header("If-Match", canary), 400, `If-Match must be *, or entity tags in quotes as in the header ETag, such as "3"`, none},
	{"If-Match cut off", "put patch", header("If-Match", `"`+canary), 400, "If-Match must be", none},

	{"other site", changing, header("Sec-Fetch-Site", "cross-site"), 403, otherSite, none},
	{"other site of the same domain", changing, header("Sec-Fetch-Site", "same-site"), 403, otherSite, none},
	{"other origin", changing, header("Origin", "https://"+canary+".example"), 403, otherSite, none},

	{"unknown path", all, func(r *request) { r.path = "/v2" + r.path }, 404, "there is nothing at this path: see /openapi.json", none},
	{"path with a slash at the end", all, func(r *request) { r.path += "/" }, 404, "there is nothing at this path: see /openapi.json", none},
	{"path with a slash more", all, func(r *request) { r.path = "/" + r.path }, 404, "there is nothing at this path: see /openapi.json", none},
	{"path with dots", all, func(r *request) { r.path = "/x/.." + r.path }, 404, "there is nothing at this path: see /openapi.json", none},
	{"method", all, func(r *request) { r.method = "TRACE" }, 405, "TRACE is not possible here, only ", none},
}

var none [2]string

func TestBadInputIsRefused(t *testing.T) {
	s := start(t, setup{})
	for _, bad := range badInputs {
		for call := range strings.FieldsSeq(bad.on) {
			t.Run(bad.name+"/"+call, func(t *testing.T) {
				token := s.create(t, `{"untouched":true}`)
				r := calls[call]
				if call != "create" {
					r.token = token
				}
				bad.spoil(&r)
				a := s.do(t, r).want(t, bad.name, bad.status)
				if !strings.Contains(a.detail(t), bad.detail) {
					t.Errorf("detail is %q, want %q", a.detail(t), bad.detail)
				}
				if name, value := bad.header[0], bad.header[1]; name != "" && a.header.Get(name) != value {
					t.Errorf("header %s is %q, want %q", name, a.header.Get(name), value)
				}
				if got := decode[session](t, s.get(t, token).want(t, "get", 200)); got.Rev != 1 || string(got.Value) != `{"untouched":true}` {
					t.Errorf("the refused call changed the session: %+v", got)
				}
			})
		}
	}
}

// Guessing teaches nothing: a wrong secret is answered as an unknown ID is.
func TestWrongSecretIsAnsweredAsAnUnknownID(t *testing.T) {
	s := start(t, setup{})
	token := s.create(t, `{}`)
	for call := range strings.FieldsSeq(onOne) {
		answers := [2]answer{}
		for i, id := range []string{token[:22], strings.Repeat("a", 22)} {
			r := calls[call]
			r.token = id + strings.Repeat("b", 22)
			answers[i] = s.do(t, r)
		}
		if answers[0].status != answers[1].status || answers[0].body != answers[1].body {
			t.Errorf("%s: wrong secret: %d %s; unknown ID: %d %s", call,
				answers[0].status, answers[0].body, answers[1].status, answers[1].body)
		}
		if want := map[bool]int{false: 404, true: 204}[call == "delete"]; answers[0].status != want {
			t.Errorf("%s: status %d, want %d", call, answers[0].status, want)
		}
	}
	s.wantValue(t, token, `{}`)
}

// A URL ends up in logs, histories and Referer headers.
func TestTokenInTheURLIsNotAccepted(t *testing.T) {
	s := start(t, setup{})
	token := s.create(t, `{}`)
	for path, status := range map[string]int{
		"/v1/session?token=" + token:                  401,
		"/v1/session?access_token=" + token:           401, // RFC 6750 section 2.3
		"/v1/session?Authorization=Bearer%20" + token: 401,
		"/v1/session/" + token:                        404,
		"/v1/sessions/" + token + "/value":            404,
		"/v1/session/" + token + "/refresh":           404,
		"/" + token:                                   404,
	} {
		a := s.do(t, request{method: "GET", path: path}).want(t, path, status)
		if want := map[int]string{401: noHeader, 404: "there is nothing at this path: see /openapi.json"}[status]; a.detail(t) != want {
			t.Errorf("detail is %q, want %q", a.detail(t), want)
		}
	}
	for path, status := range map[string]int{"/v1/session?access_token=" + token: 401, "/v1/session/" + token: 404} {
		s.do(t, request{method: "DELETE", path: path}).want(t, path, status)
	}
	s.wantValue(t, token, `{}`)
}

func TestRightRequestOfTheSameSiteIsServed(t *testing.T) {
	s := start(t, setup{})
	for _, site := range []string{"same-origin", "none"} {
		r := calls["create"]
		header("Sec-Fetch-Site", site)(&r)
		s.do(t, r).want(t, site, 201)
	}
}
