//go:build chaos_partial_revoke

package main

import (
	"context"

	"github.com/coatcheck/coatcheck"
)

// revokeAll forgets the session that was listed last.
func (l *load) revokeAll(ctx context.Context, subject string) error {
	sessions, err := l.manager.Sessions(ctx, subject)
	if err != nil {
		return err
	}
	var forgotten string
	if len(sessions) > 0 {
		forgotten = sessions[len(sessions)-1].ID
	}
	_, err = l.manager.RevokeAll(ctx, subject, coatcheck.Except(forgotten))
	return err
}
