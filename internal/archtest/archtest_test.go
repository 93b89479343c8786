package archtest

import (
	"encoding/json"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/coatcheck/coatcheck"

// ours says for each package which others of this module it may import, not
// counting its tests. "" is the root package.
var ours = map[string][]string{
	"":                    {"internal/nearcache"},
	"memstore":            {""},
	"sqlstore":            {""},
	"redisstore":          {""},
	"sealedstore":         {""},
	"storetest":           {""},
	"httpsession":         {"", "internal/outage"},
	"coatchecktest":       {"", "httpsession", "memstore"},
	"server":              {"", "internal/outage"},
	"cmd/coatcheck":       {"", "server", "memstore", "sqlstore", "redisstore", "sealedstore", "internal/loadgen", "internal/histogram"},
	"internal/nearcache":  {},
	"internal/redistest":  {},
	"internal/chaos":      {},
	"internal/chaos/node": {"", "redisstore", "internal/chaos"},
	"internal/leakscan":   {},
	"internal/loadgen":    {"", "internal/histogram"},
	"internal/histogram":  {},
	"internal/outage":     {},
	"internal/archtest":   {},
	"internal/attacks":    {},
}

// theirs says for each package which modules of others it may import. What is
// not listed needs only the standard library.
var theirs = map[string][]string{
	"":                   {"github.com/robfig/cron/v3", "github.com/go-json-experiment/json"},
	"internal/nearcache": {"github.com/maypok86/otter/v2", "github.com/hashicorp/golang-lru/v2"},
	"sqlstore":           {"modernc.org/sqlite"},
	"redisstore":         {"github.com/redis/rueidis"},
	"server":             {"github.com/danielgtaylor/huma/v2"},
	"cmd/coatcheck":      {"github.com/alecthomas/kong", "github.com/mattn/go-isatty"},
	"internal/redistest": {"github.com/redis/rueidis"},
	"internal/chaos":     {"golang.org/x/sys"},
}

type pkg struct {
	ImportPath string
	Dir        string
	Imports    []string
	GoFiles    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Dir,Imports,GoFiles", module+"/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := decoder.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// TestImportRules states who may import whom.
func TestImportRules(t *testing.T) {
	for _, p := range packages(t) {
		folder := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		allowed, known := ours[folder]
		if !known {
			t.Errorf("package %s has no rule: add it here and to docs/ARCHITECTURE.md", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			inside, isOurs := strings.CutPrefix(imported+"/", module+"/")
			switch {
			case isOurs && !slices.Contains(allowed, strings.TrimSuffix(inside, "/")):
				t.Errorf("%s imports %s, which the rules do not allow", p.ImportPath, imported)
			case !isOurs && strings.Contains(strings.Split(imported, "/")[0], "."):
				if !slices.ContainsFunc(theirs[folder], func(m string) bool { return imported == m || strings.HasPrefix(imported, m+"/") }) {
					t.Errorf("%s imports %s, which the rules do not allow", p.ImportPath, imported)
				}
			}
		}
	}
}

// TestOnePackageCommentAFolder demands that exactly one file of a folder says
// what the package is for.
func TestOnePackageCommentAFolder(t *testing.T) {
	for _, p := range packages(t) {
		var with []string
		for _, file := range p.GoFiles {
			parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, file), nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if parsed.Doc != nil {
				with = append(with, file)
			}
		}
		if len(with) != 1 {
			t.Errorf("%s: package comment in %q, want it in one file", p.ImportPath, with)
		}
	}
}
