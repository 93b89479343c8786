package coatcheck_test

import (
	"encoding/gob"

	"bytes"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/coatcheck/coatcheck"
)

const (
	sampleID     = "AAAAaaaaBBBBbbbbCCCCcc"
	sampleSecret = "s3cr3t-h4lf_0f-th3-t0k"
	sample       = coatcheck.Token(sampleID + sampleSecret)

	// malformed is one character short, as a token cut off by a copy is.
	malformed = coatcheck.Token(sampleID + "s3cr3t-h4lf_0f-th3-t0")
)

// wantNoSecret fails if output shows any part of the sample's secret half long
// enough to be recognised, as it is or in hexadecimal.
func wantNoSecret(t testing.TB, how, output string) {
	t.Helper()
	const part = 5
	for i := range len(sampleSecret) - part + 1 {
		piece := sampleSecret[i : i+part]
		lower := strings.ToLower(output)
		if strings.Contains(output, piece) || strings.Contains(lower, hex.EncodeToString([]byte(piece))) {
			t.Errorf("%s shows %q of the secret: %s", how, piece, output)
			return
		}
	}
}

// holder is how applications carry tokens about.
type holder struct {
	Token  coatcheck.Token
	List   []coatcheck.Token
	Map    map[string]coatcheck.Token
	Keys   map[coatcheck.Token]bool `json:"-" xml:"-"`
	Any    any
	Nested struct{ Token *coatcheck.Token }
}

func newHolder(token coatcheck.Token) holder {
	h := holder{
		Token: token,
		List:  []coatcheck.Token{token},
		Map:   map[string]coatcheck.Token{"k": token},
		Keys:  map[coatcheck.Token]bool{token: true},
		Any:   token,
	}
	h.Nested.Token = &token
	return h
}

func TestTokenIsRedactedByEveryVerb(t *testing.T) {
	// All letters but three: %T prints no value, and to a value for which %p
	// and %w are wrong package fmt gives no chance to hide.
	const verbs = "abcdefghijklmnoqrstuvxyzABCDEFGHIJKLMNOPQRSUVWXYZ"
	for _, flags := range []string{"", "+", "#", "-", " ", "0", "100", "-100", ".80", "+#60.50"} {
		for _, v := range verbs {
			format := "%" + flags + string(v)
			if got := fmt.Sprintf(format, sample); got != sampleID+"[redacted]" {
				t.Errorf("%s prints %q", format, got)
			}
			h := newHolder(sample)
			for _, whole := range []any{h, &h, h.List, h.Map, h.Keys, h.Any, &h.Token, []any{sample}} {
				wantNoSecret(t, format, fmt.Sprintf(format, whole))
			}
			wantNoSecret(t, format, fmt.Sprintf(format, malformed))
		}
	}
	wantNoSecret(t, "Sprint", fmt.Sprint(sample, newHolder(sample)))
	wantNoSecret(t, "Errorf", fmt.Errorf("no session behind %v", sample).Error())
	tooFew := strings.Repeat("%v", 1) // not a constant, for linters refuse to allow this
	wantNoSecret(t, "a surplus argument", fmt.Sprintf(tooFew, 1, sample))
}

