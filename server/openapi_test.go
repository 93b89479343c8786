package server_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// document is what these tests read of an OpenAPI document.
type document struct {
	OpenAPI string
	Info    struct{ Title, Version string }
	Servers []any
	Paths   map[string]map[string]struct {
		OperationID string
		Summary     string
		Security    []map[string][]string
		Parameters  []struct{ Name, In string }
		RequestBody *struct {
			Required bool
			Content  map[string]any
		}
		Responses map[string]any
	}
	Components struct {
		SecuritySchemes map[string]struct{ Type, Scheme, In, Name string }
	}
}

func (s *service) document(t *testing.T) (document, answer) {
	t.Helper()
	a := s.do(t, request{method: "GET", path: "/openapi.json"}).want(t, "openapi.json", 200)
	return decode[document](t, a), a
}

func TestDocumentIsOpenAPI31(t *testing.T) {
	doc, a := start(t, setup{}).document(t)
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") {
		t.Errorf("openapi is %q", doc.OpenAPI)
	}
	if doc.Info.Title != "coatcheck" || doc.Info.Version != "1.2.3" {
		t.Errorf("info is %+v", doc.Info)
	}
	if got := a.header.Get("Content-Type"); got != "application/openapi+json" {
		t.Errorf("Content-Type is %q", got)
	}
}

