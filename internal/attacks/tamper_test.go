package attacks

import (
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/redistest"
	"github.com/coatcheck/coatcheck/redisstore"
	"github.com/coatcheck/coatcheck/sealedstore"
)

// vault is a manager over sealed values in Redis, and the attacker's way to the
// bytes beneath.
type vault struct {
	*coatcheck.Manager[account]
	t      *testing.T
	inner  coatcheck.Store
	client rueidis.Client
}

func openVault(t *testing.T) *vault {
	t.Helper()
	server := redistest.Start(t)
	inner := inRedis(t, server)
	store, err := sealedstore.New(inner, sealedstore.NewKeyring())
	if err != nil {
		t.Fatal(err)
	}
	return &vault{newManager(t, store), t, inner, server.Client()}
}

func (v *vault) read(token coatcheck.Token) []byte {
	v.t.Helper()
	b, err := v.client.Do(v.t.Context(), v.client.B().Get().Key(redisstore.DefaultPrefix+token.ID()).Build()).AsBytes()
	if err != nil {
		v.t.Fatal(err)
	}
	return b
}

func (v *vault) write(token coatcheck.Token, b []byte) {
	v.t.Helper()
	set := v.client.B().Set().Key(redisstore.DefaultPrefix + token.ID()).Value(rueidis.BinaryString(b)).Keepttl().Build()
	if err := v.client.Do(v.t.Context(), set).Error(); err != nil {
		v.t.Fatal(err)
	}
}

// Swap: the attacker writes the sealed value of another's session into his own, to
// have it opened for him; with or without all that is around it.
func TestAttackSwappedCiphertexts(t *testing.T) {
	v := openVault(t)
	his := generate(t, v.Manager, "nothing", coatcheck.ForSubject("eve"))
	hers := generate(t, v.Manager, "private", coatcheck.ForSubject("ada"))
	mine, other := v.read(his), v.read(hers)
	if len(mine) != len(other) {
		t.Fatal("the records are to have one length, so that each part can be swapped")
	}
	for from := range len(mine) + 1 {
		// All that follows a place comes from her session; then all before it.
		for _, forged := range [][]byte{
			append(append([]byte{}, mine[:from]...), other[from:]...),
			append(append([]byte{}, other[:from]...), mine[from:]...),
		} {
			v.write(his, forged)
			if value, err := v.Get(t.Context(), his); err == nil && value.Note != "nothing" {
				t.Fatalf("bytes up to %d: he reads %q", from, value.Note)
			}
		}
	}
	v.write(his, mine)
	if value, err := v.Get(t.Context(), his); err != nil || value.Note != "nothing" {
		t.Errorf("his own session, as it was: %+v, %v", value, err)
	}
}

// Tamper: the attacker changes bits of a record. He may end the session, or change
// when it ends; what is read is what was written, or nothing.
func TestAttackTamperedEnvelope(t *testing.T) {
	v := openVault(t)
	token := generate(t, v.Manager, "private", coatcheck.ForSubject("ada"))
	token, err := v.Renew(t.Context(), token, coatcheck.WithGrace()) // so that all there can be is there
	if err != nil {
		t.Fatal(err)
	}
	whole := v.read(token)
	refused := 0
	try := func(what string, at int, forged []byte) {
		v.write(token, forged)
		value, err := v.Get(t.Context(), token)
		switch {
		case err != nil:
			refused++
		case value.Note != "private":
			t.Errorf("%s byte %d: read %q", what, at, value.Note)
		}
	}
	for at := range whole {
		for _, mask := range []byte{0x01, 0x80, 0xff} {
			forged := append([]byte{}, whole...)
			forged[at] ^= mask
			try("changed", at, forged)
		}
		try("cut off at", at, whole[:at])
	}
	if refused < len(whole) {
		t.Errorf("only %d of %d forgeries were refused", refused, 4*len(whole))
	}
	v.write(token, whole)
	if value, err := v.Get(t.Context(), token); err != nil || value.Note != "private" {
		t.Errorf("the record as it was: %+v, %v", value, err)
	}
}

// Forged grace: the attacker, who can write to the store, adds the hash of a token
// of his own to the retired ones of a session, as if it were accepted for a while.
func TestAttackForgedRetiredSecret(t *testing.T) {
	v := openVault(t)
	token := generate(t, v.Manager, "private", coatcheck.ForSubject("ada"))
	record, err := v.inner.Load(t.Context(), token.ID())
	if err != nil {
		t.Fatal(err)
	}
	forged := coatcheck.Token(token.ID() + strings.Repeat("E", 22))
	hash := sha256.Sum256([]byte(forged))
	record.Retired = []coatcheck.Retired{{
		Hash: [sha256.Size / 2]byte(hash[:]), At: record.CreatedAt, Until: record.CreatedAt.Add(time.Hour),
	}}
	record.Rev++
	if err := v.inner.Update(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	if value, err := v.Get(t.Context(), forged); err == nil {
		t.Errorf("the attacker reads %q", value.Note)
	}
}
