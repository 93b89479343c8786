package loadgen

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// Kind is a kind of operation.
type Kind int

// The kinds, each a call of a manager.
const (
	Read    Kind = iota // Get
	Change              // Change, of a counter in the value
	Update              // Update, to the value of the beginning
	Create              // Generate
	Refresh             // Refresh
	Delete              // Delete
	kinds
)

var kindNames = [kinds]string{"read", "change", "update", "create", "refresh", "delete"}

// String returns the name that a mix has for it.
func (k Kind) String() string { return kindNames[k] }

// Mix says which share of the operations is of which kind, in parts of the sum.
type Mix [kinds]int

// maxParts keeps the sum within an int, on any machine.
const maxParts = 1_000_000

// UnmarshalText implements [encoding.TextUnmarshaler], for a text such as
// "read=80,change=20".
func (m *Mix) UnmarshalText(text []byte) error {
	*m = Mix{}
	for part := range strings.SplitSeq(string(text), ",") {
		name, number, _ := strings.Cut(part, "=")
		kind := slices.Index(kindNames[:], name)
		if kind < 0 {
			return fmt.Errorf("%q is no kind of operation: want %s", name, strings.Join(kindNames[:], ", "))
		}
		parts, err := strconv.Atoi(number)
		if err != nil || parts < 1 || parts > maxParts {
			return fmt.Errorf("%q: want a number from 1 to %d, as in read=80,change=20", part, maxParts)
		}
		if m[kind] > 0 {
			return fmt.Errorf("%s comes twice", name)
		}
		m[kind] = parts
	}
	return nil
}

// String returns the text that UnmarshalText reads.
func (m Mix) String() string {
	var text []string
	for kind, parts := range m {
		if parts > 0 {
			text = append(text, fmt.Sprintf("%v=%d", Kind(kind), parts))
		}
	}
	return strings.Join(text, ",")
}

// draw returns a kind at random.
func (m *Mix) draw() Kind {
	sum := 0
	for _, parts := range m {
		sum += parts
	}
	n := rand.IntN(sum)
	for kind, parts := range m {
		if n -= parts; n < 0 {
			return Kind(kind)
		}
	}
	panic("unreachable: the parts add up to the sum")
}
