package growth

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var render = flag.Bool("growth.render", false, "write docs/SCALE.md and its charts anew from docs/growth.json")

const docs = "../../docs"

// TestDocs holds the document against the figures that it was made from.
func TestDocs(t *testing.T) {
	f, err := Load(filepath.Join(docs, "growth.json"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := Render(f)
	if err != nil {
		t.Fatal(err)
	}
	if *render {
		if err := files.Write(docs); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(docs, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("docs/%s is not what docs/growth.json gives: run with -growth.render", name)
		}
		for _, wrong := range []string{"NaN", "Inf", "<no value>", "%!"} {
			if bytes.Contains(want, []byte(wrong)) {
				t.Errorf("%s has %s in it", name, wrong)
			}
		}
	}
	drawn, err := filepath.Glob(filepath.Join(docs, "scale-*.svg"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range drawn {
		if name := filepath.Base(path); files[name] == nil || !strings.Contains(string(files["SCALE.md"]), "("+name+")") {
			t.Errorf("nothing shows docs/%s", name)
		}
	}
}

// TestRenderOfTooLittle makes sure that a figure that is missing is not taken for 0.
func TestRenderOfTooLittle(t *testing.T) {
	if _, err := Render(&Figures{}); err == nil {
		t.Error("there is a document of no figures")
	}
	f, err := Load(filepath.Join(docs, "growth.json"))
	if err != nil {
		t.Fatal(err)
	}
	f.Messages = nil
	if _, err := Render(f); err == nil {
		t.Error("there is a document without messages")
	}
}

func TestFiguresComeBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "growth.json")
	f := &Figures{Routing: []Routing{{Nodes: 4, ChangeShare: 0.05, HitRatio: 0.75}}}
	if err := f.Save(path); err != nil {
		t.Fatal(err)
	}
	back, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(back.Routing) != 1 || back.Routing[0] != f.Routing[0] {
		t.Errorf("%+v came back as %+v", f, back)
	}
	if err := os.WriteFile(path, []byte(`{"routes": []}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil {
		t.Error("a figure that nothing knows was loaded")
	}
}
