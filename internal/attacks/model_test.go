package attacks

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What docs/SECURITY-MODEL.md names as shown by a test must be a test.
func TestTheModelNamesTestsThatExist(t *testing.T) {
	const root = "../.."
	text, err := os.ReadFile(filepath.Join(root, "docs/SECURITY-MODEL.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Test\\w+)`(?: \\((\\w[\\w/]*)\\))?").FindAllStringSubmatch(string(text), -1)
	if len(named) < 20 {
		t.Fatalf("only %d tests are named", len(named))
	}
	for _, name := range named {
		folder := name[2]
		switch folder {
		case "":
			folder = "internal/attacks"
		case "root":
			folder = "."
		}
		files, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			found = found || strings.Contains(string(source), "\nfunc "+name[1]+"(t *testing.T)")
		}
		if !found {
			t.Errorf("%s is not in %s", name[1], folder)
		}
	}
	// And each attack that is made here must be in the model.
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, attack := range regexp.MustCompile(`\nfunc (TestAttack\w+)`).FindAllStringSubmatch(string(source), -1) {
			if !strings.Contains(string(text), "`"+attack[1]+"`") {
				t.Errorf("%s is not in the model", attack[1])
			}
		}
	}
}
