package coatcheck

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// MarshalJSON returns the value, as [Session.Get] does, as JSON: by package
// encoding/json, whatever the codec. It has no context: call Get before, if it
// should not ask the store for as long as that takes.
func (s *Session[T]) MarshalJSON() ([]byte, error) {
	value, err := s.Get(context.Background())
	if err != nil {
		return nil, err
	}
	return json.Marshal(value)
}

// String returns the ID: neither the token nor the value.
func (s *Session[T]) String() string {
	if id := s.Status().Token.ID(); id != "" {
		return "session " + id
	}
	return "new session"
}

// Format prints String for every verb that package fmt hands to a formatter.
func (s *Session[T]) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, s.String()) // fmt gives no way to report it
}

// LogValue logs String.
func (s *Session[T]) LogValue() slog.Value { return slog.StringValue(s.String()) }
