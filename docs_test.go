package pam_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pam-assistant/pam/internal/settings"
)

// TestDocsAreCitedTruly holds every citation of a page under docs/, in code and
// in other pages, against the page: its file, its heading, its numbered rule.
func TestDocsAreCitedTruly(t *testing.T) {
	t.Parallel()
	root := os.DirFS(".")
	citations := 0
	for _, file := range sources(t, root) {
		for _, c := range citationsOf(read(t, root, file)) {
			citations++
			if fault := c.check(root); fault != "" {
				t.Errorf("%s: %s", file, fault)
			}
		}
	}
	if citations == 0 {
		t.Error("no citation was found at all: does the test still know how they look?")
	}
}

// TestDocsLinks holds every relative link of every page against the files and
// the headings that it points to.
func TestDocsLinks(t *testing.T) {
	t.Parallel()
	root := os.DirFS(".")
	for _, file := range sources(t, root) {
		if path.Ext(file) != ".md" {
			continue
		}
		for _, target := range linksOf(read(t, root, file)) {
			if fault := checkLink(root, file, target); fault != "" {
				t.Errorf("%s: %s", file, fault)
			}
		}
	}
}

// TestDocsJudge shows that the faults which the tests above look for are found.
func TestDocsJudge(t *testing.T) {
	t.Parallel()
	root := os.DirFS(".")
	text := `package x // see docs/protocol.md#order-and-resume
		// and (docs/protocol.md, "Accept, then
		// explain") and docs/protocol.md, "Order and resume", 5.
		// but not docs/protocol.md#nowhere, docs/protocol.md, "Nowhere",
		// docs/protocol.md, "Order and resume", 99 or docs/nothing.md`
	var got []string
	for _, c := range citationsOf(text) {
		got = append(got, c.check(root))
	}
	want := []string{
		"", "", "",
		`docs/protocol.md has no heading for "#nowhere"`,
		`docs/protocol.md has no heading "Nowhere"`,
		`docs/protocol.md, "Order and resume", has no rule 99`,
		"docs/nothing.md does not exist",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("citations (-want +got):\n%s", diff)
	}
	page := "[a](docs/protocol.md#frames) [b](docs/protocol.md#nowhere) [c](nowhere.md) [d](https://example.com/x)\n" +
		"`[e](no-link)`\n```\n[f](no-link)\n```\n<img src=\"docs/nowhere.svg\">"
	got = nil
	for _, target := range linksOf(page) {
		got = append(got, checkLink(root, "README.md", target))
	}
	want = []string{"", `docs/protocol.md has no heading for "#nowhere"`, "nowhere.md does not exist", "", "docs/nowhere.svg does not exist"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
}

// TestReadmeSettings holds the table of the README against the settings that
// there are: their names, their order aside, and their defaults.
func TestReadmeSettings(t *testing.T) {
	t.Parallel()
	set, err := settings.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, line := range set.Describe() {
		want[line.Name] = line.Value
	}
	want["PAM_MAX_TOTAL"] = "the limit of descriptors less 256"
	got := map[string]string{}
	row := regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\| *`?([^|`]*?)`? *\\|")
	for _, m := range row.FindAllStringSubmatch(read(t, os.DirFS("."), "README.md"), -1) {
		got[m[1]] = strings.TrimSpace(m[2])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("README.md, settings (-want +got):\n%s", diff)
	}
}

// sources lists the files that may cite: code, pages, configuration.
func sources(t *testing.T, root fs.FS) []string {
	t.Helper()
	var files []string
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (name == ".git" || d.Name() == "node_modules" || d.Name() == "testdata"):
			return fs.SkipDir
		case d.Type().IsRegular() && name != "docs_test.go" &&
			slices.Contains([]string{".go", ".md", ".js", ".yml"}, path.Ext(name)):
			files = append(files, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func read(t *testing.T, root fs.FS, name string) string {
	t.Helper()
	b, err := fs.ReadFile(root, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// citation is a page that is cited, and perhaps where in it.
type citation struct {
	page, anchor, heading, rule string
}

// citationsOf finds citations in text, also where a comment wraps in their midst:
// docs/protocol.md#anchor, and docs/protocol.md, "Heading", 5.
func citationsOf(text string) []citation {
	unwrapped := regexp.MustCompile(`\s*\n\s*(//|#|\*)?\s*`).ReplaceAllString(text, " ")
	pattern := regexp.MustCompile(`\bdocs/[a-z0-9/_-]+\.md\b(?:#([A-Za-z0-9_-]+)|, "([^"]+?)(?:,?"(?:,? (?:rule )?(\d+)\b)?))?`)
	var found []citation
	for _, m := range pattern.FindAllStringSubmatchIndex(unwrapped, -1) {
		group := func(i int) string {
			if m[2*i] < 0 {
				return ""
			}
			return unwrapped[m[2*i]:m[2*i+1]]
		}
		pageName, _, _ := strings.Cut(group(0), ".md")
		found = append(found, citation{page: pageName + ".md", anchor: group(1), heading: group(2), rule: group(3)})
	}
	return found
}

