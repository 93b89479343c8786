package growth

import (
	"math"
	"time"
)

// Scenario is a site whose needs are asked for.
type Scenario struct {
	Sessions    float64 // alive at a time
	Nodes       float64 // processes that run coatcheck
	Requests    float64 // a second, each of which reads its session
	ChangeShare float64 // of the requests: those that change it as well
	Life        time.Duration
	ValueBytes  float64
	Zipf        float64 // exponent of the popularity of sessions
	Sticky      bool    // all requests of a session go to one node; else each to any

	MaxEntries    float64
	MaxStaleness  time.Duration
	TouchInterval time.Duration

	ServerBytes float64 // of memory that a server may use
	ServerShare float64 // of the time of a server's processor that it may use
}

// Slopes are what the model takes from the figures.
type Slopes struct {
	Record      line    // bytes of a session in Redis, by those of its value
	Tracked     line    // bytes of a session in the tracking table, by nodes that have read it
	Entry       float64 // bytes of a session in a near cache, above its value
	Message     float64 // bytes of an invalidation
	OfIdeal     float64 // hit ratio of TinyLFU as a share of that of the most popular sessions
	Get         float64 // ns of the server's time, and of the client's
	Change      float64
	Create      float64
	Tell        float64 // a message
	Connections float64 // of a node to a server
}

// Demand is what a scenario takes.
type Demand struct {
	Scenario Scenario

	Touches, Changes, Creates float64 // a second
	Room                      float64 // hit ratio as far as the room in the near caches goes
	Kept                      float64 // share of nodes that have a session in memory, of those that have had it
	HitRatio                  float64
	Misses                    float64 // a second, with the first read of what was created
	Commands                  float64 // a second, on all servers, without those for marks

	RecordBytes, TrackingBytes float64
	ForMemory, ForCommands     float64 // servers
	Servers                    float64
	Busy                       float64 // processors that all servers together use, without those for marks
	Marks                      float64 // commands a second on each server
	MarkShare                  float64 // of the time of each server

	Holders      float64 // nodes of which the server remembers that they have read a session
	Messages     float64 // a second, of all servers
	PubSub       float64 // messages a second if it were pub/sub, on one server
	TrackedKeys  float64 // on each server
	HitAtDefault float64 // hit ratio if tracking-table-max-keys stays as it is
	Connections  float64 // on each server
	NetworkBytes float64 // a second, of all servers
	NearBytes    float64 // of each node
}

// Defaults of Redis and of coatcheck that the model names.
const (
	trackingTableMaxKeys = 1e6
	maxClients           = 10_000
	marksPerBound        = 4  // times within MaxStaleness that each node asks each server
	envelopeBytes        = 77 // of a record besides the value, see REDIS.md

	// On the network, as the protocol has them: a touch is EVALSHA with the script's
	// hash, key, incarnation and deadline; a mark is ROLE and its answer.
	touchBytes = 143
	markBytes  = 50
)

// Model returns what the scenario takes. docs/SCALE.md states the formulas.
func Model(s Scenario, m Slopes) Demand {
	d := Demand{Scenario: s}
	d.Changes = s.Requests * s.ChangeShare
	d.Touches = s.Sessions / (s.TouchInterval.Seconds() + s.Sessions/s.Requests)
	d.Creates = s.Sessions / s.Life.Seconds()
	writes := d.Changes + d.Touches

	d.Kept, d.Holders = 1, 1
	if !s.Sticky {
		d.Kept = kept(s.Nodes, writes/s.Requests)
		d.Holders = s.Nodes * d.Kept
	}
	d.Room = room(s, m, math.Inf(1))
	d.HitRatio = d.Room * d.Kept
	d.Misses = s.Requests*(1-d.HitRatio) + d.Creates
	d.Commands = d.Misses + writes + d.Creates

	d.RecordBytes = s.Sessions * m.Record.at(s.ValueBytes)
	d.TrackingBytes = s.Sessions * m.Tracked.at(d.Holders)
	d.ForMemory = math.Ceil((d.RecordBytes + d.TrackingBytes) / s.ServerBytes)
	d.Marks = s.Nodes * marksPerBound / s.MaxStaleness.Seconds()
	d.MarkShare = d.Marks * m.Get / 1e9
	d.Messages = writes * (d.Holders - d.Kept) // all that hold it but the writer, if that does
	d.Busy = (d.Misses*m.Get + writes*m.Change + d.Creates*m.Create + d.Messages*m.Tell) / 1e9
	d.ForCommands = math.Ceil(d.Busy / max(s.ServerShare-d.MarkShare, 0)) // +Inf if marks are all it can do
	d.Servers = max(d.ForMemory, d.ForCommands)

	d.PubSub = d.Changes * s.Nodes
	d.TrackedKeys = s.Sessions / d.Servers
	d.HitAtDefault = room(s, m, d.Servers*trackingTableMaxKeys) * d.Kept
	d.Connections = s.Nodes * m.Connections
	d.NetworkBytes = (d.Misses+d.Changes+d.Creates)*(s.ValueBytes+envelopeBytes) + d.Messages*m.Message +
		d.Touches*touchBytes + d.Marks*d.Servers*markBytes
	d.NearBytes = s.MaxEntries * (m.Entry + s.ValueBytes)
	return d
}

// kept is the share of nodes that still have a session in memory that they had
// once: looking back from now, a use by this node comes before a write by another.
func kept(nodes, writeShare float64) float64 { return 1 / (1 + (nodes-1)*writeShare) }

// room returns the hit ratio if nothing changed, with so many sessions that the
// servers can remember somebody has read.
func room(s Scenario, m Slopes, tracked float64) float64 {
	held := s.MaxEntries
	if s.Sticky {
		held *= s.Nodes // each has its own sessions
	}
	if held = min(held, tracked); held >= s.Sessions {
		return 1
	}
	return m.OfIdeal * ideal(held, s.Sessions, s.Zipf)
}
