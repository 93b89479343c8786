package coatcheck

import (
	"bytes"
	"slices"
)

// Codec turns values into bytes for the store and back. It must be safe for
// concurrent use. Decode must return a value that shares no memory with its
// input or with an earlier result, and leave its input as it is, for others may be
// reading it. Errors must not repeat the data.
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
