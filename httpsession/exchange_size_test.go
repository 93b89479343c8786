package httpsession

import (
	"testing"
	"unsafe"
)

// TestExchangeHoldsNoValue: it points to it, so that a large one is neither copied nor
// paid for by each request. 128 and 480 bytes are sizes in which the runtime hands out
// memory; the next are 144 and 512.
func TestExchangeHoldsNoValue(t *testing.T) {
	if size := unsafe.Sizeof(exchange[[1000]byte]{}); size > 128 {
		t.Errorf("an exchange takes %d bytes", size)
	}
	if size := unsafe.Sizeof(exchangeWithCopy[[1000]byte]{}); size > 480 {
		t.Errorf("an exchange with a copy of the request takes %d bytes", size)
	}
}
