package server

import (
	"crypto/sha256"
	"go/ast"
	"go/parser"
	"go/token"
	"testing"
)

// Time cannot be measured well enough for a test, so this one reads: whether and
// which key matches must not show in how long contain takes. It looks at every key,
// with crypto/subtle alone.
func TestKeysAreComparedInConstantTime(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "auth.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	compares, loops := 0, 0
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Name.Name != "contain" {
			continue
		}
		ast.Inspect(f.Body, func(n ast.Node) bool {
			loop, ok := n.(*ast.RangeStmt)
			if !ok {
				return true
			}
			loops++
			ast.Inspect(loop.Body, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.ReturnStmt, *ast.BranchStmt, *ast.IfStmt, *ast.SwitchStmt:
					t.Errorf("contain may leave its loop, or take another way, at a match: %T", n)
				case *ast.BinaryExpr:
					t.Errorf("contain compares by %v", n.Op)
				case *ast.SelectorExpr:
					if pkg, ok := n.X.(*ast.Ident); ok && pkg.Name == "subtle" && n.Sel.Name == "ConstantTimeCompare" {
						compares++
					}
				}
				return true
			})
			return false
		})
	}
	if loops != 1 || compares != 1 {
		t.Errorf("contain has %d loops and %d comparisons of crypto/subtle, want one of each", loops, compares)
	}
}

func TestContain(t *testing.T) {
	keys := APIKeys{sha256.Sum256([]byte("first")), sha256.Sum256([]byte("second")), sha256.Sum256([]byte("third"))}
	twice := append(keys, keys...)
	for _, key := range []string{"first", "second", "third"} {
		if !keys.contain(key) || !twice.contain(key) {
			t.Errorf("%s is not found", key)
		}
	}
	if keys.contain("") || keys.contain("fourth") || APIKeys(nil).contain("") {
		t.Error("a key is found that is not there")
	}
}
