package coatcheck

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// everything has a field of each kind that JSON's decoders treat in a way of its own.
type everything struct {
	String   string
	Bool     bool
	Int      int8
	Uint     uint64
	Float    float32
	Bytes    []byte
	Strings  []string
	Array    [2]int
	Map      map[string]int
	ByText   map[upper]bool
	Pointer  *everything
	Any      any
	Time     time.Time
	Duration time.Duration
	Raw      json.RawMessage
	Own      ownJSON
	OwnText  upper
	Renamed  int `json:"re-named"`
	Ignored  int `json:"-"`
	Omitted  int `json:",omitempty"`
	embedded
	*Embedded
	Reader interface{ Read([]byte) (int, error) }
}

type (
	embedded struct{ Inner, Renamed int }
	Embedded struct{ Outer, String string }
	ownJSON  struct{ text string }
	upper    string
)

func (o *ownJSON) UnmarshalJSON(data []byte) error {
	if len(data) > 20 {
		return errors.New("too long")
	}
	o.text = string(data)
	return nil
}

func (u *upper) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("empty")
	}
	*u = upper(strings.ToUpper(string(text)))
	return nil
}

// The codec decodes what package encoding/json does, to the same values, and nothing
// else.
func FuzzJSONDecode(f *testing.F) {
	for _, seed := range []string{
		`{"String":"a","Bool":true,"Int":-128,"Uint":18446744073709551615,"Float":1e3,"Bytes":"aGk=","Strings":["b",null]}`,
		`{"string":"by another case","STRING":"twice","Int":1,"Int":2,"Unknown":[{"a":[]}]}`,
		`{"Array":[1,2,3],"Map":{"a":1,"a":2},"ByText":{"a":true}}`,
		`{"Array":[1],"Pointer":{"Pointer":{"String":"deep"}},"Any":{"a":[1,"b",null,true,1.5]}}`,
		`{"Time":"2026-12-01T01:02:03.004Z","Duration":1000000000,"Raw":{"a" : 1}}`,
		`{"Own":[1, 2],"OwnText":"abc","re-named":1,"Ignored":2,"-":3}`,
		`{"Inner":1,"Outer":"o","Renamed":7,"Reader":null}`,
		`{"String":null,"Map":null,"Pointer":null,"Any":null,"Time":null,"Raw":null,"Own":null,"OwnText":null}`,
		`{"Int":128}`, `{"Int":1.5}`, `{"Int":"1"}`, `{"Uint":-1}`, `{"Float":1e60}`, `{"Bytes":"%"}`, `{"Bytes":[1,2]}`,
		`{"Time":"2026-12-01"}`, `{"Time":"2026-12-01T1:02:03Z"}`, `{"Time":"2026-12-01T01:02:03,004Z"}`, `{"Duration":"1s"}`,
		`{"ByText":{"":true}}`, `{"OwnText":""}`, `{"Own":"` + strings.Repeat("x", 30) + `"}`,
		`{"Reader":1}`, `{"String":"\ud800","Any":"\udc00"}`, "{\"String\":\"\xff\",\"Map\":{\"\xfe\":1}}", "{\"\xff\":1}",
		`null`, ` {} `, `{}{}`, `{`, `[]`, `1`, `"x"`, ``, ` `, `{"a":1,}`, `{"a" 1}`, "\ufeff{}", "{\"String\":\"\x00\"}", `{"Int":01}`, `{"Int":-0}`,
		`{"Any":1e999}`, `{"Any":{"a":1,"a":2}}`, `{"Any":` + strings.Repeat("[", 50) + strings.Repeat("]", 50) + `}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		sameAsEncodingJSON[everything](t, data)
		sameAsEncodingJSON[*everything](t, data)
		sameAsEncodingJSON[any](t, data)
		sameAsEncodingJSON[map[string]any](t, data)
		sameAsEncodingJSON[Attributes](t, data)
		sameAsEncodingJSON[[]int](t, data)
		sameAsEncodingJSON[string](t, data)
		sameAsEncodingJSON[float64](t, data)
	})
}

func sameAsEncodingJSON[T any](t *testing.T, data []byte) {
	before := string(data)
	got, gotErr := JSON[T]{}.Decode(data)
	if string(data) != before {
		t.Errorf("%T: the data was changed", got)
	}
	var want T
	wantErr := json.Unmarshal(data, &want)
	if (gotErr == nil) != (wantErr == nil) {
		t.Fatalf("%T: %v; encoding/json: %v", got, gotErr, wantErr)
	}
	if wantErr == nil && !reflect.DeepEqual(got, want) {
		t.Errorf("%T: %+v; encoding/json: %+v", got, got, want)
	}
}

// Decoded values share no memory with the data, which may be the store's.
func TestDecodedJSONIsItsOwn(t *testing.T) {
	data := []byte(`{"String":"abc","Bytes":"aGk=","Map":{"key":1},"Raw":[1],"Any":{"a":"b"},"Strings":["x"]}`)
	got, err := JSON[everything]{}.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	for i := range data {
		data[i] = '#'
	}
	want := everything{
		String: "abc", Bytes: []byte("hi"), Map: map[string]int{"key": 1}, Raw: json.RawMessage("[1]"),
		Any: map[string]any{"a": "b"}, Strings: []string{"x"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

// appending counts on being empty before.
type appending []string

func (a *appending) UnmarshalJSON(data []byte) error {
	*a = append(*a, string(data))
	return nil
}

// What is decoded a second time, by package encoding/json, is not added to what came of
// the first time.
func TestDecodedJSONIsDecodedOnce(t *testing.T) {
	got, err := JSON[struct {
		First appending
		Then  struct{ Ab, AB int }
	}]{}.Decode([]byte(`{"First":1,"Then":{"ab":2}}`)) // which the module finds ambiguous
	if err != nil || got.Then.Ab+got.Then.AB != 2 || !reflect.DeepEqual(got.First, appending{"1"}) {
		t.Errorf("got %+v, %v", got, err)
	}
}

type (
	number    struct{ Number json.Number }
	numberKey map[json.Number]string
	embedding struct {
		Inner struct{ A int } `json:",embed"`
	}
	strict struct {
		A int `json:"a,case:strict"`
	}
	formatted struct {
		A time.Duration `json:",format:units"`
	}
	quotedName struct {
		A int `json:"'a b'"`
	}
	unusualName struct {
		A int `json:"\U0001f642"`
	}
	newer  struct{ A int }
	within struct {
		List []map[string]*[2]newer
	}
	ownNumber struct{ n json.Number }
	defaults  struct{ A int }
	promoted  struct {
		X struct {
			defaults
			Extra string
		}
	}
	promotedText struct {
		X []struct {
			upperText
			Extra string
		}
	}
	upperText    struct{ text upper }
	quotedMethod struct {
		Grade upper `json:",string"`
	}
	quotedFloat struct {
		F float64 `json:",string"`
	}
	byNumber  map[int]string
	byAny     map[any]int
	byPointer map[*upper]int
	recursive struct {
		Next   *recursive
		Number []json.Number
	}
)

func (n *newer) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	n.A = 7
	return d.SkipValue()
}

func (d *defaults) UnmarshalJSON(data []byte) error {
	type plain defaults
	d.A = 1
	return json.Unmarshal(data, (*plain)(d))
}

func (u *upperText) UnmarshalText(text []byte) error { return u.text.UnmarshalText(text) }

func (o *ownNumber) UnmarshalJSON(data []byte) error {
	o.n = json.Number(data)
	return nil
}

// Types of which the two decoders have different ideas are decoded by encoding/json.
func TestJSONOfTypesDecodedOtherwise(t *testing.T) {
	decodedByEncodingJSON(t, number{"1"}, `{"Number":"1"}`)
	decodedByEncodingJSON(t, numberKey{"1": "a"}, `{"x":""}`)
	decodedByEncodingJSON(t, embedding{struct{ A int }{1}}, `{"A":1}`)
	decodedByEncodingJSON(t, strict{1}, `{"A":1}`)
	decodedByEncodingJSON(t, formatted{time.Second}, `{"A":"1s"}`)
	decodedByEncodingJSON(t, quotedName{1}, `{"a b":1}`)
	decodedByEncodingJSON(t, unusualName{1}, "{\"\U0001f642\":1}")
	decodedByEncodingJSON(t, newer{1}, `{}`)
	decodedByEncodingJSON(t, within{[]map[string]*[2]newer{{"a": {{1}, {2}}}}}, `{}`)
	var p promoted
	p.X.A, p.X.Extra = 2, "precious"
	decodedByEncodingJSON(t, p, `{"X":{"Extra":"precious"}}`)
	decodedByEncodingJSON(t, promotedText{}, `{"X":["abc"]}`)
	decodedByEncodingJSON(t, quotedMethod{"GOOD"}, `{"Grade":"good"}`)
	decodedByEncodingJSON(t, quotedFloat{1}, `{"F":"NaN"}`)
	decodedByEncodingJSON(t, byNumber{0: "a"}, `{"0":"a","null":"b"}`)
	decodedOnlyByEncodingJSON[byAny](t, `{"x":1}`)
	decodedOnlyByEncodingJSON[byPointer](t, `{"x":1}`)
	decodedByEncodingJSON(t, recursive{Next: &recursive{Number: []json.Number{"1"}}}, `{"Next":{"Number":["1"]}}`)
}

// decodedByEncodingJSON also tries data that others than encoding/json wrote.
func decodedByEncodingJSON[T any](t *testing.T, value T, others string) {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	decodedOnlyByEncodingJSON[T](t, string(data), others)
}

func decodedOnlyByEncodingJSON[T any](t *testing.T, texts ...string) {
	t.Helper()
	for _, data := range texts {
		sameAsEncodingJSON[T](t, []byte(data))
	}
	if decodedAlike(reflect.TypeFor[T]()) {
		t.Errorf("%v is left to the module", reflect.TypeFor[T]())
	}
}

// All others, which are decoded faster.
func TestJSONOfTypesDecodedAlike(t *testing.T) {
	for _, alike := range []reflect.Type{
		reflect.TypeFor[everything](), // so that the fuzz target compares the two
		reflect.TypeFor[Attributes](),
		reflect.TypeFor[any](),
		reflect.TypeFor[ownNumber](),
		reflect.TypeFor[struct {
			Name string `json:"dc:title,omitempty" yaml:"name,inline"`
			At   *time.Time
			None int `json:"-"`
		}](),
	} {
		if !decodedAlike(alike) {
			t.Errorf("%v is left to encoding/json", alike)
		}
	}
}
