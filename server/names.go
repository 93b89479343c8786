package server

import (
	"bytes"
	"encoding/json"
)

// repeatedName reports whether an object in a body has two members of one name,
// and the offset behind the second. What such a body means depends on who reads
// it: a proxy that checks subjects might take the first, and we the last. The body
// is well-formed. A member "value" of the body itself is not looked into unless
// that is called for: values are kept as they are.
func repeatedName(body []byte, alsoInValue bool) (offset int64, repeated bool) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var open []map[string]bool // the names so far of each object around; nil for an array
	isName := false            // of what comes next
	for {
		token, err := decoder.Token()
		if err != nil { // the end
			return 0, false
		}
		switch token := token.(type) {
		case json.Delim:
			switch token {
			case '{':
				open = append(open, make(map[string]bool))
			case '[':
				open = append(open, nil)
			default:
				open = open[:len(open)-1]
			}
		case string:
			if !isName {
				break
			}
			names := open[len(open)-1]
			if names[token] {
				return decoder.InputOffset(), true
			}
			names[token] = true
			if token == "value" && len(open) == 1 && !alsoInValue {
				var skipped json.RawMessage
				if err := decoder.Decode(&skipped); err != nil {
					return 0, false
				}
				continue // with a name
			}
			isName = false
			continue
		}
		isName = len(open) > 0 && open[len(open)-1] != nil
	}
}
