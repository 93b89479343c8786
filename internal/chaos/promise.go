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
	// a session's absence included, that nobody wrote.
	NoLostUpdate

	// NoResurrection: what was deleted is neither changed nor extended any more,
	// and not read any more once MaxStaleness has passed.
	NoResurrection

	promises
)

func (p Promise) String() string {
	return [...]string{
		"bounded staleness", "read your writes", "never backwards", "no lost update", "no resurrection",
	}[p]
}
