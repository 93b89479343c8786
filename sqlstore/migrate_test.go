package sqlstore_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/sqlstore"
)

// version1 makes a database as version 1 did, with records of Ada and of nobody,
// one of which has expired.
func version1(t *testing.T) (path string) {
	t.Helper()
	schema, err := os.ReadFile("testdata/version1.sql")
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "records.db")
	exec(t, path, "PRAGMA journal_mode = WAL; BEGIN; "+string(schema)+`;
		PRAGMA application_id = 1668243828; PRAGMA user_version = 1;
		INSERT INTO records VALUES
			('id of the first', -1, 3, zeroblob(31) || x'07', 'ada', x'0001ff', 1700000000000, 9223372036854775807, 9223372036854775807, 0),
			('id of the second', 2, 1, zeroblob(32), 'ada', x'', 1700000000000, 9900000000000, 9900000000001, 60000),
			('id of the third', 3, 1, zeroblob(32), '', x'61', 1700000000000, 9223372036854775807, 9223372036854775807, 0),
			('id of the ended', 4, 1, zeroblob(32), 'ada', x'61', 1700000000000, 1700000000001, 9223372036854775807, 0);
		COMMIT`)
	return path
}

func TestVersion1IsMigrated(t *testing.T) {
	path := version1(t)
	s := open(t, path, sqlstore.Config{})
	created := time.UnixMilli(1700000000000).UTC()
	want := map[string]coatcheck.Record{
		"id of the first": {Incarnation: 1<<64 - 1, Rev: 3, SecretHash: [32]byte{31: 7}, Subject: "ada", Value: []byte{0, 1, 0xff}, CreatedAt: created},
		"id of the second": {Incarnation: 2, Rev: 1, Subject: "ada", CreatedAt: created, IdleTimeout: time.Minute,
			ExpiresAt: time.UnixMilli(9900000000000).UTC(), AbsoluteDeadline: time.UnixMilli(9900000000001).UTC()},
		"id of the third": {Incarnation: 3, Rev: 1, Value: []byte("a"), CreatedAt: created},
	}
	for id, r := range want {
		r.ID = id
		if got, err := s.Load(t.Context(), id); err != nil || !same(got, r) {
			t.Errorf("Load of a record that version 1 has made: %+v, %v, want %+v", got, err, r)
		}
	}
	if got, want := subject(t, s, "ada"), []string{"id of the first", "id of the second"}; !slices.Equal(got, want) {
		t.Errorf("Ada's records are %q, want %q", got, want)
	}

	r := want["id of the first"]
	r.ID, r.Rev, r.Subject = "id of the first", 4, "grace"
	r.Retired = []coatcheck.Retired{{Hash: [16]byte{1}, At: created, Until: created.Add(time.Second)}}
	r.Client = coatcheck.Client{Address: "192.0.2.1", UserAgent: "Lynx"}
	if err := s.Update(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, path, sqlstore.Config{}) // which migrates nothing
	if got, err := again.Load(t.Context(), r.ID); err != nil || !same(got, r) {
		t.Errorf("a record of version 1 that was changed is %+v, %v, want %+v", got, err, r)
	}
	if got := subject(t, again, "grace"); !slices.Equal(got, []string{r.ID}) {
		t.Errorf("Grace's records are %q, want the one that was Ada's", got)
	}
}

// same compares records whose slices are short, and empty ones may be nil.
func same(a, b coatcheck.Record) bool {
	retired := slices.Equal(a.Retired, b.Retired)
	value := string(a.Value) == string(b.Value)
	return retired && value && a.ID == b.ID && a.Incarnation == b.Incarnation && a.Rev == b.Rev && a.SecretHash == b.SecretHash &&
		a.Subject == b.Subject && a.Client == b.Client && a.CreatedAt == b.CreatedAt && a.ExpiresAt == b.ExpiresAt &&
		a.AbsoluteDeadline == b.AbsoluteDeadline && a.IdleTimeout == b.IdleTimeout
}

// subject returns the IDs of a subject's records in order.
func subject(t *testing.T, s *sqlstore.Store, name string) (ids []string) {
	t.Helper()
	for r, err := range s.ListSubject(t.Context(), name) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r.ID)
	}
	slices.Sort(ids)
	return ids
}

// TestMigratedIsAsNew: what works on a new database works on a migrated one.
func TestMigratedIsAsNew(t *testing.T) {
	fresh, migrated := filepath.Join(t.TempDir(), "records.db"), version1(t)
	var described [2]string
	for i, path := range []string{fresh, migrated} {
		if err := open(t, path, sqlstore.Config{}).Close(); err != nil {
			t.Fatal(err)
		}
		described[i] = describe(t, path)
	}
	if described[0] != described[1] {
		t.Errorf("a new database has\n%s\na migrated one has\n%s", described[0], described[1])
	}
	if !strings.Contains(described[0], "client_user_agent TEXT 1 ''") {
		t.Errorf("the description lacks a column:\n%s", described[0])
	}
}

// describe returns the columns and indexes, and what marks the file.
func describe(t *testing.T, path string) string {
	t.Helper()
	db := raw(t, path)
	defer db.Close()
	var text string
	if err := db.QueryRow(`SELECT group_concat(line, char(10)) FROM (
		SELECT cid || ' ' || name || ' ' || type || ' ' || "notnull" || ' ' || coalesce(dflt_value, '-') || ' ' || pk AS line FROM pragma_table_info('records')
		UNION ALL SELECT sql FROM sqlite_schema WHERE type = 'index' AND sql NOT NULL
		UNION ALL SELECT application_id FROM pragma_application_id
		UNION ALL SELECT user_version FROM pragma_user_version)`).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

// TestFailedMigrationChangesNothing has a table of another make be in the way.
func TestFailedMigrationChangesNothing(t *testing.T) {
	path := version1(t)
	exec(t, path, "CREATE TABLE records_subject (x)")
	before := describe(t, path)
	if _, err := sqlstore.OpenSQLite(t.Context(), path, sqlstore.Config{}); !errors.Is(err, coatcheck.ErrUnavailable) {
		t.Fatalf("OpenSQLite of a database that cannot be migrated: %v, want ErrUnavailable", err)
	}
	if after := describe(t, path); after != before {
		t.Errorf("a migration that failed has left\n%s\nof\n%s", after, before)
	}
	exec(t, path, "DROP TABLE records_subject")
	if got := subject(t, open(t, path, sqlstore.Config{}), "ada"); len(got) != 2 {
		t.Errorf("Ada's records are %q, want two", got)
	}
}

// TestMigratedIsRefusedByVersion1: version 1 used a database only if this number
// was 1, and said of a higher one that a newer coatcheck has made it.
func TestMigratedIsRefusedByVersion1(t *testing.T) {
	path := version1(t)
	if err := open(t, path, sqlstore.Config{}).Close(); err != nil {
		t.Fatal(err)
	}
	db := raw(t, path)
	defer db.Close()
	var version int
	if err := db.QueryRow("PRAGMA user_version").Scan(&version); err != nil || version != 2 {
		t.Errorf("user_version is %d (error %v), want 2", version, err)
	}
}
