package chaos

// Promise is one of those that a history is held against.
type Promise int

// The promises.
const (
	// BoundedStaleness: a Get that starts more than MaxStaleness after a change
	// has returned, anywhere, sees it.
	BoundedStaleness Promise = iota

	// ReadYourWrites: a Get sees what its own node has changed before.
	ReadYourWrites

	// NeverBackwards: a Get sees no less than one that ended before it on the
	// same node. That a session is gone is later than all of its revisions.
	NeverBackwards

	// NoLostUpdate: of the changes that were acknowledged each has a revision of
	// its own, later than all that was known anywhere when it began; each adds
	// one to the counter that the one before it left; and nothing is ever read,
	// a session's absence included, that nobody wrote. So a token works from when
	// it was issued on until something begins that ends it, or the session.
	NoLostUpdate

	// NoResurrection: what was deleted is neither changed nor extended any more,
	// and not read any more once MaxStaleness has passed.
	NoResurrection

	// OldTokens open nothing: a token that a renewal at once has retired, from when
	// this has returned on, and one that was retired with grace after RenewGrace. On
	// other nodes Get and Refresh may rest on what is in memory for MaxStaleness more.
	// Nor is a token that was retired with grace renewed with grace once more.
	OldTokens

	promises
)

func (p Promise) String() string {
	return [...]string{
		"bounded staleness", "read your writes", "never backwards", "no lost update", "no resurrection",
		"old tokens open nothing",
	}[p]
}
