package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// keysRun runs `coatcheck keys` and adds all that it shows to output.
func keysRun(t *testing.T, output *strings.Builder, args ...string) (string, error) {
	t.Helper()
	var out, errs bytes.Buffer
	err := run(t.Context(), append([]string{"keys"}, args...), streams{&out, &errs})
	fmt.Fprintln(output, out.String(), errs.String(), err)
	return out.String(), err
}

func mustRun(t *testing.T, output *strings.Builder, args ...string) string {
	t.Helper()
	out, err := keysRun(t, output, args...)
	if err != nil {
		t.Fatalf("keys %q: %v", args, err)
	}
	return out
}

// keysIn returns the names of the keys in a file, and the keys.
func keysIn(t *testing.T, file string) (names, keys []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^([0-9a-f]{8}) (\S{44}) \d{4}-\d\d-\d\d$`).FindAllStringSubmatch(string(text), -1) {
		names, keys = append(names, m[1]), append(keys, m[2])
	}
	return names, keys
}

func wantNoKeyIn(t *testing.T, output string, keys ...string) {
	t.Helper()
	if len(keys) == 0 {
		t.Fatal("there are no keys to look for")
	}
	for _, key := range keys {
		raw, err := base64.StdEncoding.DecodeString(key)
		if err != nil {
			t.Fatal(err)
		}
		for what, form := range map[string]string{
			"base64": key[:20], "hex": hex.EncodeToString(raw[:8]), "bytes": string(raw[:8]), "numbers": strings.Trim(fmt.Sprint(raw[:8]), "[]"),
		} {
			if strings.Contains(output, form) {
				t.Errorf("a key is in the output, as %s", what)
			}
		}
	}
}

// TestKeysAreChangedInSteps goes through the procedure of docs/ENCRYPTION.md.
func TestKeysAreChangedInSteps(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keyring")
	var output strings.Builder
	if out := mustRun(t, &output, "new", file); !strings.Contains(out, file) {
		t.Errorf("new prints %q", out)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	names, _ := keysIn(t, file)
	if len(names) != 1 {
		t.Fatalf("%d keys in a new file", len(names))
	}
	a := names[0]

	out := mustRun(t, &output, "add", file)
	names, keys := keysIn(t, file)
	if len(names) != 2 || names[0] != a || !strings.Contains(out, "keys promote "+file+" "+names[1]) {
		t.Fatalf("after add: %q, printed %q", names, out)
	}
	b := names[1]
	if out := mustRun(t, &output, "list", file); !regexp.MustCompile(`^` + a + `  \d{4}-\d\d-\d\d  seals and opens\n` + b + `  \d{4}-\d\d-\d\d  opens\n$`).MatchString(out) {
		t.Errorf("list prints %q", out)
	}
	if _, err := keysRun(t, &output, "retire", file, a); err == nil || !strings.Contains(err.Error(), "promote another one") {
		t.Errorf("retire of the first: %v", err)
	}
	mustRun(t, &output, "promote", file, b)
	if names, _ := keysIn(t, file); len(names) != 2 || names[0] != b || names[1] != a {
		t.Errorf("after promote: %q", names)
	}
	if out := mustRun(t, &output, "retire", file, a); !strings.Contains(out, "cannot be read") {
		t.Errorf("retire does not say what it does: %q", out)
	}
	if names, _ := keysIn(t, file); len(names) != 1 || names[0] != b {
		t.Errorf("after retire: %q", names)
	}
	wantNoKeyIn(t, output.String(), keys...)
}

func TestKeysRefusals(t *testing.T) {
	dir := t.TempDir()
	file, open, bad := filepath.Join(dir, "keyring"), filepath.Join(dir, "open"), filepath.Join(dir, "bad")
	var output strings.Builder
	mustRun(t, &output, "new", file)
	mustRun(t, &output, "new", open)
	names, keys := keysIn(t, file)
	_, others := keysIn(t, open)
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bad, []byte("# x\n"+keys[0]+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		args []string
		want string
	}{
		"new over a file":      {[]string{"new", file}, "file exists"},
		"no file":              {[]string{"list", dir + "/none"}, dir + "/none"},
		"no file to add to":    {[]string{"add", dir + "/none"}, dir + "/none"},
		"open to others":       {[]string{"list", open}, "chmod 600 '" + open + "'"},
		"open to others, add":  {[]string{"add", open}, "chmod 600 '" + open + "'"},
		"no keyring":           {[]string{"list", bad}, "line 2"},
		"promote of no name":   {[]string{"promote", file, keys[0]}, "8 hexadecimal digits"},
		"retire of no name":    {[]string{"retire", file, keys[0]}, "8 hexadecimal digits"},
		"promote of a strange": {[]string{"promote", file, "0badc0de"}, "0badc0de is not in the keyring"},
		"retire of a strange":  {[]string{"retire", file, "0badc0de"}, "0badc0de is not in the keyring"},
		"retire of the only":   {[]string{"retire", file, names[0]}, "is the one that seals"},
		"key as a surplus":     {[]string{"list", file, keys[0]}, "unexpected argument"},
		"no ID":                {[]string{"retire", file}, "<id>"},
		"no verb":              {nil, `expected one of "new", "list", "add", "promote", "retire"`},
	} {
		if _, err := keysRun(t, &output, c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", what, err, c.want)
		}
	}
	if after, _ := os.ReadFile(file); !bytes.Equal(before, after) {
		t.Error("a refused command has changed the file")
	}
	wantNoKeyIn(t, output.String(), append(keys, others...)...)

	for what, c := range map[string]struct {
		args []string
		want string
	}{
		"open to others":   {[]string{"--keyring-file", open}, "--keyring-file: "},
		"no keyring":       {[]string{"--keyring-file", bad}, "line 2"},
		"no file":          {[]string{"--keyring-file", dir + "/none"}, dir + "/none"},
		"accepts only":     {[]string{"--accept-plaintext"}, "--keyring-file"},
		"says what to do":  {[]string{"--keyring-file", open}, "chmod 600"},
		"not how it is in": {[]string{"--keyring-file", bad}, "--keyring-file: invalid argument: keyring, line 2"},
	} {
		var log bytes.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // should it serve after all
		defer cancel()
		err := run(ctx, append([]string{"serve", "--store", "memory:", "--listen", "127.0.0.1:0"}, c.args...), streams{io.Discard, &log})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("serve, %s: error %v, want %q", what, err, c.want)
		}
		wantNoKeyIn(t, fmt.Sprint(err)+log.String(), append(keys, others...)...)
	}
}

// TestServeSealsValues takes a service from values in clear over a change of the
// key to the end of the old one.
func TestServeSealsValues(t *testing.T) {
	dir := t.TempDir()
	file, db := filepath.Join(dir, "keyring"), filepath.Join(dir, "sessions.db")
	serve := func(args ...string) *process {
		return start(t, append([]string{"--store", "sqlite:" + db, "--log-level", "debug"}, args...)...)
	}
	var output strings.Builder
	done := func(p *process) {
		p.stop(t)
		output.WriteString(p.greeting + p.log.String())
	}

	p := serve()
	old := p.create(t, `{"card":"4111-old"}`)
	done(p)

	mustRun(t, &output, "new", file)
	p = serve("--keyring-file", file)
	output.WriteString(p.must(t, 500, "GET", "/v1/session", old.Token, "").Text)
	fresh := p.create(t, `{"card":"4111-new"}`)
	p.must(t, 200, "GET", "/readyz", "", "")
	done(p)
	if !strings.Contains(p.log.String(), "is not sealed") {
		t.Errorf("the log does not say why: %s", p.log.String())
	}

	t.Setenv("COATCHECK_KEYRING_FILE", file)
	p = serve("--accept-plaintext")
	p.must(t, 200, "GET", "/v1/session", old.Token, "")
	p.must(t, 200, "PATCH", "/v1/session", old.Token, `{"seen":true}`)
	if !strings.Contains(p.log.String(), "take away --accept-plaintext") {
		t.Errorf("the log does not warn: %s", p.log.String())
	}
	done(p)

	mustRun(t, &output, "add", file)
	names, keys := keysIn(t, file)
	p = serve()
	p.must(t, 200, "GET", "/v1/session", old.Token, "")
	done(p)
	mustRun(t, &output, "promote", file, names[1])
	p = serve()
	if got := p.must(t, 200, "PATCH", "/v1/session", old.Token, `{"seen":false}`); !strings.Contains(got.Text, "4111-old") {
		t.Errorf("answer %s", got.Text)
	}
	done(p)
	mustRun(t, &output, "retire", file, names[0])
	p = serve()
	p.must(t, 200, "GET", "/v1/session", old.Token, "") // sealed anew by its change
	output.WriteString(p.must(t, 500, "GET", "/v1/session", fresh.Token, "").Text)
	done(p)
	if want := "sealed with key " + names[0] + ", which is not in the keyring"; !strings.Contains(p.log.String(), want) {
		t.Errorf("the log does not name the key: %s", p.log.String())
	}

	wantNoKeyIn(t, output.String(), keys...)
	if strings.Contains(output.String(), "4111") {
		t.Error("a value is in the log or in an error")
	}
	dump := dumpOf(t, db)
	wantNoKeyIn(t, dump, keys...)
	if !strings.Contains(dump, old.ID) || strings.Contains(dump, "4111-new") {
		t.Error("the store holds a value in clear, or is no store")
	}
}

func dumpOf(t *testing.T, db string) string {
	t.Helper()
	files, err := filepath.Glob(db + "*")
	if err != nil {
		t.Fatal(err)
	}
	var dump []byte
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		dump = append(dump, data...)
	}
	return string(dump)
}
