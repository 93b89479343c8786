package coatcheck

import (
	"fmt"
	"time"
)

// Event is something that happened in a manager.
type Event struct {
	Kind EventKind

	// Time is when the manager learned of it.
	Time time.Time

	// SessionID names the session, if the event is about one.
	SessionID string

	// Rev is the revision, where it is known.
	Rev uint64

	// Node names the process that made a change, where it is known.
	Node string

	// Size is how many entries a cache held that was cleared.
	Size int
}

// EventKind says what happened.
type EventKind int

const (
	// EntryWritten: a session was put into the near cache.
	EntryWritten EventKind = iota + 1

	// CacheCleared: the near cache was emptied, by its schedule or because the
	// watch of the store was broken.
	CacheCleared

	// ChangeReceived: the store reported that another process changed, extended or
	// ended a session, or may have. Redis with Tracking, the default, tells neither
	// Rev nor Node.
	ChangeReceived

	// DecodeFailed: what the store holds of a session does not fit the type of the
	// value.
	DecodeFailed
)

// String returns a name for logs.
func (k EventKind) String() string {
	switch k {
	case EntryWritten:
		return "entry written"
	case CacheCleared:
		return "cache cleared"
	case ChangeReceived:
		return "change received"
	case DecodeFailed:
		return "decode failed"
	default:
		return fmt.Sprintf("event %d", int(k))
	}
}

// eventBacklog is how many events may wait for OnEvent before more are lost.
const eventBacklog = 4096

// emit hands an event to OnEvent, which must not hold up its cause.
func (m *Manager[T]) emit(e Event) {
	if m.config.OnEvent == nil {
		return
	}
	e.Time = time.Now()
	select {
	case m.background.events <- e:
	default:
		m.droppedEvents.Add(1)
	}
}
