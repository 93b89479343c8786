package coatcheck

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// Codec turns values into bytes for the store and back. It must be safe for
// concurrent use. Decode must return a value that shares no memory with its
// input or with an earlier result. Errors must not repeat the data.
type Codec[T any] interface {
	Encode(value T) ([]byte, error)
	Decode(data []byte) (T, error)
}

// Bytes is the codec for values that are encoded already, by Protocol Buffers for
// example: the store is given what the application gives, byte for byte. An empty value
// may come back as nil. Set it in [Config], for T []byte.
type Bytes struct{}

// Encode returns value itself.
func (Bytes) Encode(value []byte) ([]byte, error) { return value, nil }

// Decode returns a copy of data, without room for more: who appends to what he has read
// gets memory of his own, and does not write to that of other readers.
func (Bytes) Decode(data []byte) ([]byte, error) { return slices.Clip(bytes.Clone(data)), nil }

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
// Go 1.26 or older, in a third of the time: by the one of Go 1.27, which for older ones
// is a module. What that does not take is decoded by package encoding/json itself.
func (j JSON[T]) Decode(data []byte) (T, error) {
	var value T
	err := j.decodeTo(data, &value)
	return value, err
}

// decodeTo is Decode for a value, which is zero, in memory that there is already.
func (JSON[T]) decodeTo(data []byte, value *T) error {
	if jsonv2.Unmarshal(data, value, likeEncodingJSON) == nil {
		return nil
	}
	var zero T
	*value = zero // it may be half filled
	return withoutData(json.Unmarshal(data, value))
}

// likeEncodingJSON has the module decode like package encoding/json, whose type Number it
// takes for any string.
var likeEncodingJSON = jsonv2.JoinOptions(jsonv1.DefaultOptionsV1(), jsonv2.WithUnmarshalers(
	jsonv2.UnmarshalFromFunc(func(d *jsontext.Decoder, n *json.Number) error {
		if d.PeekKind() != jsontext.KindNumber {
			return errNoNumber
		}
		text, err := d.ReadValue()
		*n = json.Number(text)
		return err
	}),
))

var errNoNumber = errors.New("not a number") // which encoding/json then says, or makes of it what it can

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
