package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// block returns the README's first fenced block of a language.
func block(t *testing.T, language string) string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)\n```" + language + "\n(.*?)```").FindSubmatch(readme)
	if m == nil {
		t.Fatalf("README.md has no block of %s", language)
	}
	return string(m[1])
}

// TestReadmeExample compiles and runs the example, as a program of its own that
// requires this module.
func TestReadmeExample(t *testing.T) {
	if got, want := goCommand(t, block(t, "go"), "run"), block(t, "text"); got != want {
		t.Errorf("the example prints\n%swant\n%s", got, want)
	}
}

// TestDocsCompile compiles each program in the documents.
func TestDocsCompile(t *testing.T) {
	documents, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	programs := 0
	for _, path := range append(documents, filepath.Join(root, "README.md")) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("(?s)\n```go\n(package main\n.*?)```").FindAllSubmatch(text, -1) {
			programs++
			t.Run(filepath.Base(path), func(t *testing.T) { goCommand(t, string(m[1]), "vet") })
		}
	}
	if programs < 5 {
		t.Errorf("only %d programs were found", programs)
	}
}

// goCommand has the go command do something with a program, and returns its
// output.
func goCommand(t *testing.T, program, do string) string {
	t.Helper()
	module, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"main.go": program,
		"go.mod": "module example\n\ngo 1.26.0\n\nrequire github.com/coatcheck/coatcheck v0.0.0\n\n" +
			"replace github.com/coatcheck/coatcheck => " + module + "\n",
		"go.sum": string(sums),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", do, "-mod=mod", ".") // as go get would have it
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", do, err, out)
	}
	return string(out)
}

// TestReadmeCommands runs the first command as it stands there, but on a free
// port, and checks that the second is what continuous integration runs.
func TestReadmeCommands(t *testing.T) {
	var commands []string
	for line := range strings.Lines(block(t, "sh")) {
		command, _, _ := strings.Cut(line, "#")
		commands = append(commands, strings.TrimSpace(command))
	}
	if len(commands) != 2 || commands[1] != "make test" {
		t.Fatalf("the commands of the README are %q, want one that serves and make test", commands)
	}
	ci, err := os.ReadFile(filepath.Join(root, ".ci/run"))
	if err != nil || !regexp.MustCompile(`(?m)^make .*\btest\b`).Match(ci) {
		t.Errorf(".ci/run does not run make test (error %v)", err)
	}

	cmd := exec.Command("sh", "-c", commands[0])
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "COATCHECK_LISTEN=127.0.0.1:0", "COATCHECK_STORE=sqlite:"+filepath.Join(t.TempDir(), "coatcheck.db"))
	p := startCommand(t, cmd)
	if got := p.must(t, 200, "GET", "/healthz", "", ""); !strings.Contains(got.Text, "ok") {
		t.Errorf("/healthz answers %s", got.Text)
	}
}

// TestReadmeLinesForAdministrators runs the lines on the sessions of a subject.
func TestReadmeLinesForAdministrators(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```sh\n(openssl [^\n]*\n)(.*?)```").FindSubmatch(readme)
	if m == nil {
		t.Fatal("README.md has no lines for administrators")
	}
	dir := t.TempDir()
	sh := func(script string) string {
		cmd := exec.Command("sh", "-ec", script)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s\n%s", err, script, out)
		}
		return string(out)
	}
	sh(string(m[1]))
	p := start(t, "--store", "memory:", "--admin-key-file", filepath.Join(dir, "admin.key"))
	token := p.must(t, 201, "POST", "/v1/sessions", "", `{"value":{},"subject":"ada"}`).Token
	out := sh(strings.ReplaceAll(string(m[2]), "http://127.0.0.1:7600", p.url))
	if !strings.Contains(out, `"id":"`+token[:22]+`"`) || !strings.Contains(out, `{"ended":1}`) {
		t.Errorf("the lines print %s", out)
	}
	if strings.Contains(p.log.String(), "other users") {
		t.Errorf("the log: %s", p.log.String())
	}
	p.must(t, 404, "GET", "/v1/session", token, "")
}

// TestShopRunsFromTheRoot builds the shop as "go run ./examples/shop" does,
// although it is in a module of its own.
func TestShopRunsFromTheRoot(t *testing.T) {
	cmd := exec.Command("go", "build", "-o", t.TempDir(), "./examples/shop")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOWORK=") // whatever make says
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
