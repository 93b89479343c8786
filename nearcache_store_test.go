package coatcheck_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
)

// A store that cannot touch is asked to update, and reads the record for that:
// its value goes with its revision.
func TestTouchByUpdateShowsTheNewestValue(t *testing.T) {
	for name, near := range map[string]coatcheck.NearCache{"near cache": {MaxStaleness: hour}, "none": storeOnly} {
		inTime(t, name, func(t *testing.T) {
			m, store, token := cached(t, config{})
			behind := newManager(t, config{Store: bare(store), NearCache: near})
			wantValue(t, behind, token, profile{Name: "ada"})
			time.Sleep(coatcheck.DefaultIdleTimeout / 2)
			updated := false
			store.before = func(method string) error { // between the reader's load and its touch
				if method == "Load" && !updated {
					updated = true
					return m.Update(t.Context(), token, profile{Name: "bob"})
				}
				return nil
			}
			value, info, err := behind.Lookup(t.Context(), token)
			wantErr(t, "Lookup", err, nil)
			r := load(t, store, token)
			if stored := string(r.Value); info.Rev == r.Rev && !strings.Contains(stored, value.Name) {
				t.Errorf("%+v at revision %d, where the store has %s", value, info.Rev, stored)
			}
		})
	}
}

// panicky is a codec that panics when it is told to.
type panicky struct {
	coatcheck.JSON[profile]
	now *atomic.Bool
}

func (p panicky) Decode(data []byte) (profile, error) {
	if p.now.Load() {
		panic("a bug in the codec")
	}
	return p.JSON.Decode(data)
}

func TestPanickingCodecGivesNoZeroValue(t *testing.T) {
	codec := panicky{now: new(atomic.Bool)}
	m := newManager(t, config{Store: openStore(t), Codec: codec})
	token := generate(t, m, profile{Name: "ada"})
	codec.now.Store(true)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_, _ = m.Get(t.Context(), token)
	}()
	for range 2 {
		wantErr(t, "Get", get.call(t.Context(), m, token), coatcheck.ErrDecode)
	}
}
