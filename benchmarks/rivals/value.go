package rivals

import (
	"encoding/gob"
	"encoding/json"
	"fmt"
	"strings"
)

// Profile is the typed value of a session: 100 bytes and more of it as JSON.
type Profile struct {
	User  string `json:"user"`
	Views int    `json:"views"`
	Text  string `json:"text"` // as long as it takes for the value to have its size
}

// valueKey is where subjects that keep a map for each session have the value.
const valueKey = "profile"

// Several libraries put values of any type into a map, and encode that with gob.
func init() { gob.Register(Profile{}) }

// Sample returns a value of so many bytes as JSON.
func Sample(size int) (Profile, error) {
	sample := Profile{User: "alice"}
	empty, err := json.Marshal(sample)
	if err != nil {
		return Profile{}, fmt.Errorf("sample value: %w", err)
	}
	if size < len(empty) {
		return Profile{}, fmt.Errorf("sample value of %d bytes: the least is %d", size, len(empty))
	}
	sample.Text = strings.Repeat("x", size-len(empty))
	return sample, nil
}

// check returns an error if what was read is not the value that each session of env
// began with, but for its count.
func (e *Env) check(read Profile) error {
	if read.User != e.Value.User || len(read.Text) != len(e.Value.Text) || read.Views < 0 {
		return ErrMissing
	}
	return nil
}
