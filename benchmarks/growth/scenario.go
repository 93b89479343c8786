package growth

import "time"

// modelZipf is the exponent of the scenarios: the flatter one of those measured,
// for which a near cache is less good.
const modelZipf = 0.9

// big is the site of docs/SCALE.md, with the defaults of coatcheck.
var big = Scenario{
	Sessions: 100e6, Nodes: 1000, Requests: 1e6, ChangeShare: 0.05, Life: time.Hour, ValueBytes: 500,
	Zipf: modelZipf, Sticky: true,
	MaxEntries: 100_000, MaxStaleness: time.Second, TouchInterval: 3 * time.Minute,
	ServerBytes: 25e9, ServerShare: 0.5,
}

// seldom is a TouchInterval of half of the default idle timeout.
const seldom = 15 * time.Minute

// column is a variant of the scenario, and its name.
type column struct {
	Name string
	Demand
}

// columns are what docs/SCALE.md compares.
func columns(m Slopes) []column {
	anywhere, seldomTouched, both := big, big, big
	anywhere.Sticky, both.Sticky = false, false
	seldomTouched.TouchInterval, both.TouchInterval = seldom, seldom
	return []column{
		{"to one node", Model(big, m)}, {"to one node, touched seldom", Model(seldomTouched, m)},
		{"to any node", Model(anywhere, m)}, {"to any node, touched seldom", Model(both, m)},
	}
}
