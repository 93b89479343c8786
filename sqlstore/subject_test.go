package sqlstore

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
)

// TestSubjectsAreFoundByIndex: no other test would notice, unless by the clock.
func TestSubjectsAreFoundByIndex(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	s, err := OpenSQLite(t.Context(), path, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("EXPLAIN QUERY PLAN "+listSubjectSQL, "ada", "", nowMillis(), listPage)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, detail)
	}
	// One step: a second one would be to sort.
	if len(plan) != 1 || !strings.Contains(plan[0], "USING INDEX records_subject (subject=? AND id>?)") {
		t.Errorf("SQLite's plan to list a subject is %q, want the index for subject and page, and nothing else", plan)
	}
}
