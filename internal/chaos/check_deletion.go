package chaos

// checkDeletion is about NoResurrection; and about sessions that are gone
// though nobody has deleted them, which would be a lost update of the worst
// kind.
func (c *sessionCheck) checkDeletion() {
	for i := range c.records {
		r := &c.records[i]
		switch {
		case r.Outcome == NotFound && r.End < c.deleteBegan:
			c.violation(NoLostUpdate, "finds nothing although no deletion had begun", r, nil)
		case r.Outcome != OK || r.Kind == Delete:
		case r.Kind == Get:
			if c.deleted != nil && r.Start-c.deleted.End > c.maxStaleness {
				c.violation(NoResurrection, "finds what was deleted", r, c.deleted)
			}
		case c.seenGone != nil && r.Start > c.seenGone.End: // the store decides: at once
			c.violation(NoResurrection, "succeeds on what was gone", r, c.seenGone)
		}
	}
}
