package chaos

// checkDeletion is about NoResurrection.
func (c *sessionCheck) checkDeletion() {
	for i := range c.records {
		r := &c.records[i]
		switch {
		case r.Outcome != OK || r.ends():
		case r.Kind == Get:
			if c.ended != nil && r.Start-c.ended.End > c.maxStaleness {
				c.violation(NoResurrection, "finds what was deleted", r, c.ended)
			}
		case c.seenGone != nil && r.Start > c.seenGone.End: // the store decides: at once
			c.violation(NoResurrection, "succeeds on what was gone", r, c.seenGone)
		}
	}
}
