// Command leakscan searches a log for tokens, and fails if it finds any:
//
//	go run ./internal/leakscan FILE...
//
// It knows a token by its shape, so it can be shown any output. Tests that know
// which tokens were issued search for those, and for their halves, themselves.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

// tokenText is 44 characters of URL-safe base64 that stand alone. The last one
// of a secret holds two bits only, so it is one of four.
var tokenText = regexp.MustCompile(`(?:^|[^A-Za-z0-9_-])([A-Za-z0-9_-]{43}[AQgw])(?:$|[^A-Za-z0-9_-])`)

func main() {
	found := false
	for _, name := range os.Args[1:] {
		f, err := os.Open(name)
		if err != nil {
			fmt.Fprintln(os.Stderr, "leakscan:", err)
			os.Exit(2)
		}
		lines, err := scan(f)
		if err != nil {
			fmt.Fprintf(os.Stderr, "leakscan: %s: %v\n", name, err)
			os.Exit(2)
		}
		for _, n := range lines {
			found = true
			fmt.Fprintf(os.Stderr, "leakscan: %s:%d holds a token\n", name, n)
		}
		f.Close()
	}
	if found {
		os.Exit(1)
	}
}

// scan returns the numbers of the lines that hold a token.
func scan(r io.Reader) (lines []int, err error) {
	in := bufio.NewReader(r)
	for n := 1; ; n++ {
		line, err := in.ReadString('\n')
		for _, m := range tokenText.FindAllStringSubmatch(strings.TrimSuffix(line, "\n"), -1) {
			if looksRandom(m[1]) {
				lines = append(lines, n)
				break
			}
		}
		if err == io.EOF {
			return lines, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// looksRandom tells a token from a long name: of 44 random characters fewer
// than one in five hundred lacks a digit, a capital or a small letter.
func looksRandom(text string) bool {
	return strings.ContainsAny(text, "0123456789") &&
		strings.ContainsAny(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") &&
		strings.ContainsAny(text, "abcdefghijklmnopqrstuvwxyz")
}
