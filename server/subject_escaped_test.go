package server_test

import (
	"net/http"
	"testing"
)

// A path that is escaped where it need not be must not have the subject unescaped
// twice: the sessions of another subject would be listed, or ended.
func TestSubjectIsUnescapedOnce(t *testing.T) {
	s := start(t, asAdmin)
	s.do(t, request{method: http.MethodPost, path: "/v1/sessions", body: `{"value":1,"subject":"a"}`}).want(t, "create", 201)
	s.admin(t, "DELETE", "/v1/%73ubjects/%2561/sessions") // of the subject %61
	if n := len(s.list(t, "a")); n != 1 {
		t.Errorf("%d sessions of another subject are left, want 1", n)
	}
}
