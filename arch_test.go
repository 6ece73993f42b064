package pam_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// module is the path of the module that this test judges.
const module = "github.com/pam-assistant/pam"

// Words that stand for several packages in a row of the tables.
const (
	all      = "*"     // every package but those that tests alone may import
	everyone = "**"    // every package
	tests    = "tests" // no package: test files alone may import it
)

// house is the table of who may import whom (docs/architecture.md, "The house").
// A row covers the one package that it names, or with "/..." those below it too.
// A new package is added here with its one sentence, and there.
func house() map[string][]string {
	return map[string][]string{
		"":                         {},                                          // the vocabulary: nouns without I/O
		"internal/wire":            {""},                                        // bytes to frames and back, the error table
		"internal/lifecycle":       {""},                                        // what a connection may do next: pure
		"internal/identity":        {""},                                        // credentials to Principal
		"internal/gateway":         {"", "internal/wire", "internal/lifecycle"}, // sockets, outbox, heartbeat
		"internal/conversation":    {""},                                        // one owner per live conversation
		"internal/turn":            {""},                                        // one question and its answer
		"internal/model":           {"", "internal/model/builtin"},              // providers, one file each
		"internal/model/builtin":   {"", "internal/model"},                      // the small assistant that needs no key
		"internal/tool":            {""},                                        // tools
		"internal/store":           {""},                                        // all that outlives the process
		"internal/store/sqlite":    {"", "internal/store"},                      // the journal in one file
		"internal/store/storetest": {"", "internal/store"},                      // what every engine must pass
		"internal/diagnose":        {"", "internal/wire"},                       // causes as data, verdict, probes
		"internal/monitor":         {""},                                        // metrics, alerts, traces
		"internal/settings":        {""},                                        // environment and file to one struct
		"internal/api":             {"", "internal/wire"},                       // the HTTP pages of data
		"internal/terminal":        {"", "client", "internal/diagnose"},         // what the CLI shows
		"internal/server":          {all},                                       // puts it together
		"internal/faultlab/...":    {everyone},                                  // what breaks on purpose; for tests
		"internal/checker/...":     {everyone},                                  // what judges histories; for tests
		"client":                   {"", "internal/wire"},                       // what any client does
		"cmd/pam":                  {all},                                       // process entry: flags and exit codes
		"bench/...":                {all},                                       // measurements beside their floors
		"web":                      {},                                          // the page, embedded
	}
}

// forTests lists the rows that test files alone may import.
func forTests() []string { return []string{"internal/faultlab/...", "internal/checker/..."} }

// outside is who may import which third party: the longest prefix of the
// imported path counts, and an owner speaks for the packages below it. Packages
// of the standard library are free for all but those that are listed here.
func outside() map[string][]string {
	return map[string][]string{
		// SQL stays in the store; bench keeps the bare floors beside it.
		"database/sql":                  {"internal/store", "bench"},
		"github.com/ncruces/go-sqlite3": {"internal/store", "bench"},
		"github.com/pressly/goose":      {"internal/store"},
		"github.com/jackc/pgx":          {"internal/store"},
		"github.com/gofrs/flock":        {"internal/store", "internal/server"},

		// Two WebSocket libraries on purpose: each tests the other.
		"github.com/gobwas":          {"internal/gateway", "internal/diagnose", "internal/faultlab", "bench"},
		"github.com/coder/websocket": {"client", "internal/faultlab"},
		"github.com/go-jose":         {"internal/identity"},
		"github.com/evanphx/json-patch": {
			"internal/wire", "internal/conversation", "internal/store", "internal/server",
		},

		"github.com/openai/openai-go":     {"internal/model"},
		"github.com/anthropics":           {"internal/model"},
		"google.golang.org/genai":         {"internal/model"},
		"github.com/modelcontextprotocol": {"internal/tool"},
		"github.com/failsafe-go":          {"internal/model", "internal/turn", "internal/tool"},
		"github.com/cockroachdb/apd":      {"internal/model", "internal/tool"},

		"github.com/prometheus":    {"internal/monitor"},
		"go.opentelemetry.io":      {"internal/monitor"},
		"github.com/spf13/cobra":   {"cmd/pam"},
		"github.com/spf13/pflag":   {"cmd/pam"},
		"github.com/caarlos0/env":  {"internal/settings"},
		"charm.land":               {"internal/terminal"},
		"github.com/charmbracelet": {"internal/terminal"},
		"golang.org/x/term":        {"internal/terminal", "cmd/pam"},

		"github.com/go-json-experiment/json": {everyone},
		"github.com/google/uuid":             {everyone},
		"golang.org/x/sync":                  {everyone},
		"golang.org/x/sys":                   {"internal/gateway", "internal/store", "internal/server", "internal/faultlab", "bench"},
		"golang.org/x/time":                  {"internal/gateway", "internal/identity", "internal/server"},

		"github.com/google/go-cmp":        {tests},
		"github.com/rogpeppe/go-internal": {tests},
		"go.uber.org/goleak":              {tests},
		"pgregory.net/rapid":              {tests},
		"github.com/HdrHistogram":         {"bench"},
	}
}

// pkg is what is judged of a package.
type pkg struct {
	ImportPath string
	Imports    []string
}

// TestArchitecture holds the imports of this module against the tables above.
func TestArchitecture(t *testing.T) {
	t.Parallel()
	for _, fault := range judge(list(t)) {
		t.Error(fault)
	}
}

