package server_test

import (
	"strings"
	"testing"
)

// values are JSON that a decoder and encoder on the way would change.
var values = map[string]string{
	"null":                    `null`,
	"true":                    `true`,
	"false":                   `false`,
	"empty string":            `""`,
	"zero":                    `0`,
	"minus zero":              `-0`,
	"empty object":            `{}`,
	"empty array":             `[]`,
	"string that looks odd":   `"null"`,
	"integer beyond 2^53":     `{"n":9007199254740993}`,
	"300 digits":              strings.Repeat("7", 300),
	"exponent as written":     `[1E+2,1e2,1.50,-0.0,5e-324]`,
	"order of members":        `{"z":1,"a":2}`,
	"null members":            `{"a":null,"b":[null]}`,
	"unicode escapes":         `"\u00e9\u2028\u003c\ud83d\ude00\/"`,
	"lone surrogate":          `"\ud800"`,
	"unicode as it is":        `"é😀` + "\u2028" + `"`,
	"NUL":                     `"\u0000"`,
	"signs of HTML":           `"<script>&amp;</script>"`,
	"duplicate names":         `{"a":1,"a":2}`,
	"empty name":              `{"":0}`,
	"names of the API":        `{"value":1,"token":2,"$schema":3}`,
	"9,999 levels":            strings.Repeat("[", 9999) + strings.Repeat("]", 9999),
	"white space in a string": `" a  b\t"`,
}

func TestValueComesBackByteForByte(t *testing.T) {
	s := start(t, setup{})
	for name, value := range values {
		t.Run(name, func(t *testing.T) {
			token := s.create(t, value)
			s.wantValue(t, token, value)
			other := s.create(t, `"before"`)
			a := s.put(t, other, value, "").want(t, "put", 200)
			if got := decode[session](t, a).Value; string(got) != value {
				t.Errorf("put answers with %s", got)
			}
			s.wantValue(t, other, value)
		})
	}
}

func TestWhiteSpaceIsNotKept(t *testing.T) {
	s := start(t, setup{})
	token := s.create(t, " {\r\n\t\"a\" : [ 1 , \" x \" ] } ")
	s.wantValue(t, token, `{"a":[1," x "]}`)
	s.put(t, token, " [ ] ", "").want(t, "put", 200)
	s.wantValue(t, token, `[]`)
}

// The limit counts compact JSON, so that who sends it neatly laid out may send
// as much as others.
func TestValueAtTheLimitIsAccepted(t *testing.T) {
	s := start(t, setup{manager: config{MaxValueBytes: 100}})
	atLimit := `"` + strings.Repeat("x", 98) + `"`
	token := s.create(t, strings.Repeat(" ", 1000)+atLimit)
	s.wantValue(t, token, atLimit)
	s.put(t, token, `"`+strings.Repeat("x", 99)+`"`, "").want(t, "one byte more", 413)
	s.wantValue(t, token, atLimit)
}

// What a patch makes of the value counts, not the patch.
func TestPatchCannotGrowTheValueBeyondTheLimit(t *testing.T) {
	s := start(t, setup{manager: config{MaxValueBytes: 100}})
	token := s.create(t, `{"a":"`+strings.Repeat("x", 60)+`"}`)
	a := s.patch(t, token, `{"b":"`+strings.Repeat("x", 60)+`"}`, "").want(t, "patch", 413)
	if want := "the value is too large: at most 100 bytes of compact JSON are kept"; a.detail(t) != want {
		t.Errorf("detail is %q, want %q", a.detail(t), want)
	}
	if rev := decode[session](t, s.get(t, token)).Rev; rev != 1 {
		t.Errorf("rev is %d after a refused patch", rev)
	}
	s.patch(t, token, `{"a":null,"b":"`+strings.Repeat("x", 60)+`"}`, "").want(t, "patch that makes room", 200)
}

// RFC 8259 leaves open what a name means that comes twice. We refuse it in what we
// read; a value is its holder's.
func TestNamesInAValueMayBeRepeated(t *testing.T) {
	s := start(t, setup{})
	value := `{"a":1,"a":{"b":[{"c":1,"c":2}]}}`
	token := s.create(t, value)
	s.wantValue(t, token, value)
	s.put(t, token, `[`+value+`]`, "").want(t, "put", 200)
	s.wantValue(t, token, `[`+value+`]`)
	// One that several objects have is no repetition, nor is one that is a value.
	s.patch(t, token, `{"a":{"a":"a","b":"a"},"b":[{"a":1},{"a":1}],"value":{"value":1}}`, "").want(t, "patch", 200)
}
