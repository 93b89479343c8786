package redisstore

import (
	"math"
	"strings"
	"testing"

	"github.com/coatcheck/coatcheck"
)

// FuzzMessage feeds what anybody may publish on the channel, and sends a
// message of its own to and fro.
func FuzzMessage(f *testing.F) {
	const id = "AAAAAAAAAAAAAAAAAAAAAA"
	for _, text := range []string{
		"node,update," + id + ",7",
		"node,delete," + id + ",0",
		",update," + id + ",18446744073709551615",
		"node,update," + id + ",18446744073709551616",
		"node,update," + id + ",-1",
		"node,update," + id + ",007",
		"node,create," + id + ",1",
		"node,update," + id[1:] + ",1",
		"node,update," + id + ",1,",
		",,,",
		"",
	} {
		f.Add(text, "node", id, uint64(7))
	}
	f.Add("", "", id, uint64(math.MaxUint64))
	f.Fuzz(func(t *testing.T, text, node, id string, rev uint64) {
		if c, ok := parseMessage(text); ok {
			if len(c.ID) != idLen || c.Own || strings.Contains(c.Node+c.ID, ",") {
				t.Errorf("%q is taken for %+v", text, c)
			}
			said := false
			for _, op := range []string{opUpdate, opDelete} {
				again := (&Store{nodeID: c.Node}).message(op, c.ID, c.Rev)
				if back, ok := parseMessage(again); !ok || back != c {
					t.Errorf("%q becomes %+v, then %+v", text, c, back)
				}
				said = said || strings.HasPrefix(text, c.Node+","+op+","+c.ID+",")
			}
			if !said {
				t.Errorf("%q does not say %+v", text, c)
			}
		}
		if len(id) != idLen || strings.Contains(node+id, ",") {
			return // no message of ours
		}
		for _, op := range []string{opUpdate, opDelete} {
			own := (&Store{nodeID: node}).message(op, id, rev)
			want := coatcheck.RecordChange{Node: node, ID: id, Rev: rev}
			if c, ok := parseMessage(own); !ok || c != want {
				t.Errorf("%q is taken for %+v, %v; want %+v", own, c, ok, want)
			}
		}
	})
}