// TestArchitectureJudge shows that each kind of fault is found and named.
func TestArchitectureJudge(t *testing.T) {
	t.Parallel()
	in := func(path string, imports ...string) pkg { return pkg{ImportPath: module + path, Imports: imports} }
	for _, c := range []struct {
		name string
		pkg  pkg
		want []string
	}{
		{"allowed", in("/internal/gateway", "net", module, module+"/internal/wire", "github.com/gobwas/ws"), nil},
		{"conformance suite", in("/internal/store/storetest", module+"/internal/store", module, "testing", "github.com/google/go-cmp/cmp"), nil},
		{"all", in("/internal/server", module+"/internal/store/sqlite", module+"/internal/gateway"), nil},
		{"neighbour", in("/internal/gateway", module+"/internal/conversation"), []string{
			"internal/gateway imports internal/conversation: declare the one to three methods it needs where it needs them, " +
				"and let internal/server bring the two together (arch_test.go, docs/architecture.md)",
		}},
		{"vocabulary", in("", module+"/internal/wire"), []string{
			"pam imports internal/wire: declare the one to three methods it needs where it needs them, " +
				"and let internal/server bring the two together (arch_test.go, docs/architecture.md)",
		}},
		{"room of a room", in("/internal/gateway/more"), []string{
			"internal/gateway/more is not in the house: add it to the table in arch_test.go, with its one sentence, and to docs/architecture.md",
		}},
		{"prefix is no folder", in("/internal/storey"), []string{
			"internal/storey is not in the house: add it to the table in arch_test.go, with its one sentence, and to docs/architecture.md",
		}},
		{"tests only", in("/cmd/pam", module+"/internal/faultlab"), []string{
			"cmd/pam imports internal/faultlab, which test files alone may import",
		}},
		{"third party in the wrong place", in("/internal/turn", "database/sql", "github.com/coder/websocket"), []string{
			"internal/turn imports database/sql, which belongs to internal/store, bench",
			"internal/turn imports github.com/coder/websocket, which belongs to client, internal/faultlab",
		}},
		{"unknown third party", in("/internal/turn", "github.com/some/thing"), []string{
			"internal/turn imports github.com/some/thing: no row of outside() in arch_test.go says who may",
		}},
		{"test library", in("/internal/turn", "pgregory.net/rapid"), []string{
			"internal/turn imports pgregory.net/rapid, which belongs to test files",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, judge([]pkg{c.pkg})); diff != "" {
				t.Errorf("judge (-want +got):\n%s", diff)
			}
		})
	}
}

// list returns every package of the module with what its non-test files import.
func list(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		pkgs = append(pkgs, p)
	}
}

// judge returns what pkgs import against the tables, one sentence a fault.
func judge(pkgs []pkg) []string {
	var faults []string
	for _, p := range pkgs {
		path := inside(p.ImportPath)
		home, ok := room(path)
		if !ok {
			faults = append(faults, fmt.Sprintf(
				"%s is not in the house: add it to the table in arch_test.go, with its one sentence, and to docs/architecture.md", name(path)))
			continue
		}
		for _, imported := range p.Imports {
			var fault string
			if imported == module || strings.HasPrefix(imported, module+"/") {
				fault = judgeInside(home, path, inside(imported))
			} else {
				fault = judgeOutside(path, imported)
			}
			if fault != "" {
				faults = append(faults, fault)
			}
		}
	}
	return faults
}

// judgeInside judges one import of this module by path, whose row is home.
func judgeInside(home, path, imported string) string {
	target, _ := room(imported)
	allowed := house()[home]
	switch {
	case target == home, slices.Contains(allowed, everyone):
		return ""
	case slices.Contains(forTests(), target):
		return fmt.Sprintf("%s imports %s, which test files alone may import", name(path), name(imported))
	case slices.Contains(allowed, all), slices.Contains(allowed, target):
		return ""
	}
	return fmt.Sprintf("%s imports %s: declare the one to three methods it needs where it needs them, "+
		"and let internal/server bring the two together (arch_test.go, docs/architecture.md)", name(path), name(imported))
}

// judgeOutside judges one import of another module, or of the standard library.
func judgeOutside(path, imported string) string {
	owners, known := owners(imported)
	first, _, _ := strings.Cut(imported, "/")
	owns := func(owner string) bool { return below(path, owner) }
	switch {
	case !known && !strings.Contains(first, "."): // the standard library
		return ""
	case !known:
		return fmt.Sprintf("%s imports %s: no row of outside() in arch_test.go says who may", name(path), imported)
	case slices.Contains(owners, everyone), slices.ContainsFunc(owners, owns):
		return ""
	case slices.Contains(owners, tests):
		home, _ := room(path)
		if slices.Contains(forTests(), home) || strings.HasSuffix(path, "test") { // a conformance suite is test code
			return ""
		}
		return fmt.Sprintf("%s imports %s, which belongs to test files", name(path), imported)
	default:
		return fmt.Sprintf("%s imports %s, which belongs to %s", name(path), imported, strings.Join(owners, ", "))
	}
}

// room returns the row of house that covers the package at path.
func room(path string) (string, bool) {
	for key := range house() {
		folder, whole := strings.CutSuffix(key, "/...")
		if path == folder || whole && below(path, folder) {
			return key, true
		}
	}
	return path, false
}

// owners returns the row of outside with the longest prefix of imported.
func owners(imported string) ([]string, bool) {
	longest := ""
	for prefix := range outside() {
		if below(imported, prefix) && len(prefix) > len(longest) {
			longest = prefix
		}
	}
	return outside()[longest], longest != ""
}

// below reports whether path is folder or lies in it.
func below(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

// inside returns the path of a package of this module, relative to the module.
func inside(path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
}

// name is how a sentence calls the package at path.
func name(path string) string {
	if path == "" {
		return "pam"
	}
	return path
}