// DESIGN section 8, and nothing else.
func TestDocumentHasTheCallsOfTheDesign(t *testing.T) {
	doc, _ := start(t, setup{}).document(t)
	want := map[string]string{
		"/debug/vars":                     "get",
		"/healthz":                        "get",
		"/readyz":                         "get",
		"/v1/session":                     "delete get patch put",
		"/v1/session/refresh":             "post",
		"/v1/session/renew":               "post",
		"/v1/sessions":                    "post",
		"/v1/sessions/{id}":               "delete get",
		"/v1/subjects/{subject}/sessions": "delete get",
	}
	got := map[string]string{}
	for path, operations := range doc.Paths {
		got[path] = strings.Join(slices.Sorted(maps.Keys(operations)), " ")
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Every method on every path is either in the document and served, or is
// answered with 405 and the list of those that are.
func TestServiceServesWhatTheDocumentHas(t *testing.T) {
	s := start(t, setup{})
	doc, _ := s.document(t)
	for path, operations := range doc.Paths {
		allow := []string{}
		for method := range operations {
			allow = append(allow, strings.ToUpper(method))
		}
		if operations["get"].OperationID != "" {
			allow = append(allow, "HEAD")
		}
		slices.Sort(allow)
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"} {
			a := s.do(t, request{method: method, path: path})
			if slices.Contains(allow, method) {
				if a.status == 404 || a.status == 405 {
					t.Errorf("%s %s is not served: %d %s", method, path, a.status, a.body)
				}
				continue
			}
			a.want(t, method+" "+path, 405)
			if got := a.header.Get("Allow"); got != strings.Join(allow, ", ") {
				t.Errorf("%s %s: Allow is %q, want %q", method, path, got, allow)
			}
		}
	}
}

func TestDocumentDeclaresWhoMayCall(t *testing.T) {
	for _, keys := range [][]string{nil, {firstKey}} {
		doc, _ := start(t, setup{keys: keys}).document(t)
		schemes := doc.Components.SecuritySchemes
		if token := schemes["token"]; token.Type != "http" || token.Scheme != "bearer" {
			t.Errorf("scheme of the token: %+v", token)
		}
		if key := schemes["apiKey"]; key.Type != "apiKey" || key.In != "header" || key.Name != "X-API-Key" {
			t.Errorf("scheme of the key: %+v", key)
		}
		if key := schemes["adminKey"]; key.Type != "apiKey" || key.In != "header" || key.Name != "X-API-Key" {
			t.Errorf("scheme of the admin key: %+v", key)
		}
		for path, operations := range doc.Paths {
			for method, operation := range operations {
				want := []string{}
				if forAdmins(path) {
					want = append(want, "adminKey")
				} else if keys != nil && (strings.HasPrefix(path, "/v1/") || path == "/debug/vars") {
					want = append(want, "apiKey")
				}
				if path == "/v1/session" || path == "/v1/session/refresh" || path == "/v1/session/renew" {
					want = append(want, "token")
				}
				got := []string{} // all of one entry are needed, any entry will do
				if len(operation.Security) > 1 {
					t.Errorf("%s %s offers a choice: %v", method, path, operation.Security)
				}
				for _, needed := range operation.Security {
					got = slices.Sorted(maps.Keys(needed))
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s %s with %d keys: security %v, want %v", method, path, len(keys), got, want)
				}
			}
		}
	}
}

// forAdmins says of each path whether its calls are on the sessions of others.
func forAdmins(path string) bool { return strings.Contains(path, "{") }

// A page that shows the document must not make its reader's browser load
// anything from elsewhere. example.com is in samples of huma's error model.
func TestDocumentRefersToNoOtherHost(t *testing.T) {
	doc, a := start(t, setup{}).document(t)
	if len(doc.Servers) > 0 {
		t.Errorf("servers: %v", doc.Servers)
	}
	for _, url := range regexp.MustCompile(`[a-z]+://[^"]*`).FindAllString(a.body, -1) {
		if !strings.HasPrefix(url, "https://example.com/") {
			t.Errorf("refers to %s", url)
		}
	}
	for _, ref := range regexp.MustCompile(`"\$ref": *"([^"]*)"`).FindAllStringSubmatch(a.body, -1) {
		if !strings.HasPrefix(ref[1], "#/components/") {
			t.Errorf("refers to %s", ref[1])
		}
	}
	for _, name := range []string{`"$schema"`, `"externalDocs"`, `"url"`} {
		if strings.Contains(a.body, name) {
			t.Errorf("has %s", name)
		}
	}
}

func TestDocumentDeclaresBodiesAndErrors(t *testing.T) {
	doc, _ := start(t, setup{}).document(t)
	bodies := map[string]string{
		"create": "application/json", "put": "application/json", "patch": "application/merge-patch+json", "renew": "application/json",
	}
	parameters := map[string]string{ // but for If-Match, of a call
		"listSessions": "subject in path", "endSessions": "subject in path, except in query, everywhere in query",
		"describeSession": "id in path", "endSession": "id in path, everywhere in query",
	}
	for path, operations := range doc.Paths {
		for method, operation := range operations {
			mediaType := ""
			if operation.RequestBody != nil {
				mediaType = strings.Join(slices.Sorted(maps.Keys(operation.RequestBody.Content)), " ")
				if operation.RequestBody.Required == (operation.OperationID == "renew") {
					t.Errorf("%s %s: whether the body is required: %v", method, path, operation.RequestBody.Required)
				}
			}
			if mediaType != bodies[operation.OperationID] {
				t.Errorf("%s %s takes %q, want %q", method, path, mediaType, bodies[operation.OperationID])
			}
			if operation.Summary == "" {
				t.Errorf("%s %s has no summary", method, path)
			}
			if strings.HasPrefix(path, "/v1/") && ((operation.Responses["401"] == nil) != (path == "/v1/sessions") || operation.Responses["503"] == nil) {
				t.Errorf("%s %s declares %v", method, path, slices.Sorted(maps.Keys(operation.Responses)))
			}
			got := []string{}
			for _, parameter := range operation.Parameters {
				if parameter.In != "header" || parameter.Name != "If-Match" {
					got = append(got, parameter.Name+" in "+parameter.In)
				}
			}
			if want := parameters[operation.OperationID]; strings.Join(got, ", ") != want {
				t.Errorf("%s %s has the parameters %q, want %q", method, path, got, want)
			}
			for _, status := range strings.Fields(answers[operation.OperationID]) {
				if operation.Responses[status] == nil {
					t.Errorf("%s %s does not declare %s: %v", method, path, status, slices.Sorted(maps.Keys(operation.Responses)))
				}
			}
		}
	}
}

// answers are those of the calls on tokens and on the sessions of others that
// their tests have met.
var answers = map[string]string{
	"create": "201 400 403 413 415 422 503", "renew": "200 400 401 403 404 409 413 415 422 503",
	"listSessions": "200 400 401 403 422 501 503", "endSessions": "200 400 401 403 422 501 503",
	"describeSession": "200 400 401 403 404 422 503", "endSession": "204 400 401 403 422 503",
}

// What an administrator is shown is typed, and holds no value.
func TestDocumentDescribesSessionsWithoutTheirValues(t *testing.T) {
	_, a := start(t, setup{}).document(t)
	schemas := decode[struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]any
				Required   []string
			}
		}
	}](t, a).Components.Schemas
	got := schemas["SessionInfo"]
	want := "client created_at expires_at id last_seen renewed_at rev subject"
	if names := strings.Join(slices.Sorted(maps.Keys(got.Properties)), " "); names != want {
		t.Errorf("members %s, want %s", names, want)
	}
	slices.Sort(got.Required)
	if names := strings.Join(got.Required, " "); names != want {
		t.Errorf("required %s, want %s", names, want)
	}
}
