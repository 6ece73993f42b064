package lifecycle_test

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const path = "github.com/pam-assistant/pam/internal/lifecycle"

// checker type-checks programs, as the compiler would.
type checker struct {
	fset     *token.FileSet
	files    []*ast.File // of the package itself
	pkg      *types.Package
	importer types.Importer
}

// Import implements [types.Importer].
func (c *checker) Import(p string) (*types.Package, error) {
	if p == path {
		return c.pkg, nil
	}
	return c.importer.Import(p)
}

// load reads the package's own source.
func load(t *testing.T) *checker {
	t.Helper()
	c := &checker{fset: token.NewFileSet()}
	c.importer = importer.ForCompiler(c.fset, "source", nil)
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(c.fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		c.files = append(c.files, f)
	}
	if c.pkg, err = (&types.Config{Importer: c.importer}).Check(path, c.fset, c.files, nil); err != nil {
		t.Fatal(err)
	}
	return c
}

// check returns what the compiler has to say about a function's body, inside
// the package or in a program that imports it.
func (c *checker) check(t *testing.T, body string, inside bool) string {
	t.Helper()
	src, at, files := "package program\nimport . \""+path+"\"\n", "program", []*ast.File(nil)
	if inside {
		src, at, files = "package lifecycle\n", path, c.files
	}
	f, err := parser.ParseFile(c.fset, "program.go", src+"func program(phase, other Phase, m *Machine) {\n"+body+"\n}\n", 0)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	config := types.Config{Importer: c, Error: func(err error) { said = append(said, err.Error()) }}
	_, _ = config.Check(at, c.fset, append(slices.Clone(files), f), nil) // what it says is in said
	return strings.Join(said, "\n")
}

// TestProgramsThatMustNotCompile: what the original's incident was made of
// does not compile here.
func TestProgramsThatMustNotCompile(t *testing.T) {
	t.Parallel()
	c := load(t)
	programs := []struct {
		body   string
		inside bool
		want   string // empty: it compiles
	}{
		{body: `_ = phase.Open() || phase.Served() || phase.Draining() || phase.Ended(); _ = phase.String()`},
		{body: `_ = m.On; _ = m.Next; _, _ = m.Cause()`},
		{body: `_ = phase == 1`, want: "mismatched types"},
		{body: `_ = phase == "connected"`, want: "mismatched types"},
		{body: `_ = phase == other`, want: "cannot be compared"},
		{body: `_ = phase == Phase{}`, want: "cannot be compared"},
		{body: `_ = phase != m.Phase()`, want: "cannot be compared"},
		{body: `switch phase { case other: }`, want: "not comparable"},
		{body: `_ = map[Phase]int{}`, want: "invalid map key type"},
		{body: `_ = int(phase)`, want: "cannot convert"},
		{body: `_ = string(phase)`, want: "cannot convert"},
		{body: `_ = Phase(1)`, want: "cannot convert"},
		{body: `_ = Phase("connected")`, want: "cannot convert"},
		{body: `phase = 1`, want: "cannot use 1"},
		{body: `phase = "connected"`, want: "cannot use"},
		{body: `_ = phase < other`, want: "not defined on struct"},
		{body: `_ = phase.at`, want: "undefined"},
		{body: `m.state = nil`, want: "undefined"},

		{body: `_ = connecting{}.accept().authenticate(nil).renew(nil).drain().renew(nil).close(nil)`, inside: true},
		{body: `_ = connecting{}.close(nil); _ = connected{}.close(nil); _ = authenticated{}.close(nil)`, inside: true},
		{body: `connecting{}.authenticate(nil)`, inside: true, want: "connecting{}.authenticate undefined"},
		{body: `connecting{}.drain()`, inside: true, want: "connecting{}.drain undefined"},
		{body: `connected{}.accept()`, inside: true, want: "connected{}.accept undefined"},
		{body: `connected{}.renew(nil)`, inside: true, want: "connected{}.renew undefined"},
		{body: `connected{}.drain()`, inside: true, want: "connected{}.drain undefined"},
		{body: `authenticated{}.accept()`, inside: true, want: "authenticated{}.accept undefined"},
		{body: `authenticated{}.authenticate(nil)`, inside: true, want: "authenticated{}.authenticate undefined"},
		{body: `draining{}.accept()`, inside: true, want: "draining{}.accept undefined"},
		{body: `draining{}.authenticate(nil)`, inside: true, want: "draining{}.authenticate undefined"},
		{body: `draining{}.drain()`, inside: true, want: "draining{}.drain undefined"},
		{body: `disconnected{}.accept()`, inside: true, want: "disconnected{}.accept undefined"},
		{body: `disconnected{}.authenticate(nil)`, inside: true, want: "disconnected{}.authenticate undefined"},
		{body: `disconnected{}.renew(nil)`, inside: true, want: "disconnected{}.renew undefined"},
		{body: `disconnected{}.drain()`, inside: true, want: "disconnected{}.drain undefined"},
		{body: `disconnected{}.close(nil)`, inside: true, want: "disconnected{}.close undefined"},
		{body: `m.over(disconnected{}, Closing{})`, inside: true, want: "does not implement ender"},
	}
	for _, p := range programs {
		said := c.check(t, p.body, p.inside)
		if p.want == "" && said != "" || !strings.Contains(said, p.want) || strings.Contains(said, "\n") {
			t.Errorf("%s\n\tthe compiler says %q\n\twant %q", p.body, said, p.want)
		}
	}
}

// TestStatesAreMadeByTransitions: only state.go makes a state, so there is no
// way from one to another but its methods. A connection's first is made by New.
func TestStatesAreMadeByTransitions(t *testing.T) {
	t.Parallel()
	c := load(t)
	states := map[string]int{"connecting": 0, "connected": 0, "authenticated": 0, "draining": 0, "disconnected": 0}
	for _, f := range c.files {
		if c.fset.Position(f.Pos()).Filename == "state.go" {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			var made ast.Expr
			switch n := n.(type) {
			case *ast.CompositeLit:
				made = n.Type
			case *ast.CallExpr: // a conversion
				made = n.Fun
			case *ast.ValueSpec: // var s connected
				made = n.Type
			}
			if id, ok := made.(*ast.Ident); ok {
				if _, ok := states[id.Name]; ok {
					states[id.Name]++
				}
			}
			return true
		})
	}
	for name, n := range states {
		if want := map[string]int{"connecting": 1}[name]; n != want {
			t.Errorf("%s is made %d times outside state.go, want %d", name, n, want)
		}
	}
}

// implementers names the exported types of the package that implement one of
// its interfaces.
func implementers(t *testing.T, name string) []string {
	t.Helper()
	c := load(t)
	scope := c.pkg.Scope()
	iface, ok := scope.Lookup(name).Type().Underlying().(*types.Interface)
	if !ok {
		t.Fatalf("%s is no interface", name)
	}
	var names []string
	for _, n := range scope.Names() {
		obj, ok := scope.Lookup(n).(*types.TypeName)
		if ok && obj.Exported() && !types.IsInterface(obj.Type()) && types.Implements(obj.Type(), iface) {
			names = append(names, n)
		}
	}
	return names
}
