package server

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// appendixA are the test cases of RFC 7396, Appendix A.
var appendixA = []struct{ value, patch, want string }{
	{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
	{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
	{`{"a":"b"}`, `{"a":null}`, `{}`},
	{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
	{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
	{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
	{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
	{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
	{`["a","b"]`, `["c","d"]`, `["c","d"]`},
	{`{"a":"b"}`, `["c"]`, `["c"]`},
	{`{"a":"foo"}`, `null`, `null`},
	{`{"a":"foo"}`, `"bar"`, `"bar"`},
	{`{"e":null}`, `{"a":1}`, `{"a":1,"e":null}`},
	{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
	{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
}

func TestMergePatchDoesAppendixA(t *testing.T) {
	for _, test := range appendixA {
		got, err := mergePatch([]byte(test.value), []byte(test.patch))
		if err != nil || string(got) != test.want {
			t.Errorf("%s merged into %s is %s, %v; want %s", test.patch, test.value, got, err, test.want)
		}
	}
}

// The example in section 3 of the RFC.
func TestMergePatchDoesTheExampleOfTheRFC(t *testing.T) {
	const value = `{"title":"Goodbye!","author":{"givenName":"John","familyName":"Doe"},"tags":["example","sample"],"content":"This will be unchanged"}`
	const patch = `{"title":"Hello!","phoneNumber":"+01-123-456-7890","author":{"familyName":null},"tags":["example"]}`
	const want = `{"author":{"givenName":"John"},"content":"This will be unchanged","phoneNumber":"+01-123-456-7890","tags":["example"],"title":"Hello!"}`
	if got, err := mergePatch([]byte(value), []byte(patch)); err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}

func TestMergePatchRefusesWhatIsNotJSON(t *testing.T) {
	for _, bad := range []string{"", "{", `{"a"}`, "nope"} {
		for _, pair := range [][2]string{{bad, `{}`}, {`{}`, bad}} {
			if got, err := mergePatch([]byte(pair[0]), []byte(pair[1])); err == nil {
				t.Errorf("%q merged into %q is %s", pair[1], pair[0], got)
			}
		}
	}
}

// The deepest patch that the service reads, on the deepest value: quick, and
// without an overflow of the stack.
func TestMergePatchIsDeep(t *testing.T) {
	deep := []byte(strings.Repeat(`{"a":`, 10_000) + `1` + strings.Repeat(`}`, 10_000))
	if got, err := mergePatch(deep, deep); err != nil || !bytes.Equal(got, deep) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// oracle says the same as RFC 7396 in another way: it decodes a level at a
// time, and leaves alone what the patch does not name.
func oracle(t *testing.T, value, patch json.RawMessage) json.RawMessage {
	t.Helper()
	if !isObject(patch) {
		return patch
	}
	out := map[string]json.RawMessage{}
	if isObject(value) {
		decodeLevel(t, value, &out)
	}
	var members map[string]json.RawMessage
	decodeLevel(t, patch, &members)
	for name, member := range members {
		delete(out, name)
		if string(bytes.TrimSpace(member)) != "null" {
			var before map[string]json.RawMessage
			if isObject(value) {
				decodeLevel(t, value, &before)
			}
			out[name] = oracle(t, before[name], member)
		}
	}
	data, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func isObject(data []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) }

func decodeLevel(t *testing.T, data []byte, to *map[string]json.RawMessage) {
	t.Helper()
	if err := json.Unmarshal(data, to); err != nil {
		t.Fatal(err)
	}
}

func decoded(t *testing.T, data []byte) any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var out any
	if err := decoder.Decode(&out); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	return out
}

func FuzzMergePatch(f *testing.F) {
	for _, test := range appendixA {
		f.Add([]byte(test.value), []byte(test.patch))
	}
	f.Add([]byte(`{"n":9007199254740993,"e":1E+2}`), []byte(`{"x":[{"y":null}],"":{"":null}}`))
	f.Add([]byte(`{"a":1,"a":{"b":2}}`), []byte(`{"a":{"b":null},"a":{"c":1}}`))
	f.Add([]byte(`"\ud800"`), []byte(`{"<&>":"\u2028\ud800"}`))
	f.Add([]byte(`{`), []byte("\xff"))

	f.Fuzz(func(t *testing.T, value, patch []byte) {
		got, err := mergePatch(value, patch) // must not panic on anything
		if !json.Valid(value) || !json.Valid(patch) || !utf8.Valid(value) || !utf8.Valid(patch) {
			return // the service lets nothing of the kind come so far
		}
		if err != nil {
			t.Fatalf("%s merged into %s: %v", patch, value, err)
		}
		if !json.Valid(got) || !utf8.Valid(got) {
			t.Fatalf("%s merged into %s is not JSON: %s", patch, value, got)
		}
		if want := oracle(t, value, patch); !reflect.DeepEqual(decoded(t, got), decoded(t, want)) {
			t.Errorf("%s merged into %s is %s, want %s", patch, value, got, want)
		}
		// A client that does not know whether its patch arrived may repeat it.
		again, err := mergePatch(got, patch)
		if err != nil || !bytes.Equal(again, got) {
			t.Errorf("%s merged into %s is %s, and merged again %s, %v", patch, value, got, again, err)
		}
	})
}

// A value that nobody changed must not grow, or it may no longer fit; and a
// backslash before "u2028" is a backslash.
func TestSeparatorsStayAsTheyAre(t *testing.T) {
	value := "{\"a\":\"\u2028\u2029\",\"b\":\"\\\\u2028\\\\\\\\u2029\\\\\"}"
	got, err := mergePatch([]byte(value), []byte(`{}`))
	if err != nil || string(got) != value {
		t.Errorf("got %q (error %v), want %q", got, err, value)
	}
}
