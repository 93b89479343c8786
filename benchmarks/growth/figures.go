package growth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
)

// Figures are what TestGrowth measures.
type Figures struct {
	Machine   Machine     `json:"machine"`
	NearCache []NearCache `json:"near_cache"`
	Messages  []Messages  `json:"messages"`
	Delays    []Delay     `json:"delays"`
	Routing   []Routing   `json:"routing"`
	Values    []Value     `json:"values"`
	Hits      []Hits      `json:"hits"`
	Records   []Records   `json:"records"`
	Tracking  []Tracking  `json:"tracking"`
}

// Machine is what they were measured on.
type Machine struct {
	Processors int    `json:"processors"`
	Go         string `json:"go"`
	Redis      string `json:"redis"`
}

// NearCache is of a near cache that holds so many sessions of 24 bytes, of which
// all are read at random.
type NearCache struct {
	Sessions      int     `json:"sessions"`
	GetNanos      float64 `json:"get_ns"`
	OtterNanos    float64 `json:"otter_ns"`
	BytesASession float64 `json:"bytes_a_session"` // above the value
	GCMillis      float64 `json:"gc_ms"`
	PauseMicros   float64 `json:"gc_pause_us"`
}

// Messages is what the server sends when one of so many nodes changes a session.
type Messages struct {
	Invalidation string  `json:"invalidation"`
	Nodes        int     `json:"nodes"`
	Holders      int     `json:"holders"`   // other nodes that have it in memory
	Bytes        float64 `json:"bytes"`     // with the answer to the change
	ServerNanos  float64 `json:"server_ns"` // of the server's processor, for the change too
}

// Delay is from when a change has returned until one of the nodes that hold the
// session, which are all, has dropped it.
type Delay struct {
	Invalidation string  `json:"invalidation"`
	Nodes        int     `json:"nodes"`
	P50Micros    float64 `json:"p50_us"`
	P99Micros    float64 `json:"p99_us"`
	TripMicros   float64 `json:"roundtrip_us"`
	Connections  int     `json:"connections"` // of all nodes, to the server
}

// Routing is of sessions whose requests go to any of so many nodes.
type Routing struct {
	Nodes       int     `json:"nodes"`
	ChangeShare float64 `json:"change_share"` // of the requests
	HitRatio    float64 `json:"hit_ratio"`    // of the reads
}

// Operations of [Value].
const (
	CachedGet = "cached Get"
	MissedGet = "Get that misses"
	Generate  = "Generate"
	Change    = "Change"
	Encode    = "json.Marshal"
	Decode    = "json.Unmarshal"
)

// Value is of an operation on sessions with a value of so many bytes.
type Value struct {
	Bytes       int     `json:"bytes"`
	Operation   string  `json:"operation"`
	Nanos       float64 `json:"ns"`
	RawNanos    float64 `json:"raw_ns,omitempty"`    // of the bare client; of a bare otter for CachedGet
	XRaw        float64 `json:"x_raw,omitempty"`     // throughput as a share of the raw call's
	ServerNanos float64 `json:"server_ns,omitempty"` // of the server's processor
}

// Hits is of a near cache that holds a share of all sessions.
type Hits struct {
	Eviction   string  `json:"eviction"`
	Zipf       float64 `json:"zipf"` // exponent of the popularity of sessions
	Sessions   int     `json:"sessions"`
	CacheShare float64 `json:"cache_share"`
	Scans      bool    `json:"scans"` // others look at sessions in a row now and then
	HitRatio   float64 `json:"hit_ratio"`
}

// Records is what a session takes in Redis, its value included.
type Records struct {
	ValueBytes int     `json:"value_bytes"`
	Bytes      float64 `json:"bytes"`
}

// Tracking is what Redis takes to remember that so many nodes have read a session.
type Tracking struct {
	Holders int     `json:"holders"`
	Bytes   float64 `json:"bytes"`
}

// Load reads what Save has written.
func Load(path string) (*Figures, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("growth: %w", err)
	}
	f := &Figures{}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(f); err != nil {
		return nil, fmt.Errorf("growth: %s: %w", path, err)
	}
	return f, nil
}

// Save writes the figures.
func (f *Figures) Save(path string) error {
	data, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("growth: %w", err)
	}
	if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("growth: %w", err)
	}
	return nil
}
