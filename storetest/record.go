package storetest

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/coatcheck/coatcheck"
)

// newRecord returns a record as the manager makes them, with an ID and a subject
// of its own, for a target may hold records of other cases.
func newRecord() coatcheck.Record {
	var id, incarnation [16]byte
	rand.Read(id[:])
	rand.Read(incarnation[:])
	created := time.Now().UTC().Truncate(time.Millisecond)
	r := coatcheck.Record{
		ID:               base64.RawURLEncoding.EncodeToString(id[:]),
		Incarnation:      binary.BigEndian.Uint64(incarnation[:]),
		Rev:              1,
		Retired:          []coatcheck.Retired{newRetired(created)},
		Subject:          newSubject(),
		Client:           coatcheck.Client{Address: "192.0.2.1", UserAgent: "Lynx/2.9"},
		Value:            []byte("value of " + fmt.Sprint(id)),
		CreatedAt:        created,
		ExpiresAt:        created.Add(time.Hour),
		AbsoluteDeadline: created.Add(24 * time.Hour),
		IdleTimeout:      time.Hour,
	}
	rand.Read(r.SecretHash[:])
	return r
}

// newRetired returns a secret that was replaced then, and is accepted for a while.
func newRetired(at time.Time) coatcheck.Retired {
	old := coatcheck.Retired{At: at, Until: at.Add(1500 * time.Millisecond)}
	rand.Read(old.Hash[:])
	return old
}

// newSubject returns a subject that has no records.
func newSubject() string { return "Ada " + rand.Text() }

// next returns the record that changes r's value.
func next(r coatcheck.Record, value string) coatcheck.Record {
	r.Rev++
	r.Value = []byte(value)
	return r
}

func clone(r coatcheck.Record) coatcheck.Record {
	r.Value, r.Retired = slices.Clone(r.Value), slices.Clone(r.Retired)
	return r
}

// listed returns the record as a listing of its subject has it.
func listed(r coatcheck.Record) coatcheck.Record {
	r.Value = nil
	return r
}

// differences names each field in which got is not want.
func differences(got, want coatcheck.Record) (all []string) {
	compare := func(field string, equal bool, got, want any) {
		if !equal {
			all = append(all, fmt.Sprintf("%s is %v, want %v", field, got, want))
		}
	}
	compare("ID", got.ID == want.ID, got.ID, want.ID)
	compare("Incarnation", got.Incarnation == want.Incarnation, got.Incarnation, want.Incarnation)
	compare("Rev", got.Rev == want.Rev, got.Rev, want.Rev)
	compare("SecretHash", got.SecretHash == want.SecretHash, "another", "as it was given")
	compare("Subject", got.Subject == want.Subject, fmt.Sprintf("%q", got.Subject), fmt.Sprintf("%q", want.Subject))
	compare("Client", got.Client == want.Client, fmt.Sprintf("%+q", got.Client), fmt.Sprintf("%+q", want.Client))
	compare("Value", bytes.Equal(got.Value, want.Value), abridged(got.Value), abridged(want.Value))
	compare("CreatedAt", sameTime(got.CreatedAt, want.CreatedAt), got.CreatedAt, want.CreatedAt)
	compare("ExpiresAt", sameTime(got.ExpiresAt, want.ExpiresAt), got.ExpiresAt, want.ExpiresAt)
	compare("AbsoluteDeadline", sameTime(got.AbsoluteDeadline, want.AbsoluteDeadline), got.AbsoluteDeadline, want.AbsoluteDeadline)
	compare("IdleTimeout", got.IdleTimeout == want.IdleTimeout, got.IdleTimeout, want.IdleTimeout)
	if compare("the number of retired secrets", len(got.Retired) == len(want.Retired), len(got.Retired), len(want.Retired)); len(got.Retired) != len(want.Retired) {
		return all
	}
	for i, w := range want.Retired {
		g, which := got.Retired[i], fmt.Sprintf("Retired[%d].", i)
		compare(which+"Hash", g.Hash == w.Hash, "another", "as it was given")
		compare(which+"At", sameTime(g.At, w.At), g.At, w.At)
		compare(which+"Until", sameTime(g.Until, w.Until), g.Until, w.Until)
	}
	return all
}

func sameTime(got, want time.Time) bool {
	return got.Equal(want) && got.IsZero() == want.IsZero() && got.Location() == time.UTC
}

func abridged(value []byte) string {
	if len(value) > 40 {
		return fmt.Sprintf("%q… (%d bytes)", value[:40], len(value))
	}
	return fmt.Sprintf("%q", value)
}
