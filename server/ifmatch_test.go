package server

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestIfMatch(t *testing.T) {
	tests := []struct {
		header string
		holds  bool // at revision 3
		bad    bool
	}{
		{"", true, false},
		{"*", true, false},
		{" \t* ", true, false},
		{`"3"`, true, false},
		{` "3" `, true, false},
		{`"1","3"`, true, false},
		{`"1" ,	"2" , "3"`, true, false},
		{`"a, \"b", "3"`, false, true}, // tags know no escapes
		{`"a,b","3"`, true, false},
		{`W/"x", "3"`, true, false},

		{`"2"`, false, false},
		{`"33"`, false, false},
		{`W/"3"`, false, false},
		{`"W/3"`, false, false},
		{`""`, false, false},
		{`"03"`, false, false}, // we never gave out such a tag
		{`"+3"`, false, false},
		{`" 3"`, false, false},
		{`"*"`, false, false},
		{`"-1"`, false, false},
		{`"18446744073709551619"`, false, false}, // 2^64+3
		{`"abc","def"`, false, false},

		{`3`, false, true},
		{`'3'`, false, true},
		{`"3`, false, true},
		{`3"`, false, true},
		{`"3""3"`, false, true},
		{`"3" "3"`, false, true},
		{`"3";"4"`, false, true},
		{`*, "3"`, false, true},
		{`"3", *`, false, true},
		{`**`, false, true},
		{`w/"3"`, false, true}, // the W is case-sensitive
		{`W/ "3"`, false, true},
		{`W/`, false, true},
		{`"`, false, true},
	}
	for _, test := range tests {
		c, err := parseIfMatch(test.header)
		if (err != nil) != test.bad {
			t.Errorf("%s: error %v", test.header, err)
		}
		if c.holds(3) != test.holds {
			t.Errorf("%s: holds is %t at revision 3", test.header, c.holds(3))
		}
	}
}

func FuzzIfMatch(f *testing.F) {
	for _, header := range []string{"", "*", `"3"`, `W/"3"`, `"1", "2"`, `"`, `W/`, `"a,b"`, `,`, "\x00"} {
		f.Add(header, uint64(3))
	}
	f.Add(`"18446744073709551615"`, uint64(math.MaxUint64))
	f.Add(`"0"`, uint64(0))

	f.Fuzz(func(t *testing.T, header string, rev uint64) {
		own, err := parseIfMatch(etag(rev))
		if err != nil || !own.holds(rev) || own.holds(rev+1) || own.any {
			t.Errorf("our own tag %s: %+v, %v", etag(rev), own, err)
		}
		if weak, err := parseIfMatch("W/" + etag(rev)); err != nil || weak.holds(rev) {
			t.Errorf("our own tag, weak: %+v, %v", weak, err)
		}

		c, err := parseIfMatch(header) // must not panic on anything
		if err != nil {
			if c.holds(rev) {
				t.Errorf("%q is refused and holds all the same", header)
			}
			return
		}
		if c.any {
			if trimmed := strings.Trim(header, " \t"); trimmed != "" && trimmed != "*" {
				t.Errorf("%q lets any revision pass", header)
			}
			return
		}
		if c.holds(rev) && !strings.Contains(header, etag(rev)) {
			t.Errorf("%q holds at revision %d", header, rev)
		}
		// An accepted list stays one when another tag joins it.
		for _, longer := range []string{header + "," + etag(rev), etag(rev) + " , " + header} {
			if c, err := parseIfMatch(longer); err != nil || !c.holds(rev) {
				t.Errorf("%q: %+v, %v", longer, c, err)
			}
		}
	})
}

func (c condition) holds(rev uint64) bool { return c.any || slices.Contains(c.revs, rev) }
