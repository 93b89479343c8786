package chaos

import "time"

// Order is a line, in JSON, on the standard input of a node: first a Config,
// then any number of Sessions, at last Stop.
type Order struct {
	Config   *NodeConfig `json:"config,omitempty"`
	Sessions []Session   `json:"sessions,omitempty"`
	Stop     bool        `json:"stop,omitempty"`
}

// NodeConfig says what a node is to do.
type NodeConfig struct {
	Node         uint8         `json:"node"`
	URL          string        `json:"url"`
	Invalidation string        `json:"invalidation"` // "tracking" or "pubsub"
	MaxStaleness time.Duration `json:"max_staleness"`
	Goroutines   int           `json:"goroutines"`
	Pace         time.Duration `json:"pace"` // mean pause of a goroutine between two operations
	History      string        `json:"history"`
	Seed         uint64        `json:"seed"`
}

// Session takes a place among those in use, and the one that had the place
// goes. The lower the place, the more it is used.
type Session struct {
	Place  int    `json:"place"`
	Number uint32 `json:"number"`
	Token  string `json:"token"` // not a coatcheck.Token, which would be redacted
}

// Places is how many sessions are in use at a time.
const Places = 200

// Value is what the sessions hold.
type Value struct {
	N  uint32 // each Change adds one
	Op uint64 // the write that made this value
}

// Totals is the line, in JSON, with which a node ends.
type Totals struct {
	Outcomes   map[string]int `json:"outcomes"` // by kind and outcome
	Errors     map[string]int `json:"errors"`   // by cause
	Unexpected []string       `json:"unexpected"`
	CachedHits uint64         `json:"cached_hits"`
	Conflicts  uint64         `json:"conflicts"` // attempts that were made again
}
