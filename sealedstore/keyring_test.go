package sealedstore

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/memstore"
)

const (
	keyA  = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=" // 00 01 … 1f
	keyB  = "8PECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	lineA = "0a1b2c3d " + keyA + " 2030-01-02\n"
	lineB = "FFEEDDCC " + keyB + " 2031-12-31\n"
)

func parse(t testing.TB, text string) *Keyring {
	t.Helper()
	k, err := ParseKeyring(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func ids(k *Keyring) (all []KeyID) {
	for _, info := range k.Keys() {
		all = append(all, info.ID)
	}
	return all
}

func TestParseKeyring(t *testing.T) {
	for what, text := range map[string]string{
		"as written":   lineA + lineB,
		"with comment": "# mine\n\n" + lineA + "  # and theirs\n" + lineB + "\n",
		"from Windows": "\ufeff" + strings.ReplaceAll(lineA+lineB, "\n", "\r\n"),
		"spaced":       "\t " + strings.ReplaceAll(lineA, " ", " \t ") + strings.TrimSpace(lineB),
	} {
		k := parse(t, text)
		want := []KeyInfo{
			{0x0a1b2c3d, time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC)},
			{0xffeeddcc, time.Date(2031, 12, 31, 0, 0, 0, 0, time.UTC)},
		}
		if got := k.Keys(); !slices.Equal(got, want) {
			t.Errorf("%s: keys %v, want %v", what, got, want)
		}
		if secret, _ := base64.StdEncoding.DecodeString(keyB); !bytes.Equal(k.find(0xffeeddcc).secret, secret) || k.first().id != 0x0a1b2c3d {
			t.Errorf("%s: another key than was given, or in another place", what)
		}
		if again := parse(t, k.text()); !slices.EqualFunc(again.keys(), k.keys(), func(a, b key) bool {
			return a.id == b.id && bytes.Equal(a.secret, b.secret) && a.created.Equal(b.created)
		}) {
			t.Errorf("%s: what is written is not what was read", what)
		}
	}
}

func TestParseKeyringRefuses(t *testing.T) {
	for what, c := range map[string]struct{ text, want string }{
		"nothing":               {"", "no key"},
		"comments only":         {"# none\n\n", "no key"},
		"a name twice":          {lineA + "# x\n" + "0A1B2C3D " + keyB + " 2031-12-31", "line 3: the name of the key is that of line 1"},
		"two words":             {"0a1b2c3d " + keyA, "line 1: 2 words, want three"},
		"four words":            {lineA + strings.TrimSpace(lineB) + " x", "line 2: 4 words, want three"},
		"the key alone":         {lineA + "\n" + keyB, "line 3: 1 words"},
		"a short name":          {"0a1b2c3 " + keyA + " 2030-01-02", "line 1: the first word is not 8"},
		"a long name":           {"0a1b2c3d4e " + keyA + " 2030-01-02", "line 1: the first word is not 8"},
		"a name that is no hex": {"0a1b2c3x " + keyA + " 2030-01-02", "line 1: the first word is not 8"},
		"name and key swapped":  {keyA + " 0a1b2c3d 2030-01-02", "line 1: the first word is not 8"},
		"a short key":           {"0a1b2c3d " + base64.StdEncoding.EncodeToString(make([]byte, 31)) + " 2030-01-02", "line 1: the key has 31 bytes, want 32"},
		"a long key":            {"0a1b2c3d " + base64.StdEncoding.EncodeToString(make([]byte, 33)) + " 2030-01-02", "line 1: the key has 33 bytes, want 32"},
		"no padding":            {"0a1b2c3d " + keyA[:43] + " 2030-01-02", "line 1: the key is not base64"},
		"loose bits":            {"0a1b2c3d " + keyA[:42] + "9= 2030-01-02", "line 1: the key is not base64"},
		"the other base64":      {"0a1b2c3d " + strings.Replace(keyA, "A", "_", 1) + " 2030-01-02", "line 1: the key is not base64"},
		"a key in hex":          {"0a1b2c3d " + strings.Repeat("ab", 32) + " 2030-01-02", "line 1: the key has 48 bytes"},
		"no date":               {"0a1b2c3d " + keyA + " yesterday", "line 1: the third word is no date"},
		"a day that never was":  {"0a1b2c3d " + keyA + " 2030-02-30", "line 1: the third word is no date"},
	} {
		k, err := ParseKeyring(c.text)
		if !errors.Is(err, coatcheck.ErrInvalid) || !strings.Contains(err.Error(), c.want) || k != nil {
			t.Errorf("%s: %v, error %v; want ErrInvalid with %q", what, k, err, c.want)
		}
		wantNoKey(t, what, fmt.Sprint(err))
		for _, word := range []string{"0a1b2c3", "0A1B2C3", "yesterday", "abab"} {
			if strings.Contains(fmt.Sprint(err), word) {
				t.Errorf("%s: the error repeats %q: %v", what, word, err)
			}
		}
	}
}

// wantNoKey fails if output shows any part of the keys A and B, in any way in
// which a program would write them.
func wantNoKey(t testing.TB, how, output string) {
	t.Helper()
	if t.Failed() {
		return // once will do
	}
	lower := strings.ToLower(output)
	for _, text := range []string{keyA, keyB} {
		secret, _ := base64.StdEncoding.DecodeString(text)
		for i := 0; i+5 <= len(secret); i++ {
			part := secret[i : i+5]
			for _, form := range []string{string(part), hex.EncodeToString(part), strings.Trim(fmt.Sprint(part), "[]"), strings.Trim(fmt.Sprintf("%#v", part), "[]byte{}")} {
				if strings.Contains(output, form) || strings.Contains(lower, form) {
					t.Errorf("%s shows a part of a key: %q", how, output)
					return
				}
			}
		}
		for i := 0; i+8 <= len(text); i++ {
			if strings.Contains(output, text[i:i+8]) {
				t.Errorf("%s shows a part of a key: %q", how, output)
				return
			}
		}
	}
}

// holder is how applications carry keyrings about.
type holder struct {
	Ring    *Keyring
	Value   Keyring
	List    []*Keyring
	Any     any
	pointer *Keyring // of which package fmt asks no method
	value   Keyring
	store   *Store
}

func TestKeyringIsRedactedEverywhere(t *testing.T) {
	k := parse(t, lineA+lineB)
	inner, err := memstore.New(memstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	store, err := New(inner, k)
	if err != nil {
		t.Fatal(err)
	}
	h := holder{k, *k, []*Keyring{k}, k, k, *k, store}
	const want = "[keyring: 0a1b2c3d, ffeeddcc]"
	for _, flags := range []string{"", "+", "#", "-", " ", "0", "100", "+#60.50"} {
		for _, verb := range "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" {
			format := "%" + flags + string(verb)
			for _, whole := range []any{k, *k, h, &h, h.List, []any{*k}, store, *store, h.value, &h.pointer} {
				wantNoKey(t, format, fmt.Sprintf(format, whole))
			}
			if got := fmt.Sprintf(format, k); got != want && !strings.ContainsRune("Tpw", verb) {
				t.Errorf("%s prints %q", format, got)
			}
		}
	}
	wantNoKey(t, "errors", fmt.Errorf("with %w", fmt.Errorf("%v", h)).Error())

	var out bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		log := slog.New(handler).With("with", k)
		log.Info("message", "ring", k, "value", *k, "struct", h, "pointer", &h, "store", store)
	}
	if got := slog.AnyValue(*k).Resolve(); got.Kind() != slog.KindString || got.String() != want {
		t.Errorf("a handler of another kind is given %v", got)
	}
	asJSON, errJSON := json.Marshal(h)
	asXML, errXML := xml.Marshal(struct {
		XMLName xml.Name `xml:"x"`
		Ring    *Keyring
		Value   Keyring `xml:"attr,attr"`
	}{Ring: k, Value: *k})
	var asGob bytes.Buffer
	errGob := gob.NewEncoder(&asGob).Encode(struct {
		Ring  *Keyring
		Value Keyring
	}{k, *k})
	if err := errors.Join(errJSON, errXML, errGob); err != nil {
		t.Error(err)
	}
	for how, text := range map[string]string{"slog": out.String(), "JSON": string(asJSON), "XML": string(asXML), "gob": asGob.String()} {
		wantNoKey(t, how, text)
		if !strings.Contains(text, want) {
			t.Errorf("%s does not name the keys: %s", how, text)
		}
	}
	if got := (Keyring{}).String(); got != "[keyring: ]" {
		t.Errorf("the zero keyring prints %q", got)
	}
}

func TestKeysAreAddedPromotedRetired(t *testing.T) {
	one := NewKeyring()
	if len(one.Keys()) != 1 || len(one.first().secret) != keyLen || bytes.Equal(one.first().secret, make([]byte, keyLen)) {
		t.Fatalf("a new keyring is %v", one)
	}
	if now := time.Now(); now.Sub(one.Keys()[0].Created) > 48*time.Hour || one.Keys()[0].Created.After(now) {
		t.Errorf("made on %v", one.Keys()[0].Created)
	}
	a := one.Keys()[0].ID
	two, b := one.Add()
	three, c := two.Add()
	if got := ids(three); !slices.Equal(got, []KeyID{a, b, c}) {
		t.Errorf("after Add: %v, want the new ones last: %v", got, []KeyID{a, b, c})
	}
	if bytes.Equal(three.find(b).secret, three.find(c).secret) || bytes.Equal(three.find(a).secret, three.find(b).secret) {
		t.Error("two new keys are alike")
	}
	promoted, err := three.Promote(b)
	if err != nil || !slices.Equal(ids(promoted), []KeyID{b, a, c}) {
		t.Errorf("after Promote: %v, %v", promoted, err)
	}
	if again, err := promoted.Promote(b); err != nil || !slices.Equal(ids(again), ids(promoted)) {
		t.Errorf("after Promote of the first: %v, %v", again, err)
	}
	retired, err := promoted.Retire(a)
	if err != nil || !slices.Equal(ids(retired), []KeyID{b, c}) {
		t.Errorf("after Retire: %v, %v", retired, err)
	}
	if !bytes.Equal(retired.find(c).secret, three.find(c).secret) {
		t.Error("a key has another secret than before")
	}
	for what, refused := range map[string]func() (*Keyring, error){
		"Retire of the first":   func() (*Keyring, error) { return promoted.Retire(b) },
		"Retire of a stranger":  func() (*Keyring, error) { return retired.Retire(a) },
		"Promote of a stranger": func() (*Keyring, error) { return retired.Promote(a) },
		"Retire of no keyring":  func() (*Keyring, error) { return Keyring{}.Retire(a) },
	} {
		if k, err := refused(); !errors.Is(err, coatcheck.ErrInvalid) || k != nil {
			t.Errorf("%s: %v, %v", what, k, err)
		}
	}
	if got := ids(three); !slices.Equal(got, []KeyID{a, b, c}) || len(one.Keys()) != 1 {
		t.Errorf("a keyring has changed: %v", got)
	}
}

func TestNewKeysGetFreeNames(t *testing.T) {
	seen := map[KeyID]bool{}
	k := NewKeyring()
	for range 100 {
		k, _ = k.Add()
	}
	for _, info := range k.Keys() {
		seen[info.ID] = true
	}
	if len(seen) != 101 {
		t.Errorf("101 keys have %d names", len(seen))
	}
}

func TestParseKeyID(t *testing.T) {
	if id, err := ParseKeyID("0a1b2c3d"); id != 0x0a1b2c3d || err != nil || id.String() != "0a1b2c3d" {
		t.Errorf("%v, %v", id, err)
	}
	for _, text := range []string{"", "1", "0a1b2c3", "0a1b2c3d4", "0a1b2c3d4e", "0x1b2c3d", keyA} {
		if _, err := ParseKeyID(text); !errors.Is(err, coatcheck.ErrInvalid) || text != "" && strings.Contains(err.Error(), text+" ") {
			t.Errorf("%q: error %v", text, err)
		} else {
			wantNoKey(t, "ParseKeyID", err.Error())
		}
	}
}

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key ring")
	k := parse(t, lineA)
	if err := k.WriteNew(path); err != nil {
		t.Fatal(err)
	}
	wantPrivate(t, path)
	before := contents(t, path)
	if err := NewKeyring().WriteNew(path); !errors.Is(err, os.ErrExist) {
		t.Errorf("WriteNew over a file: %v, want ErrExist", err)
	}
	if contents(t, path) != before {
		t.Fatal("WriteNew has changed a file")
	}

	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	more, added := k.Add()
	if err := more.Replace(link); err != nil {
		t.Fatal(err)
	}
	wantPrivate(t, path)
	for _, file := range []string{path, link} {
		if got, err := ReadKeyring(file); err != nil || !slices.Equal(ids(got), []KeyID{0x0a1b2c3d, added}) {
			t.Errorf("after Replace: %v, %v", got, err)
		}
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is none any more: %v, %v", info, err)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("files are left: %v", left)
	}
}

