package web_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pam-assistant/pam/internal/faultlab"
	"github.com/pam-assistant/pam/web"
)

func serve(t *testing.T, method, target string, header http.Header) *http.Response {
	t.Helper()
	h, err := web.Handler()
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	maps.Copy(r.Header, header)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestHandler(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method, target string
		status         int
		contentType    string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8"},
		{"HEAD", "/", 200, "text/html; charset=utf-8"},
		{"GET", "/app.js", 200, "text/javascript; charset=utf-8"},
		{"GET", "/style.css", 200, "text/css; charset=utf-8"},
		{"GET", "/icon.svg", 200, "image/svg+xml"},
		{"POST", "/", 405, "text/plain; charset=utf-8"},
		{"GET", "/nothing", 404, "text/plain; charset=utf-8"},
		{"GET", "/dist/index.html", 404, "text/plain; charset=utf-8"},
		{"GET", "/../embed.go", 404, "text/plain; charset=utf-8"},
		{"GET", "//app.js", 404, "text/plain; charset=utf-8"},
	} {
		t.Run(c.method+" "+c.target, func(t *testing.T) {
			t.Parallel()
			r := serve(t, c.method, c.target, nil)
			got := []any{r.StatusCode, r.Header.Get("Content-Type")}
			if diff := cmp.Diff([]any{c.status, c.contentType}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if c.status != 200 {
				return
			}
			if got := r.Header.Get("Content-Security-Policy"); got != web.Policy {
				t.Errorf("policy is %q", got)
			}
			if got := r.Header.Get("X-Content-Type-Options"); got != "nosniff" {
				t.Errorf("X-Content-Type-Options is %q", got)
			}
			if got := body(t, r); (got == "") != (c.method == "HEAD") {
				t.Errorf("the body has %d bytes", len(got))
			}
		})
	}
}

func TestHandlerKnowsWhatTheBrowserHas(t *testing.T) {
	t.Parallel()
	etag := serve(t, "GET", "/app.js", nil).Header.Get("Etag")
	r := serve(t, "GET", "/app.js", http.Header{"If-None-Match": {etag}})
	if etag == "" || r.StatusCode != http.StatusNotModified {
		t.Errorf("status %d for the etag %q", r.StatusCode, etag)
	}
}

// TestPageKeepsItsPolicy looks for what the policy would block, and for the
// sinks that turn text into markup, and follows every reference to a file.
func TestPageKeepsItsPolicy(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"unsafe", "*", "http:", "https:", "data:"} {
		if strings.Contains(web.Policy, word) {
			t.Errorf("the policy allows %s", word)
		}
	}
	page := body(t, serve(t, "GET", "/", nil))
	if m := regexp.MustCompile(`(?i)<style|<script[^>]*>[^<]|\s(style|on\w+)=|javascript:`).FindString(page); m != "" {
		t.Errorf("index.html has %q", m)
	}
	reference := regexp.MustCompile(`(?:src|href)="([^"#]+)"|from "\./([^"]+)"`)
	sink := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|setAttribute\("(style|on)`)
	for queue, seen := []string{"/"}, map[string]bool{}; len(queue) > 0; queue = queue[1:] {
		name := queue[0]
		if seen[name] {
			continue
		}
		seen[name] = true
		r := serve(t, "GET", name, nil)
		if r.StatusCode != http.StatusOK {
			t.Errorf("%s is referred to, and answered with %d", name, r.StatusCode)
			continue
		}
		text := body(t, r)
		if m := sink.FindString(text); m != "" {
			t.Errorf("%s uses %s", name, m)
		}
		for _, m := range reference.FindAllStringSubmatch(text, -1) {
			queue = append(queue, "/"+strings.TrimPrefix(m[1]+m[2], "/"))
		}
	}
}

// TestScripts runs the tests of the page's own scripts.
func TestScripts(t *testing.T) {
	t.Parallel()
	node := faultlab.Need(t, "node")
	files, err := filepath.Glob("testdata/*.test.js")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, append([]string{"--test"}, files...)...)
	cmd.Env = append(os.Environ(), "NODE_OPTIONS=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("node --test: %v\n%s", err, out)
	}
	if !regexp.MustCompile(`(?m)^# pass [1-9]|ℹ pass [1-9]`).Match(out) {
		t.Errorf("node ran no test:\n%s", out)
	}
}
