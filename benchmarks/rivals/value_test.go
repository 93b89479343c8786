package rivals

import (
	"encoding/json"
	"errors"
	"testing"
)

func TestSample(t *testing.T) {
	for _, size := range sizes {
		value, err := Sample(size)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(value)
		if err != nil || len(text) != size {
			t.Errorf("%d bytes of JSON (error %v), want %d", len(text), err, size)
		}
	}
	if value, err := Sample(10); err == nil {
		t.Errorf("10 bytes: %+v, want an error", value)
	}
}

// TestCheck makes sure that a read is told from one that found something else.
func TestCheck(t *testing.T) {
	env := Env{Value: Profile{User: "alice", Text: "xyz"}}
	for _, right := range []Profile{env.Value, {User: "alice", Views: 9, Text: "abc"}} {
		if err := env.check(right); err != nil {
			t.Errorf("%+v: error %v", right, err)
		}
	}
	for _, wrong := range []Profile{
		{},
		{User: "bob", Text: "xyz"},
		{User: "alice", Text: "xy"},
		{User: "alice", Views: -1, Text: "xyz"},
	} {
		if err := env.check(wrong); !errors.Is(err, ErrMissing) {
			t.Errorf("%+v: error %v, want %v", wrong, err, ErrMissing)
		}
	}
}
