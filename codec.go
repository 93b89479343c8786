package coatcheck

import "encoding/json"

// Codec turns values into bytes for the store and back. It must be safe for
// concurrent use. Decode must return a value that shares no memory with its
// input or with an earlier result.
type Codec[T any] interface {
	Encode(value T) ([]byte, error)
	Decode(data []byte) (T, error)
}

// JSON is the default codec: package encoding/json.
type JSON[T any] struct{}

// Encode returns value as JSON.
func (JSON[T]) Encode(value T) ([]byte, error) { return json.Marshal(value) }

// Decode returns the value that data is the JSON of. Members that T has no
// field for are ignored, so that a type can lose a field between two versions
// of a program.
func (JSON[T]) Decode(data []byte) (T, error) {
	var value T
	err := json.Unmarshal(data, &value)
	return value, err
}
