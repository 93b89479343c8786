package httpsession

import (
	"testing"
	"unsafe"
)

// TestExchangeHoldsNoValue: it points to it, so that a large one is neither copied nor
// paid for by each request. Of the sizes in which the runtime hands out memory 480 bytes
// is one, and the next is 512.
func TestExchangeHoldsNoValue(t *testing.T) {
	if size := unsafe.Sizeof(exchange[[1000]byte]{}); size > 480 {
		t.Errorf("an exchange takes %d bytes", size)
	}
}
