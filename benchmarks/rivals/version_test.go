package rivals

import (
	"regexp"
	"testing"
)

func TestVersion(t *testing.T) {
	for _, s := range All() {
		if s.Module == "" {
			continue
		}
		want := regexp.MustCompile(`^v\d+\.\d+\.\d+$`)
		if s.Module == coatcheckModule {
			want = regexp.MustCompile(`^\(devel\)$`)
		}
		if got := Version(s.Module); !want.MatchString(got) {
			t.Errorf("%s: version %q, want %s", s.Module, got, want)
		}
	}
	if got := Version("example.com/other"); got != "" {
		t.Errorf("of a module that is not built in: version %q, want none", got)
	}
}
