package server_test

import "testing"

// What RFC 7396 demands is in mergepatch_test.go; here is that PATCH does it,
// and what the RFC leaves open.
func TestPatchMergesIntoTheValue(t *testing.T) {
	tests := []struct{ name, value, patch, want string }{
		{"adds and replaces", `{"a":1,"b":{"c":2}}`, `{"a":"x","b":{"d":3}}`, `{"a":"x","b":{"c":2,"d":3}}`},
		{"null removes", `{"a":1,"b":{"c":2,"d":3}}`, `{"a":null,"b":{"c":null},"absent":null}`, `{"b":{"d":3}}`},
		{"null below a new name leaves nothing", `{}`, `{"a":{"b":null,"c":1}}`, `{"a":{"c":1}}`},
		{"arrays are replaced", `{"a":[1,2,3]}`, `{"a":[4]}`, `{"a":[4]}`},
		{"null in an object in an array stays", `{"a":1}`, `{"a":[{"b":null},null]}`, `{"a":[{"b":null},null]}`},
		{"null in the value stays", `{"a":null}`, `{"b":1}`, `{"a":null,"b":1}`},
		{"numbers keep their digits", `{"old":9007199254740993,"e":1E+2,"f":1.50}`, `{"new":123456789012345678901234567890.10}`,
			`{"e":1E+2,"f":1.50,"new":123456789012345678901234567890.10,"old":9007199254740993}`},
		{"signs of HTML stay", `{"old":"<&>"}`, `{"new":"<b>&"}`, `{"new":"<b>&","old":"<&>"}`},
		{"empty patch", `{"a":1}`, `{}`, `{"a":1}`},
		{"an object replaces what is none", `[1]`, `{"a":1}`, `{"a":1}`},
		{"what is no object replaces all", `{"a":1}`, `["x"]`, `["x"]`},
		{"null replaces all", `{"a":1}`, `null`, `null`},
		{"into null", `null`, `{"a":1}`, `{"a":1}`},
		{"empty name", `{"":1}`, `{"":null,"x":""}`, `{"x":""}`},
	}
	s := start(t, setup{})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			token := s.create(t, test.value)
			a := s.patch(t, token, test.patch, "").want(t, "patch", 200)
			got := decode[session](t, a)
			if string(got.Value) != test.want || got.Rev != 2 || got.ID != token[:22] || a.header.Get("ETag") != `"2"` {
				t.Errorf("got ETag %s, %s\nwant the value %s", a.header.Get("ETag"), a.body, test.want)
			}
			s.wantValue(t, token, test.want)
		})
	}
}

func TestPatchTakesParametersOfItsMediaType(t *testing.T) {
	s := start(t, setup{})
	token := s.create(t, `{}`)
	for _, mediaType := range []string{"application/merge-patch+json; charset=utf-8", "application/merge-patch+json;x=y"} {
		s.do(t, request{method: "PATCH", path: "/v1/session", token: token, body: `{"a":1}`,
			header: map[string]string{"Content-Type": mediaType}}).want(t, mediaType, 200)
	}
}
