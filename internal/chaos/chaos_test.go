package chaos

import (
	"math/rand/v2"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }
