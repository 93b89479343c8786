// Command leakscan searches a log for tokens, and fails if it finds any:
//
//	go run ./internal/leakscan FILE...
//
// It knows a token by its shape, so it can be shown any output. Tests that know
// which tokens were issued search for those, and for their halves, themselves.
package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

// tokenText is 44 characters of URL-safe base64 that stand alone. The last one
// of a secret holds two bits only, so it is one of four.
var tokenText = regexp.MustCompile(`(?:^|[^A-Za-z0-9_-])([A-Za-z0-9_-]{43}[AQgw])(?:$|[^A-Za-z0-9_-])`)

func main() { os.Exit(run(os.Args[1:], os.Stderr)) }

// run returns the exit code: 1 if there is a token, 2 if a file cannot be read.
func run(files []string, report io.Writer) (code int) {
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			fmt.Fprintln(report, "leakscan:", err)
			return 2
		}
		for _, n := range scan(string(text)) {
			fmt.Fprintf(report, "leakscan: %s:%d holds a token\n", name, n)
			code = 1
		}
	}
	return code
}

// scan returns the numbers of the lines that hold a token.
func scan(text string) (lines []int) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		for _, m := range tokenText.FindAllStringSubmatch(strings.TrimSuffix(line, "\n"), -1) {
			if looksRandom(m[1]) {
				lines = append(lines, n)
				break
			}
		}
	}
	return lines
}

// looksRandom tells a token from a long name: of 44 random characters fewer
// than one in five hundred lacks a digit, a capital or a small letter.
func looksRandom(text string) bool {
	return strings.ContainsAny(text, "0123456789") &&
		strings.ContainsAny(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") &&
		strings.ContainsAny(text, "abcdefghijklmnopqrstuvwxyz")
}
