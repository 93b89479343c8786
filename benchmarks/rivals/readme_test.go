package rivals

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestReadme compares the table of subjects in benchmarks/README.md with All.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := table(); !strings.Contains(string(readme), "\n\n"+want+"\n") {
		t.Errorf("benchmarks/README.md does not have this table:\n%s", want)
	}
}

func table() string {
	var rows strings.Builder
	rows.WriteString("| subject | configured | a read asks; and decodes | gives, and lacks |\n|---|---|---|---|\n")
	for _, s := range All() {
		if s.MaxValue > 0 {
			s.Gives += fmt.Sprintf("; values of %d bytes at most", s.MaxValue)
		}
		rows.WriteString("| `" + strings.Join([]string{s.Name + "`", s.Configured, s.Reads, s.Gives}, " | ") + " |\n")
	}
	return rows.String()
}
