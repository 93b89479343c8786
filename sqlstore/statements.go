package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/coatcheck/coatcheck"
)

// Each change is one statement that does nothing where its condition fails,
// so that a change in a batch never fails the others. Whether a condition
// failed because the record is gone or because it has another revision, a
// look at the record tells, within the same transaction.
const (
	columnsBefore, columnsAfter = `id, incarnation, rev, secret_hash, subject`,
		`created_at, expires_at, absolute_deadline, idle_timeout, retired, client_address, client_user_agent`
	columns             = columnsBefore + `, value, ` + columnsAfter
	columnsWithoutValue = columnsBefore + `, NULL, ` + columnsAfter

	loadSQL = `SELECT ` + columns + ` FROM records WHERE id = ?1 AND expires_at > ?2`

	createSQL = `INSERT INTO records (` + columns + `) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
		ON CONFLICT (id) DO UPDATE SET
			incarnation = excluded.incarnation, rev = excluded.rev, secret_hash = excluded.secret_hash,
			subject = excluded.subject, value = excluded.value, created_at = excluded.created_at,
			expires_at = excluded.expires_at, absolute_deadline = excluded.absolute_deadline,
			idle_timeout = excluded.idle_timeout, retired = excluded.retired,
			client_address = excluded.client_address, client_user_agent = excluded.client_user_agent
		WHERE records.expires_at <= ?14`

	updateSQL = `UPDATE records SET rev = ?3, secret_hash = ?4, subject = ?5, value = ?6, created_at = ?7,
			expires_at = ?8, absolute_deadline = ?9, idle_timeout = ?10,
			retired = ?11, client_address = ?12, client_user_agent = ?13
		WHERE id = ?1 AND incarnation = ?2 AND rev = ?15 AND expires_at > ?14`

	touchSQL = `UPDATE records SET expires_at = max(expires_at, min(?3, absolute_deadline))
		WHERE id = ?1 AND incarnation = ?2 AND expires_at > ?4`

	existsSQL = `SELECT 1 FROM records WHERE id = ?1 AND incarnation = ?2 AND expires_at > ?3`

	deleteSQL = `DELETE FROM records WHERE id = ?1`

	sweepSQL = `DELETE FROM records WHERE rowid IN (SELECT rowid FROM records WHERE expires_at <= ?1 LIMIT ?2) RETURNING id`

	listSQL = `SELECT ` + columns + ` FROM records WHERE id > ?1 AND expires_at > ?2 ORDER BY id LIMIT ?3`

	// That the subject is not empty must be said for SQLite to use the index,
	// which has no anonymous records.
	listSubjectSQL = `SELECT ` + columnsWithoutValue + ` FROM records
		WHERE subject = ?1 AND subject <> '' AND id > ?2 AND expires_at > ?3 ORDER BY id LIMIT ?4`
)

// never is how the database has a deadline that never comes: later than all.
const never = math.MaxInt64

func millis(t time.Time) int64 {
	if t.IsZero() {
		return never
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == never {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func nowMillis() int64 { return time.Now().UnixMilli() }

// arguments returns the record's columns for createSQL and updateSQL.
func arguments(r *coatcheck.Record) []any {
	value := r.Value
	if value == nil {
		value = []byte{} // a nil slice would be NULL
	}
	return []any{
		r.ID, int64(r.Incarnation), int64(r.Rev), r.SecretHash[:], r.Subject, value,
		millis(r.CreatedAt), millis(r.ExpiresAt), millis(r.AbsoluteDeadline), r.IdleTimeout.Milliseconds(),
		retiredBytes(r.Retired), r.Client.Address, r.Client.UserAgent,
	}
}

// scan reads a record as loadSQL, listSQL and listSubjectSQL select it.
func scan(row interface{ Scan(...any) error }) (coatcheck.Record, error) {
	var r coatcheck.Record
	var incarnation, rev, created, expires, absolute, idle int64
	var hash, retired []byte
	err := row.Scan(&r.ID, &incarnation, &rev, &hash, &r.Subject, &r.Value, &created, &expires, &absolute, &idle,
		&retired, &r.Client.Address, &r.Client.UserAgent)
	if err != nil {
		return r, err
	}
	if len(hash) != len(r.SecretHash) {
		return r, fmt.Errorf("session %s: %w: the hash has %d bytes", r.ID, coatcheck.ErrDecode, len(hash))
	}
	r.SecretHash = [len(r.SecretHash)]byte(hash)
	if r.Retired, err = parseRetired(retired); err != nil {
		return r, fmt.Errorf("session %s: %w", r.ID, err)
	}
	r.Incarnation, r.Rev = uint64(incarnation), uint64(rev)
	r.CreatedAt, r.ExpiresAt, r.AbsoluteDeadline = fromMillis(created), fromMillis(expires), fromMillis(absolute)
	r.IdleTimeout = time.Duration(idle) * time.Millisecond
	return r, nil
}

// statements are prepared once for the connection that writes.
type statements struct {
	begin, commit, rollback                      *sql.Stmt
	create, update, touch, exists, delete, sweep *sql.Stmt
	version                                      *sql.Stmt

	all []*sql.Stmt
}

// close must come before the connection's: SQLite keeps a file open for as
// long as one of its statements lives.
func (s *statements) close() error {
	var errs []error
	for _, stmt := range s.all {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(errs...)
}

func prepare(ctx context.Context, conn *sql.Conn) (*statements, error) {
	var s statements
	for _, p := range []struct {
		stmt **sql.Stmt
		text string
	}{
		{&s.begin, "BEGIN IMMEDIATE"}, {&s.commit, "COMMIT"}, {&s.rollback, "ROLLBACK"},
		{&s.create, createSQL}, {&s.update, updateSQL}, {&s.touch, touchSQL}, {&s.exists, existsSQL},
		{&s.delete, deleteSQL}, {&s.sweep, sweepSQL},
		{&s.version, "PRAGMA data_version"},
	} {
		stmt, err := conn.PrepareContext(ctx, p.text)
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		*p.stmt, s.all = stmt, append(s.all, stmt)
	}
	return &s, nil
}
