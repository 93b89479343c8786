//go:build !chaos_partial_revoke

package main

import "context"

// revokeAll is where a test has one session spared.
func (l *load) revokeAll(ctx context.Context, subject string) error {
	_, err := l.manager.RevokeAll(ctx, subject)
	return err
}
