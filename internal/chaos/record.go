package chaos

import "encoding/binary"

// Kind is what was asked.
type Kind uint8

// The kinds of operations.
const (
	Get Kind = iota
	Create
	Change
	Update
	Refresh
	Delete
	kinds
)

func (k Kind) String() string {
	return [...]string{"Get", "Create", "Change", "Update", "Refresh", "Delete"}[k]
}

// Outcome is what was answered.
type Outcome uint8

// The outcomes of operations.
const (
	OK       Outcome = iota
	NotFound         // there is no such session
	Conflict         // others were always faster: for sure not made
	Failed           // an error: a write may have been made, or be made later
	outcomes
)

func (o Outcome) String() string {
	return [...]string{"ok", "not found", "conflict", "failed"}[o]
}

// Outside is the node that works on the server itself: without a near cache,
// and not through a proxy.
const Outside = 255

// Record is one operation on one session, by one node.
type Record struct {
	// Start was read before the call and End after it, with [Now].
	Start, End int64

	// Op names a write, uniquely among all nodes, and is left in the value; 0 is
	// the creation. Of a Get it is what the value named.
	Op uint64

	Session uint32 // its number, not its ID
	Rev     uint32 // the revision reached, or read
	N       uint32 // the counter in the value, written or read
	Kind    Kind
	Outcome Outcome
	Node    uint8
}

// recordBytes is the size of a record in a file.
const recordBytes = 40

func (r *Record) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(r.Start))
	b = binary.LittleEndian.AppendUint64(b, uint64(r.End))
	b = binary.LittleEndian.AppendUint64(b, r.Op)
	b = binary.LittleEndian.AppendUint32(b, r.Session)
	b = binary.LittleEndian.AppendUint32(b, r.Rev)
	b = binary.LittleEndian.AppendUint32(b, r.N)
	return append(b, byte(r.Kind), byte(r.Outcome), r.Node, 0)
}

func parseRecord(b []byte) Record {
	return Record{
		Start:   int64(binary.LittleEndian.Uint64(b)),
		End:     int64(binary.LittleEndian.Uint64(b[8:])),
		Op:      binary.LittleEndian.Uint64(b[16:]),
		Session: binary.LittleEndian.Uint32(b[24:]),
		Rev:     binary.LittleEndian.Uint32(b[28:]),
		N:       binary.LittleEndian.Uint32(b[32:]),
		Kind:    Kind(b[36]),
		Outcome: Outcome(b[37]),
		Node:    b[38],
	}
}
