package sqlstore

import (
	"encoding/binary"
	"fmt"

	"github.com/coatcheck/coatcheck"
)

// The column for retired secrets has a hash and two times for each, as
// schema.sql says.
const (
	retiredHashLen = len(coatcheck.Retired{}.Hash)
	retiredLen     = retiredHashLen + 8 + 8
)

func retiredBytes(all []coatcheck.Retired) []byte {
	column := make([]byte, 0, len(all)*retiredLen) // not nil, which would be NULL
	for _, old := range all {
		column = append(column, old.Hash[:]...)
		column = binary.BigEndian.AppendUint64(column, uint64(millis(old.At)))
		column = binary.BigEndian.AppendUint64(column, uint64(millis(old.Until)))
	}
	return column
}

func parseRetired(column []byte) ([]coatcheck.Retired, error) {
	if len(column)%retiredLen != 0 {
		return nil, fmt.Errorf("%w: the retired secrets have %d bytes, want %d for each", coatcheck.ErrDecode, len(column), retiredLen)
	}
	if len(column) == 0 {
		return nil, nil
	}
	all := make([]coatcheck.Retired, 0, len(column)/retiredLen)
	for ; len(column) > 0; column = column[retiredLen:] {
		times := column[retiredHashLen:]
		all = append(all, coatcheck.Retired{
			Hash:  [retiredHashLen]byte(column),
			At:    fromMillis(int64(binary.BigEndian.Uint64(times))),
			Until: fromMillis(int64(binary.BigEndian.Uint64(times[8:]))),
		})
	}
	return all, nil
}
