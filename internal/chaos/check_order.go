package chaos

// known is the latest that was read or made before a point in time.
type known struct {
	rev int64
	by  *Record
}

func (k *known) raise(rev int64, by *Record) {
	if k.by == nil || rev > k.rev {
		k.rev, k.by = rev, by
	}
}

// tokenOn is one of the session's tokens, shown to a node.
type tokenOn struct {
	node   uint8
	secret uint64
}

// checkOrder walks through time: what an operation may not fall behind is what
// had ended before it began. Of two that overlap, neither is first.
func (c *sessionCheck) checkOrder() {
	var read, made [Outside + 1]known // by node
	var anywhere known
	refused := map[tokenOn]*Record{} // by a Get
	ended := 0
	for i := range c.records {
		r := &c.records[i]
		for ; c.records[c.byEnd[ended]].End < r.Start; ended++ { // r itself ends the loop, at last
			before := &c.records[c.byEnd[ended]]
			proof := c.proofs[c.byEnd[ended]]
			rev := int64(before.Rev)
			switch {
			case before.Kind == Get && before.Outcome == NotFound:
				refused[tokenOn{before.Node, before.Secret}] = before
				if proof {
					read[before.Node].raise(gone, before)
				}
			case before.Outcome != OK || before.Kind == Refresh:
			case before.ends():
				if proof && c.byItself(before) {
					made[before.Node].raise(gone, before)
				}
			case before.Kind == Get:
				read[before.Node].raise(rev, before)
				anywhere.raise(rev, before)
			default:
				made[before.Node].raise(rev, before)
				anywhere.raise(rev, before)
			}
		}
		if r.Outcome != OK {
			continue
		}
		rev := int64(r.Rev)
		if own := made[r.Node]; r.Kind == Get && own.by != nil && rev < own.rev {
			c.violation(ReadYourWrites, "misses what its own node had changed", r, own.by)
		}
		if own := read[r.Node]; r.Kind == Get && own.by != nil && rev < own.rev {
			c.violation(NeverBackwards, "falls behind what its own node had read", r, own.by)
		} else if before := refused[tokenOn{r.Node, r.Secret}]; r.Kind == Get && before != nil {
			c.violation(NeverBackwards, "is let in by a token that its own node had refused", r, before)
		}
		if r.writes() && anywhere.by != nil && rev <= anywhere.rev {
			c.violation(NoLostUpdate, "makes a revision that had been reached before it began", r, anywhere.by)
		}
	}
}
