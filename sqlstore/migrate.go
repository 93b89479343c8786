package sqlstore

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
)

const (
	applicationID = 0x636f6174 // "coat", in the file's header
	schemaVersion = 2
)

var (
	//go:embed schema.sql
	schemaSQL string

	//go:embed migrate1.sql
	fromVersion1SQL string
)

// migrate creates the schema in a new file, or brings an older one up to date:
// in full or not at all.
func migrate(ctx context.Context, conn *sql.Conn) (err error) {
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	end := "ROLLBACK"
	defer func() {
		_, endErr := conn.ExecContext(context.WithoutCancel(ctx), end)
		err = errors.Join(err, endErr)
	}()
	var owner, version, tables int
	for query, result := range map[string]*int{
		"PRAGMA application_id":              &owner,
		"PRAGMA user_version":                &version,
		"SELECT count(*) FROM sqlite_schema": &tables,
	} {
		if err := conn.QueryRowContext(ctx, query).Scan(result); err != nil {
			return err
		}
	}
	change := schemaSQL
	switch {
	case owner != applicationID && (tables > 0 || owner != 0):
		return errors.New("the database belongs to another application")
	case owner == applicationID && version == schemaVersion:
		return nil
	case owner == applicationID && version == 1:
		change = fromVersion1SQL
	case owner == applicationID:
		return fmt.Errorf("schema version %d was made by a newer coatcheck, which is needed to use it", version)
	}
	change = fmt.Sprintf("%s; PRAGMA application_id = %d; PRAGMA user_version = %d", change, applicationID, schemaVersion)
	if _, err := conn.ExecContext(ctx, change); err != nil {
		return err
	}
	end = "COMMIT"
	return nil
}
