package coatcheck

import (
	"context"
	"log/slog"
)

// LogEvents returns an OnEvent that writes events to a log: what may be an attack
// or a fault as a warning, what happens to sessions as information, and what
// happens in memory for debugging. IDs, subjects, and what is recorded of clients
// are in it, tokens are not.
func LogEvents(logger *slog.Logger) func(Event) {
	return func(e Event) {
		ctx, level := context.Background(), e.Kind.level()
		if !logger.Enabled(ctx, level) {
			return
		}
		r := slog.NewRecord(e.Time, level, "coatcheck: "+e.Kind.String(), 0)
		add := func(key, value string) {
			if value != "" {
				r.AddAttrs(slog.String(key, value))
			}
		}
		add("session", e.SessionID)
		add("subject", e.Subject)
		add("address", e.Client.Address)
		add("user_agent", e.Client.UserAgent)
		add("address_before", e.Before.Address)
		add("user_agent_before", e.Before.UserAgent)
		add("node", e.Node)
		if e.Rev != 0 {
			r.AddAttrs(slog.Uint64("rev", e.Rev))
		}
		if e.Kind == CacheCleared {
			r.AddAttrs(slog.Int("size", e.Size))
		}
		_ = logger.Handler().Handle(ctx, r) // there is nobody to tell
	}
}

func (k EventKind) level() slog.Level {
	switch k {
	case TokenReused, ClientChanged, DecodeFailed:
		return slog.LevelWarn
	case SessionCreated, SessionRenewed, SessionDeleted, SessionRevoked, SessionExpired:
		return slog.LevelInfo
	default:
		return slog.LevelDebug
	}
}
