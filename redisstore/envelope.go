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
//	0       1      version, 1
//	1       8      incarnation
//	9       8      revision
//	17      6      expires at
//	23      6      absolute deadline
//	29      6      created at
//	35      6      idle timeout in milliseconds, 0 for none
//	41      32     SHA-256 of the token
//	73      1      length of the subject, n
//	74      n      subject
//	74+n           value
//
// The scripts rely on the first five fields.
const (
	envelopeVersion = 1

	incarnationAt = 1
	revisionAt    = 9
	expiresAt     = 17
	absoluteAt    = 23
	createdAt     = 29
	idleAt        = 35
	hashAt        = 41
	subjectAt     = 73
	headerBytes   = 74

	headBytes = expiresAt // version, incarnation and revision
)

var errEnvelope = errors.New("not a record of this version of coatcheck")

func appendEnvelope(b []byte, r *coatcheck.Record) ([]byte, error) {
	if len(r.Subject) > coatcheck.MaxSubjectBytes {
		return nil, fmt.Errorf("%w: subject has %d bytes, at most %d are allowed",
			coatcheck.ErrInvalid, len(r.Subject), coatcheck.MaxSubjectBytes)
	}
	if max(millis(r.ExpiresAt), millis(r.AbsoluteDeadline), millis(r.CreatedAt)) > latestMillis {
		return nil, fmt.Errorf("%w: times after the year 10000 cannot be kept", coatcheck.ErrInvalid)
	}
	b = appendHead(b, r.Incarnation, r.Rev)
	b = appendUint48(b, millis(r.ExpiresAt))
	b = appendUint48(b, millis(r.AbsoluteDeadline))
	b = appendUint48(b, millis(r.CreatedAt))
	b = appendUint48(b, uint64(r.IdleTimeout.Milliseconds()))
	b = append(b, r.SecretHash[:]...)
	b = append(b, byte(len(r.Subject)))
	b = append(b, r.Subject...)
	return append(b, r.Value...), nil
}

// appendHead appends what tells one version of a record from any other.
func appendHead(b []byte, incarnation, rev uint64) []byte {
	b = append(b, envelopeVersion)
	b = binary.BigEndian.AppendUint64(b, incarnation)
	return binary.BigEndian.AppendUint64(b, rev)
}

// parseEnvelope returns the record that b holds. Its Value aliases b.
func parseEnvelope(id string, b []byte) (coatcheck.Record, error) {
	if len(b) < headerBytes || b[0] != envelopeVersion || len(b) < headerBytes+int(b[subjectAt]) {
		return coatcheck.Record{}, errEnvelope
	}
	idle := uint48(b[idleAt:])
	if idle > longestMillis {
		return coatcheck.Record{}, errEnvelope
	}
	valueAt := headerBytes + int(b[subjectAt])
	return coatcheck.Record{
		ID:               id,
		Incarnation:      binary.BigEndian.Uint64(b[incarnationAt:]),
		Rev:              binary.BigEndian.Uint64(b[revisionAt:]),
		ExpiresAt:        fromMillis(uint48(b[expiresAt:])),
		AbsoluteDeadline: fromMillis(uint48(b[absoluteAt:])),
		CreatedAt:        fromMillis(uint48(b[createdAt:])),
		IdleTimeout:      time.Duration(idle) * time.Millisecond,
		SecretHash:       [32]byte(b[hashAt:subjectAt]),
		Subject:          string(b[headerBytes:valueAt]),
		Value:            b[valueAt:],
	}, nil
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