// check returns what is wrong with c, or "".
func (c citation) check(root fs.FS) string {
	page, err := fs.ReadFile(root, c.page)
	if err != nil {
		return c.page + " does not exist"
	}
	headings := headingsOf(string(page))
	switch {
	case c.anchor != "" && !slices.ContainsFunc(headings, func(h heading) bool { return h.anchor == c.anchor }):
		return fmt.Sprintf("%s has no heading for %q", c.page, "#"+c.anchor)
	case c.heading == "":
		return ""
	}
	i := slices.IndexFunc(headings, func(h heading) bool { return h.title == c.heading })
	switch {
	case i < 0:
		return fmt.Sprintf("%s has no heading %q", c.page, c.heading)
	case c.rule != "" && !regexp.MustCompile(`(?m)^`+c.rule+`\. `).MatchString(headings[i].body):
		return fmt.Sprintf("%s, %q, has no rule %s", c.page, c.heading, c.rule)
	}
	return ""
}

type heading struct{ title, anchor, body string }

// headingsOf returns the headings of a page, with the anchors that GitHub gives
// them and what stands below them.
func headingsOf(page string) []heading {
	var headings []heading
	seen := map[string]int{}
	for line := range strings.Lines(withoutCode(page)) {
		m := regexp.MustCompile("^#{1,6} +(.+?) *\n?$").FindStringSubmatch(line)
		if m == nil {
			if len(headings) > 0 {
				headings[len(headings)-1].body += line
			}
			continue
		}
		title := strings.ReplaceAll(m[1], "`", "")
		anchor := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(title), "")
		anchor = strings.ReplaceAll(anchor, " ", "-")
		if n := seen[anchor]; n > 0 {
			seen[anchor]++
			anchor = fmt.Sprintf("%s-%d", anchor, n)
		} else {
			seen[anchor] = 1
		}
		headings = append(headings, heading{title: title, anchor: anchor})
	}
	return headings
}

// linksOf returns the targets of a page's links and pictures.
func linksOf(page string) []string {
	var targets []string
	page = regexp.MustCompile("`[^`\n]*`").ReplaceAllString(withoutCode(page), "")
	for _, m := range regexp.MustCompile(`\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		targets = append(targets, m[1]+m[2])
	}
	return targets
}

// withoutCode drops fenced code from a page.
func withoutCode(page string) string {
	return regexp.MustCompile("(?ms)^ *```.*?^ *```$").ReplaceAllString(page, "")
}

// checkLink returns what is wrong with a link of the page file, or "".
func checkLink(root fs.FS, file, target string) string {
	if regexp.MustCompile(`^[a-z]+:`).MatchString(target) {
		return "" // another site's
	}
	name, anchor, _ := strings.Cut(target, "#")
	if name == "" {
		name = file
	} else {
		name = path.Join(path.Dir(file), filepath.ToSlash(name))
	}
	if _, err := fs.Stat(root, name); err != nil {
		return name + " does not exist"
	}
	if anchor == "" {
		return ""
	}
	return citation{page: name, anchor: anchor}.check(root)
}
