package growth

import (
	"cmp"
	"math"
	"slices"

	"github.com/coatcheck/coatcheck/benchmarks/internal/chart"
)

// Limit is something of which there is so much by default.
type Limit struct {
	Name     string
	Has      float64 // by default, or one server
	Demand   float64
	Show     func(float64) string
	Remedy   string
	BreaksAt float64 // sessions, if requests and nodes grow with them; +Inf if it never does
}

// Use is how many times what there is the scenario takes.
func (l Limit) Use() float64 { return l.Demand / l.Has }

// Limits returns what one server and the default settings have, the one that
// lacks most first.
func Limits(s Scenario, m Slopes) []Limit {
	limits := limitsOf(Model(s, m))
	for i := range limits {
		limits[i].BreaksAt = breaksAt(s, func(scaled Scenario) bool { return limitsOf(Model(scaled, m))[i].Use() > 1+1e-9 })
	}
	slices.SortStableFunc(limits, func(a, b Limit) int { return cmp.Compare(b.Use(), a.Use()) })
	return limits
}

func limitsOf(d Demand) []Limit {
	s := d.Scenario
	nodes, route := s.Nodes, ""
	if !s.Sticky { // all near caches come to hold the same
		nodes, route = 1, "requests of a session to one node; "
	}
	return []Limit{
		{Name: "keys that a server remembers to have been read", Has: trackingTableMaxKeys, Demand: s.Sessions, Show: chart.Figure,
			Remedy: "`tracking-table-max-keys 0`, or the sessions of a server"},
		{Name: "time of a server's processor", Has: s.ServerShare, Demand: d.Busy + d.MarkShare, Show: chart.Figure,
			Remedy: route + "a longer `TouchInterval`; a cluster of more primaries"},
		{Name: "memory of a server", Has: s.ServerBytes, Demand: d.RecordBytes + d.TrackingBytes, Show: inBytes,
			Remedy: "a cluster of more primaries"},
		{Name: "connections of a server", Has: maxClients, Demand: d.Connections, Show: chart.Figure,
			Remedy: "a higher `maxclients`. More primaries do not help: each node connects to each"},
		{Name: "time of each server for marks", Has: s.ServerShare, Demand: d.MarkShare, Show: percent,
			Remedy: "a longer `MaxStaleness`, or fewer and bigger nodes. More primaries do not help: each node asks each"},
		{Name: "room in the near caches", Has: s.MaxEntries * nodes, Demand: s.Sessions, Show: chart.Figure,
			Remedy: route + "a higher `MaxEntries`"},
	}
}

// breaksAt finds the number of sessions from which on there is too little.
func breaksAt(s Scenario, lacks func(Scenario) bool) float64 {
	low, high := math.Log(1e-6), math.Log(1e6)
	if !lacks(scaled(s, math.Exp(high))) {
		return math.Inf(1)
	}
	for high-low > 1e-9 {
		if middle := (low + high) / 2; lacks(scaled(s, math.Exp(middle))) {
			high = middle
		} else {
			low = middle
		}
	}
	return s.Sessions * math.Exp(high)
}

// scaled has requests and nodes grow with the sessions.
func scaled(s Scenario, times float64) Scenario {
	s.Sessions, s.Requests, s.Nodes = s.Sessions*times, s.Requests*times, max(1, s.Nodes*times)
	return s
}
