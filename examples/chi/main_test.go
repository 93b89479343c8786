package main

import (
	"testing"

	"github.com/coatcheck/coatcheck/examples/internal/visitor"
)

func TestCounts(t *testing.T) {
	visitor.Counts(t, handler(visitor.Sessions[Visit](t)))
}
