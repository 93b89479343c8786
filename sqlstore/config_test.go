package sqlstore

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

// No test of a process can see whether the disk has what was acknowledged.
func TestSettingsReachSQLite(t *testing.T) {
	for survive, want := range map[bool]string{false: "synchronous(NORMAL)", true: "synchronous(FULL)"} {
		config, err := Config{SurvivePowerLoss: survive}.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		_, query, _ := strings.Cut(config.dsn("x.db"), "?")
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		for _, pragma := range []string{want, "busy_timeout(5000)"} {
			if !slices.Contains(values["_pragma"], pragma) {
				t.Errorf("SurvivePowerLoss %v: no %s in %q", survive, pragma, values["_pragma"])
			}
		}
	}
}
