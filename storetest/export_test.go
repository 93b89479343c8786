package storetest

import "time"

// Of the stores in the tests many never do what a case waits for, and there are
// a hundred of them.
func init() { patience, heirRounds = 4*time.Second, 48 }

// CheckWatches is Check for the rules about watches only.
func CheckWatches(open func() (Target, error)) []Violation { return check(watchRules, open) }
