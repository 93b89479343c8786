package redisstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/coatcheck/coatcheck"
)

// The envelope is the bytes under which a record is kept, described for other
// languages in docs/REDIS.md. Integers are big-endian; times are milliseconds
// since the Unix epoch, 0 for never. It is kept short, for it is paid for in
// memory once a session.
//
//	offset  bytes  field
//	0       1      version, 2
//	1       8      incarnation
//	9       8      revision
//	17      6      expires at
//	23      6      absolute deadline
//	29      6      created at
//	35      6      idle timeout in milliseconds, 0 for none
//	41      32     SHA-256 of the token
//	73      1      length of the subject, n
//	74      1      number of retired secrets, k
//	75      1      length of the client's address, a
//	76      1      length of the client's user agent, u
//	77      n      subject
//	        a      address
//	        u      user agent
//	        28k    retired secrets: 16 bytes of hash, retired at, accepted until
//	               (6 bytes each)
//	               value
//
// Version 1, which is still read, ends its head with the length of the subject:
// the subject is at 74, and the value follows. The scripts rely on the first
// five fields and, in both versions, on the place of the subject.
const (
	envelopeVersion = 2
	firstVersion    = 1

	incarnationAt = 1
	revisionAt    = 9
	expiresAt     = 17
	absoluteAt    = 23
	createdAt     = 29
	idleAt        = 35
	hashAt        = 41
	subjectAt     = 73
	retiredAt     = 74
	addressAt     = 75
	userAgentAt   = 76
	headerBytes   = 77

	firstHeaderBytes = 74 // of version 1

	retiredBytes = 28

	// longestHead is how many bytes there can be before the value.
	longestHead = headerBytes + coatcheck.MaxSubjectBytes + 2*coatcheck.MaxClientBytes + coatcheck.MaxRetired*retiredBytes
)

var errEnvelope = errors.New("not a record of this version of coatcheck")

func appendEnvelope(b []byte, r *coatcheck.Record) ([]byte, error) {
	if err := fits(r); err != nil {
		return nil, err
	}
	b = append(b, envelopeVersion)
	b = binary.BigEndian.AppendUint64(b, r.Incarnation)
	b = binary.BigEndian.AppendUint64(b, r.Rev)
	b = appendUint48(b, millis(r.ExpiresAt))
	b = appendUint48(b, millis(r.AbsoluteDeadline))
	b = appendUint48(b, millis(r.CreatedAt))
	b = appendUint48(b, uint64(r.IdleTimeout.Milliseconds()))
	b = append(b, r.SecretHash[:]...)
	b = append(b, byte(len(r.Subject)), byte(len(r.Retired)), byte(len(r.Client.Address)), byte(len(r.Client.UserAgent)))
	b = append(b, r.Subject...)
	b = append(b, r.Client.Address...)
	b = append(b, r.Client.UserAgent...)
	for i := range r.Retired {
		b = append(b, r.Retired[i].Hash[:]...)
		b = appendUint48(b, millis(r.Retired[i].At))
		b = appendUint48(b, millis(r.Retired[i].Until))
	}
	return append(b, r.Value...), nil
}

// fits returns an error if the envelope has no room for what the record holds.
func fits(r *coatcheck.Record) error {
	for _, limited := range []struct {
		what       string
		bytes, max int
	}{
		{"subject", len(r.Subject), coatcheck.MaxSubjectBytes},
		{"address of the client", len(r.Client.Address), coatcheck.MaxClientBytes},
		{"user agent of the client", len(r.Client.UserAgent), coatcheck.MaxClientBytes},
	} {
		if limited.bytes > limited.max {
			return fmt.Errorf("%w: %s has %d bytes, at most %d are allowed", coatcheck.ErrInvalid, limited.what, limited.bytes, limited.max)
		}
	}
	if len(r.Retired) > coatcheck.MaxRetired {
		return fmt.Errorf("%w: %d retired secrets, at most %d are kept", coatcheck.ErrInvalid, len(r.Retired), coatcheck.MaxRetired)
	}
	latest := max(millis(r.ExpiresAt), millis(r.AbsoluteDeadline), millis(r.CreatedAt))
	for i := range r.Retired {
		latest = max(latest, millis(r.Retired[i].At), millis(r.Retired[i].Until))
	}
	if latest > latestMillis {
		return fmt.Errorf("%w: times after the year 10000 cannot be kept", coatcheck.ErrInvalid)
	}
	return nil
}

// parseEnvelope returns the record that b holds. Its Value aliases b.
func parseEnvelope(id string, b []byte) (coatcheck.Record, error) {
	refused := coatcheck.Record{}
	if len(b) < firstHeaderBytes {
		return refused, errEnvelope
	}
	subject, address, userAgent, retired := int(b[subjectAt]), 0, 0, 0
	rest := b
	switch {
	case b[0] == firstVersion:
		rest = b[firstHeaderBytes:]
	case b[0] == envelopeVersion && len(b) >= headerBytes:
		address, userAgent, retired = int(b[addressAt]), int(b[userAgentAt]), int(b[retiredAt])
		rest = b[headerBytes:]
	default:
		return refused, errEnvelope
	}
	idle := uint48(b[idleAt:])
	if len(rest) < subject+address+userAgent+retired*retiredBytes || retired > coatcheck.MaxRetired || idle > longestMillis {
		return refused, errEnvelope
	}
	cut := func(n int) (field []byte) {
		field, rest = rest[:n], rest[n:]
		return field
	}
	r := coatcheck.Record{
		ID:               id,
		Incarnation:      binary.BigEndian.Uint64(b[incarnationAt:]),
		Rev:              binary.BigEndian.Uint64(b[revisionAt:]),
		ExpiresAt:        fromMillis(uint48(b[expiresAt:])),
		AbsoluteDeadline: fromMillis(uint48(b[absoluteAt:])),
		CreatedAt:        fromMillis(uint48(b[createdAt:])),
		IdleTimeout:      time.Duration(idle) * time.Millisecond,
		SecretHash:       [32]byte(b[hashAt:subjectAt]),
		Subject:          string(cut(subject)),
	}
	r.Client = coatcheck.Client{Address: string(cut(address)), UserAgent: string(cut(userAgent))}
	for range retired {
		old := cut(retiredBytes)
		r.Retired = append(r.Retired, coatcheck.Retired{
			Hash: [16]byte(old), At: fromMillis(uint48(old[16:])), Until: fromMillis(uint48(old[22:])),
		})
	}
	r.Value = rest
	return r, nil
}

// latestMillis is the last that fits into six bytes, in the year 10889.
const latestMillis = 1<<48 - 1

// longestMillis is the longest time.Duration.
const longestMillis = uint64(1<<63-1) / uint64(time.Millisecond)

// millis returns a deadline as the envelope has it. Whatever lies before 1970
// has passed; it must not become the 0 that stands for never.
func millis(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(max(t.UnixMilli(), 1))
}

func fromMillis(ms uint64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms)).UTC()
}

func appendUint48(b []byte, v uint64) []byte {
	return append(b, byte(v>>40), byte(v>>32), byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
}

func uint48(b []byte) uint64 {
	return uint64(b[0])<<40 | uint64(b[1])<<32 | uint64(b[2])<<24 | uint64(b[3])<<16 | uint64(b[4])<<8 | uint64(b[5])
}