func TestTokenIsRedactedInLogs(t *testing.T) {
	handlers := map[string]func(*bytes.Buffer) slog.Handler{
		"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"JSON": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	}
	for name, handler := range handlers {
		var out bytes.Buffer
		log := slog.New(handler(&out)).With("with", sample)
		log.Info("message", "attr", sample, slog.Group("group", "token", sample))
		log.Info("message", "struct", newHolder(sample), "pointer", &holder{Token: sample})
		log.Info("message", "error", errors.Join(fmt.Errorf("behind %q", sample)), "malformed", malformed)
		wantNoSecret(t, name, out.String())
		if !strings.Contains(out.String(), sampleID+"[redacted]") {
			t.Errorf("%s handler does not name the session: %s", name, out.String())
		}
	}
}

func TestTokenIsRedactedWhenMarshalled(t *testing.T) {
	asJSON, err := json.Marshal(newHolder(sample))
	if err != nil {
		t.Fatal(err)
	}
	wantNoSecret(t, "JSON", string(asJSON))
	if alone, _ := json.Marshal(sample); string(alone) != `"`+sampleID+`[redacted]"` {
		t.Errorf("JSON of a token is %s", alone)
	}
	asXML, err := xml.Marshal(struct {
		XMLName xml.Name        `xml:"session"`
		Attr    coatcheck.Token `xml:"attr,attr"`
		Element coatcheck.Token
	}{Attr: sample, Element: sample})
	if err != nil {
		t.Fatal(err)
	}
	wantNoSecret(t, "XML", string(asXML))
}

func TestTokenConvertsToItsRawText(t *testing.T) {
	if raw := string(sample); raw != sampleID+sampleSecret {
		t.Errorf("string(t) is %q", raw)
	}
	// What a client sends back in a JSON body arrives whole.
	var in struct{ Token coatcheck.Token }
	if err := json.Unmarshal([]byte(`{"Token":"`+string(sample)+`"}`), &in); err != nil {
		t.Fatal(err)
	}
	if in.Token != sample {
		t.Errorf("decoded token differs: %s", in.Token)
	}
}

func TestTokenIDIsEmptyUnlessWellFormed(t *testing.T) {
	if id := sample.ID(); id != sampleID {
		t.Errorf("ID is %q, want %q", id, sampleID)
	}
	if got := coatcheck.Token("").String(); got != "[no token]" {
		t.Errorf("the zero token prints %q", got)
	}
	for name, token := range malformedTokens() {
		if id := token.ID(); id != "" {
			t.Errorf("%s: ID is %q, want none", name, id)
		}
		// Not one character of it: it may be a password pasted by mistake.
		if got := token.String(); token != "" && got != "[malformed token]" {
			t.Errorf("%s: prints %q", name, got)
		}
	}
}

// malformedTokens could not have been issued by any manager.
func malformedTokens() map[string]coatcheck.Token {
	raw := string(sample)
	bad := map[string]coatcheck.Token{
		"empty":         "",
		"ID only":       sampleID,
		"one too short": malformed,
		"one too long":  sample + "A",
		"space before":  coatcheck.Token(" " + raw[1:]),
		"newline after": coatcheck.Token(raw[:43] + "\n"),
		"redacted form": coatcheck.Token(sample.String()),
		"44 NULs":       coatcheck.Token(make([]byte, 44)),
		"not UTF-8":     coatcheck.Token(raw[:43] + "\xff"),
		"44 runes":      coatcheck.Token(raw[:43] + "é"),
	}
	// Neighbours of the alphabet, and what plain base64 has in its place.
	for _, c := range "+/=.~@[`{:" {
		bad["with "+string(c)] = coatcheck.Token(raw[:20] + string(c) + raw[21:])
	}
	return bad
}

func TestIssuedTokensAreUniqueAndWellFormed(t *testing.T) {
	const n = 10_000
	m, _ := open(t)
	form := regexp.MustCompile(`^[A-Za-z0-9_-]{44}$`)
	halves := make(map[string]bool, 2*n)
	for range n {
		token := generate(t, m, profile{})
		if !form.MatchString(string(token)) {
			t.Fatalf("a token of %d bytes is malformed", len(token))
		}
		// Neither an ID nor a secret ever occurs twice, nor one as the other.
		halves[string(token[:22])] = true
		halves[string(token[22:])] = true
	}
	if len(halves) != 2*n {
		t.Errorf("%d tokens have %d different halves, want %d", n, len(halves), 2*n)
	}
}

func TestTokenIsRedactedInGob(t *testing.T) {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(struct{ T coatcheck.Token }{sample}); err != nil {
		t.Fatal(err)
	}
	wantNoSecret(t, "gob", b.String())
}
