package memstore_test

import (
	"testing"

	"github.com/coatcheck/coatcheck/memstore"
	"github.com/coatcheck/coatcheck/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func() (storetest.Target, error) {
		s, err := memstore.New(memstore.Config{})
		return storetest.Target{Store: s, Close: s.Close}, err
	})
}
