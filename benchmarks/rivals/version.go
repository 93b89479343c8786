package rivals

import (
	"os"
	"os/exec"
	"strings"
)

// Version returns the version of a module that this one is built with, "(devel)" for
// one that is in the same tree, and "" if there is none. It asks the go command, and
// so works in the source tree only: tests do not know of what they are built.
func Version(module string) string {
	list := exec.Command("go", "list", "-m", "-f", "{{if .Replace}}(devel){{else}}{{.Version}}{{end}}", module)
	list.Env = append(os.Environ(), "GOWORK=off") // this module is in no workspace
	out, err := list.Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
