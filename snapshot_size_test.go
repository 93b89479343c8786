package coatcheck

import (
	"testing"
	"unsafe"
)

// TestEntryFitsItsSizeOfMemory: of the sizes in which the runtime hands out memory
// 176 bytes is one, and the next is 192. A million sessions pay for it.
func TestEntryFitsItsSizeOfMemory(t *testing.T) {
	if size := unsafe.Sizeof(entry[[3]int64]{}); size > 176 {
		t.Errorf("an entry with a value of 24 bytes takes %d bytes", size)
	}
}
