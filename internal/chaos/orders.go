package chaos

import (
	"fmt"
	"time"
)

// Order is a line, in JSON, on the standard input of a node: first a Config,
// then any number of Sessions and revocations, at last Stop.
type Order struct {
	Config   *NodeConfig `json:"config,omitempty"`
	Sessions []Session   `json:"sessions,omitempty"`
	Revoke   *Revocation `json:"revoke,omitempty"`
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

	// All that work with the sessions have these.
	RenewEvery time.Duration `json:"renew_every"`
	RenewGrace time.Duration `json:"renew_grace"`
}

// Session takes a place among those in use, and the one that had the place
// goes; or, if it has the place already, it gets a new token. The lower the
// place, the more it is used.
type Session struct {
	Place  int    `json:"place"`
	Number uint32 `json:"number"` // those that were created later have higher ones
	Token  string `json:"token"`  // not a coatcheck.Token, which would be redacted
	Secret uint64 `json:"secret"` // see Record
	Rev    uint32 `json:"rev"`    // at which the token was issued
}

// Later reports whether s is to be used rather than another of the same place.
func (s Session) Later(than Session) bool {
	return than.Token == "" || s.Number > than.Number || s.Number == than.Number && s.Rev > than.Rev
}

// Revocation is the end of all sessions of a subject.
type Revocation struct {
	Subject  int      `json:"subject"`
	Sessions []uint32 `json:"sessions"` // numbers of those that the subject had before
}

// Subjects is how many subjects the sessions belong to: each place's to one and
// the same.
const Subjects = 20

// SubjectOf returns the subject of a place.
func SubjectOf(place int) int { return place % Subjects }

// SubjectName is what the store knows a subject by.
func SubjectName(subject int) string { return fmt.Sprint("subject-", subject) }

// Answer is a line, in JSON, on the standard output of a node: any number of new
// tokens and ended revocations, at last Totals.
type Answer struct {
	Renewed *Session `json:"renewed,omitempty"`
	Revoked *int     `json:"revoked,omitempty"` // the subject, whether or not it succeeded
	Totals  *Totals  `json:"totals,omitempty"`
}

// Places is how many sessions are in use at a time.
const Places = 200

// Value is what the sessions hold.
type Value struct {
	N  uint32 // each Change and Renew adds one
	Op uint64 // the write that made this value
}

// Totals is with what a node ends.
type Totals struct {
	Outcomes   map[string]int `json:"outcomes"` // by kind and outcome
	Errors     map[string]int `json:"errors"`   // by cause
	Unexpected []string       `json:"unexpected"`
	CachedHits uint64         `json:"cached_hits"`
	Conflicts  uint64         `json:"conflicts"` // attempts that were made again
}
