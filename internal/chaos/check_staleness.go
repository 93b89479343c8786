package chaos

import "time"

// checkStaleness is about BoundedStaleness, on all nodes.
func (c *sessionCheck) checkStaleness() {
	for i := range c.records {
		r := &c.records[i]
		if r.Kind != Get || r.Outcome != OK { // that there is nothing is never stale
			continue
		}
		missed := c.missed(r.Rev)
		if missed == nil || r.Start <= missed.End {
			continue
		}
		age := r.Start - missed.End
		c.report.StaleReads++
		c.report.WorstStaleness = max(c.report.WorstStaleness, time.Duration(age))
		if age > c.maxStaleness {
			c.violation(BoundedStaleness, "began so long after a change that it misses: "+time.Duration(age).String(), r, missed)
		}
	}
}
