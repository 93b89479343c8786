package server

import (
	"bytes"
	"encoding/json"
)

// mergePatch returns value changed as patch, a JSON Merge Patch (RFC 7396),
// demands. Both are JSON. Numbers keep their digits; the members of objects
// come out sorted; half of a surrogate pair, which is no text, becomes U+FFFD. It takes time linear in the length of its inputs.
func mergePatch(value, patch []byte) (json.RawMessage, error) {
	from, err := parse(value)
	if err != nil {
		return nil, err
	}
	to, err := parse(patch)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(merge(from, to)); err != nil {
		return nil, err
	}
	return withSeparators(bytes.TrimSuffix(out.Bytes(), []byte("\n"))), nil
}

// withSeparators writes U+2028 and U+2029 as themselves. encoding/json escapes
// them, which would make a value larger that nobody changed.
func withSeparators(data []byte) []byte {
	out := data[:0]
	for len(data) > 0 {
		n := 1
		switch {
		case bytes.HasPrefix(data, []byte(`\u2028`)):
			out, n = append(out, "\u2028"...), 6
		case bytes.HasPrefix(data, []byte(`\u2029`)):
			out, n = append(out, "\u2029"...), 6
		case data[0] == '\\': // with what it escapes
			out, n = append(out, data[:2]...), 2
		default:
			out = append(out, data[0])
		}
		data = data[n:]
	}
	return out
}

// parse is json.Unmarshal, but that numbers keep their digits.
func parse(data []byte) (value any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := json.Unmarshal(data, new(json.RawMessage)); err != nil {
		return nil, err // a decoder would accept what follows, and not say where
	}
	err = decoder.Decode(&value)
	return value, err
}

// merge is the function MergePatch of RFC 7396 section 2. It may change value.
func merge(value, patch any) any {
	members, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	object, ok := value.(map[string]any)
	if !ok {
		object = make(map[string]any)
	}
	for name, member := range members {
		if member == nil {
			delete(object, name)
		} else {
			object[name] = merge(object[name], member)
		}
	}
	return object
}
