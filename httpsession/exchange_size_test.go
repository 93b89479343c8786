package httpsession

import (
	"testing"
	"unsafe"
)

// TestExchangeHoldsNoValue: it points to it, so that a large one is neither copied nor
// paid for by each request. 160 and 480 bytes are sizes in which the runtime hands out
// memory; the next are 176 and 512.
func TestExchangeHoldsNoValue(t *testing.T) {
	if size := unsafe.Sizeof(exchange[[1000]byte]{}); size > 160 {
		t.Errorf("an exchange takes %d bytes", size)
	}
	if size := unsafe.Sizeof(exchangeWithCopy[[1000]byte]{}); size > 480 {
		t.Errorf("an exchange with a copy of the request takes %d bytes", size)
	}
}
