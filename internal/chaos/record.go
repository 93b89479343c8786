package chaos

import (
	"encoding/binary"
	"math"
)

// Kind is what was asked.
type Kind uint8

// The kinds of operations.
const (
	Get Kind = iota
	Create
	Change
	Update
	Renew // a Change that gives the session a new token, too
	Refresh
	Delete
	Revoke // a deletion together with all other sessions of the subject
	kinds
)

func (k Kind) String() string {
	return [...]string{"Get", "Create", "Change", "Update", "Renew", "Refresh", "Delete", "Revoke"}[k]
}

// Outcome is what was answered.
type Outcome uint8

// The outcomes of operations.
const (
	OK       Outcome = iota
	NotFound         // there is no such session, or not for this token
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

	// Secret is the token that was shown, named by the Op of the write that issued
	// it: 0 is that of the creation.
	Secret uint64

	Session uint32 // its number, not its ID
	Rev     uint32 // the revision reached, or read
	N       uint32 // the counter in the value, written or read
	Kind    Kind
	Outcome Outcome
	Node    uint8
	Grace   bool // of a Renew: the tokens before work for a while yet
}

// NoSecret is the Secret of an operation for which no token was shown.
const NoSecret = math.MaxUint64

// writes reports whether the operation makes a revision.
func (r *Record) writes() bool {
	return r.Kind == Create || r.Kind == Change || r.Kind == Update || r.Kind == Renew
}

// ends reports whether the operation is to end the session.
func (r *Record) ends() bool { return r.Kind == Delete || r.Kind == Revoke }

// tried reports whether the operation has been carried out, or may have been.
func (r *Record) tried() bool { return r.Outcome == OK || r.Outcome == Failed }

// recordBytes is the size of a record in a file.
const recordBytes = 48

func (r *Record) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(r.Start))
	b = binary.LittleEndian.AppendUint64(b, uint64(r.End))
	b = binary.LittleEndian.AppendUint64(b, r.Op)
	b = binary.LittleEndian.AppendUint64(b, r.Secret)
	b = binary.LittleEndian.AppendUint32(b, r.Session)
	b = binary.LittleEndian.AppendUint32(b, r.Rev)
	b = binary.LittleEndian.AppendUint32(b, r.N)
	grace := byte(0)
	if r.Grace {
		grace = 1
	}
	return append(b, byte(r.Kind), byte(r.Outcome), r.Node, grace)
}

// parseRecord reports whether the bytes can be a record.
func parseRecord(b []byte) (Record, bool) {
	r := Record{
		Start:   int64(binary.LittleEndian.Uint64(b)),
		End:     int64(binary.LittleEndian.Uint64(b[8:])),
		Op:      binary.LittleEndian.Uint64(b[16:]),
		Secret:  binary.LittleEndian.Uint64(b[24:]),
		Session: binary.LittleEndian.Uint32(b[32:]),
		Rev:     binary.LittleEndian.Uint32(b[36:]),
		N:       binary.LittleEndian.Uint32(b[40:]),
		Kind:    Kind(b[44]),
		Outcome: Outcome(b[45]),
		Node:    b[46],
		Grace:   b[47] == 1,
	}
	possible := r.Kind < kinds && r.Outcome < outcomes && r.End >= r.Start && r.Session <= maxSession &&
		b[47] <= 1 && (!r.Grace || r.Kind == Renew) && (r.Secret != NoSecret || r.ends())
	return r, possible
}

// maxSession is more than any run has; what is beyond is damage.
const maxSession = 1 << 24
