package storetest

import "time"

// Of the stores in the tests many never do what a case waits for.
func init() { patience = 4 * time.Second }

// CheckWatches is Check for the rules about watches only.
func CheckWatches(open func() (Target, error)) []Violation { return check(watchRules, open) }