func TestKeyFileErrors(t *testing.T) {
	dir := t.TempDir()
	none := filepath.Join(dir, "none")
	k := parse(t, lineA)
	_, err := ReadKeyring(none)
	for what, err := range map[string]error{
		"read": err, "replace": k.Replace(none), "write": k.WriteNew(filepath.Join(none, "x")),
	} {
		if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), none) {
			t.Errorf("%s: %v, want ErrNotExist and the path", what, err)
		}
	}
	if _, err := ReadKeyring(dir); !errors.Is(err, coatcheck.ErrInvalid) || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("a folder: %v", err)
	}
	large, bad := filepath.Join(dir, "large"), filepath.Join(dir, "bad")
	for path, text := range map[string]string{large: lineA + strings.Repeat("#\n", maxFileBytes), bad: lineA + keyB} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ReadKeyring(large); !errors.Is(err, coatcheck.ErrInvalid) || !strings.Contains(err.Error(), large) {
		t.Errorf("a large file: %v", err)
	}
	if _, err := ReadKeyring(bad); !errors.Is(err, coatcheck.ErrInvalid) || !strings.Contains(err.Error(), bad) || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("a bad file: %v", err)
	} else {
		wantNoKey(t, "a bad file", err.Error())
	}
	for what, err := range map[string]error{"Replace": Keyring{}.Replace(bad), "WriteNew": Keyring{}.WriteNew(none)} {
		if !errors.Is(err, coatcheck.ErrInvalid) {
			t.Errorf("%s of no keyring: %v", what, err)
		}
	}
	if contents(t, bad) != lineA+keyB {
		t.Error("a keyring without keys has replaced a file")
	}
}

func TestFilesThatOthersCanReadAreRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // where permissions are something else
	}
	path := filepath.Join(t.TempDir(), "Ada's keys")
	if err := parse(t, lineA).WriteNew(path); err != nil {
		t.Fatal(err)
	}
	for mode, refused := range map[os.FileMode]bool{
		0o600: false, 0o400: false, 0o700: false,
		0o640: true, 0o604: true, 0o620: true, 0o602: true, 0o610: true, 0o601: true, 0o644: true, 0o666: true, 0o440: true,
	} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := ReadKeyring(path)
		if (err != nil) != refused {
			t.Errorf("mode %o: error %v", mode, err)
		}
		if refused && (!errors.Is(err, coatcheck.ErrInvalid) || !strings.HasSuffix(err.Error(), `: chmod 600 '`+filepath.Dir(path)+`/Ada'\''s keys'`)) {
			t.Errorf("mode %o: error %v does not say what to do", mode, err)
		}
	}
}

func contents(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func wantPrivate(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %o, want 600", info.Mode().Perm())
	}
}

func FuzzParseKeyring(f *testing.F) {
	f.Add(lineA + lineB)
	f.Add("\ufeff# x\r\n" + lineA)
	f.Add("0a1b2c3d " + keyA + " 2030-02-30")
	f.Fuzz(func(t *testing.T, text string) {
		k, err := ParseKeyring(text)
		if err != nil {
			if !errors.Is(err, coatcheck.ErrInvalid) || k != nil {
				t.Errorf("%v, %v", k, err)
			}
			for _, word := range strings.Fields(text) {
				if len(word) > 20 && strings.Contains(err.Error(), word) && !strings.Contains(header, word) {
					t.Errorf("the error repeats a word: %v", err)
				}
			}
			return
		}
		seen := map[KeyID]bool{}
		for _, key := range k.keys() {
			if len(key.secret) != keyLen || seen[key.id] {
				t.Errorf("accepted: %v", k)
			}
			seen[key.id] = true
		}
		if again := parse(t, k.text()); again.text() != k.text() || again.String() != k.String() {
			t.Error("what is written is not what was read")
		}
		if secret := k.first().secret; strings.Contains(fmt.Sprintf("%+v %#v %x", k, *k, k), hex.EncodeToString(secret)) {
			t.Error("it prints a key")
		}
	})
}
