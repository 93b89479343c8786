package coatcheck

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"unicode"

	jsonv2 "github.com/go-json-experiment/json"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// JSON is the default codec: package encoding/json.
type JSON[T any] struct{}

// Encode returns value as JSON.
func (JSON[T]) Encode(value T) ([]byte, error) {
	data, err := json.Marshal(value)
	if err == nil {
		return data, nil
	}
	var unsupported *json.UnsupportedTypeError
	if errors.As(err, &unsupported) {
		return nil, unsupported // names a Go type
	}
	return nil, fmt.Errorf("%T cannot be written as JSON", value) // the cause may quote it
}

// Decode returns the value that data is the JSON of. Members that T has no
// field for are ignored, so that a type can lose a field between two versions
// of a program.
//
// It is what package encoding/json makes of data, but where that package is the one of
// Go 1.26 or older, in less than half the time: by the one of Go 1.27, which for older ones
// is a module. What that does not take is decoded by package encoding/json itself, and
// so are types of which the two have different ideas: that contain a [json.Number], a map
// by numbers, a struct without a name that has the method of another it embeds, the option
// string in a struct tag, or tags that only the newer one understands. (It takes a few texts
// that encoding/json refuses, such as a [time.Time] with escapes in it.)
func (j JSON[T]) Decode(data []byte) (T, error) {
	var value T
	err := j.decodeTo(data, &value)
	return value, err
}

// decodeTo is Decode for a value, which is zero, in memory that there is already.
func (JSON[T]) decodeTo(data []byte, value *T) error {
	if decodedAlike(reflect.TypeFor[T]()) {
		if jsonv2.Unmarshal(data, value, likeEncodingJSON) == nil {
			return nil
		}
		var zero T
		*value = zero // it may be half filled
	}
	return withoutData(json.Unmarshal(data, value))
}

// likeEncodingJSON has the module decode like package encoding/json, but for errors, which
// nobody sees: that would have it read all data twice, and take struct tags that it does
// not understand.
var likeEncodingJSON = jsonv2.JoinOptions(jsonv1.DefaultOptionsV1(), jsonv1.ReportErrorsWithLegacySemantics(false))

// withoutData removes from an error of encoding/json what it quotes: a value
// must not get into a log by way of an error.
func withoutData(err error) error {
	if err == nil {
		return nil // before the variables, which are on the heap
	}
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax): // which quotes one character; what wraps it, who knows
		return syntax
	case errors.As(err, &mismatch):
		mismatch.Value, _, _ = strings.Cut(mismatch.Value, " ") // "number 4111…"
		return mismatch
	default:
		return errors.New("the type refuses it")
	}
}

// decodedAlike reports whether the module, where it takes some data for the type, makes
// of it what package encoding/json does.
func decodedAlike(t reflect.Type) bool {
	if known, ok := alike.Load(t); ok {
		return known.(bool)
	}
	is := looksAlike(t, make(map[reflect.Type]bool))
	alike.Store(t, is)
	return is
}

var alike sync.Map // of bool by reflect.Type: as many as there are types in the program

// looksAlike is decodedAlike for a part of a type, of which the others have been looked
// at.
func looksAlike(t reflect.Type, others map[reflect.Type]bool) bool {
	if others[t] {
		return true
	}
	others[t] = true
	switch {
	case t == numberType: // the module takes any string for it
		return false
	case reflect.PointerTo(t).Implements(unmarshalerFromType): // encoding/json does not call that
		return false
	case t.Kind() == reflect.Struct && t.Name() == "" && hasMethods(t): // nor, always, those by embedding
		return false
	case reflect.PointerTo(t).Implements(unmarshalerType):
		return true // both have it do as it likes
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return looksAlike(t.Elem(), others)
	case reflect.Map:
		return keysAlike(t.Key()) && looksAlike(t.Key(), others) && looksAlike(t.Elem(), others)
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); !taggedAlike(f.Tag.Get("json")) || !looksAlike(f.Type, others) {
				return false
			}
		}
	}
	return true
}

// hasMethods reports whether the type can decode itself.
func hasMethods(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(unmarshalerType) || reflect.PointerTo(t).Implements(textUnmarshalerType)
}

// keysAlike reports whether the two take the same names for keys of the type: of others the
// module takes "null" for zero, or any at all.
func keysAlike(t reflect.Type) bool {
	switch {
	case reflect.PointerTo(t).Implements(unmarshalerType): // which is for values
		return false
	case reflect.PointerTo(t).Implements(textUnmarshalerType):
		return true
	default:
		return t.Kind() == reflect.String
	}
}

var (
	numberType          = reflect.TypeFor[json.Number]()
	unmarshalerType     = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
	unmarshalerFromType = reflect.TypeFor[jsonv2.UnmarshalerFrom]()
)

// taggedAlike reports whether the two understand the tag in the same way: encoding/json
// ignores options that it does not know, of which the module knows some, and names with
// unusual characters. With the option string it has methods decode what is in the quotes,
// and the module takes more for numbers.
func taggedAlike(tag string) bool {
	name, options, _ := strings.Cut(tag, ",")
	if strings.ContainsFunc(name, unusualInName) {
		return false
	}
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "", "omitempty", "omitzero":
		default:
			return false
		}
	}
	return true
}

// unusualInName is what encoding/json does not take in a name.
func unusualInName(r rune) bool {
	return !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
}
