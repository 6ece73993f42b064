package pam_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/pam-assistant/pam/internal/faultlab"
)

// product is the binary as a user has it.
type product struct{ path string }

// built is the binary, once for all tests of the process.
//
//nolint:gochecknoglobals // it costs seconds, and no test changes it
var built = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "pam-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "pam")
	if out, err := exec.Command("go", "build", "-o", path, "./cmd/pam").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	binary.Store(&path)
	return path, nil
})

// binary is where it is, once it is there.
var binary atomic.Pointer[string] //nolint:gochecknoglobals // as above

// build builds it.
func build(t *testing.T) product {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return product{path}
}

// command is the binary with an environment of nothing but env.
func (p product) command(ctx context.Context, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.path, args...)
	cmd.Env = append([]string{"HOME=" + os.Getenv("HOME"), "PATH=" + os.Getenv("PATH")}, env...)
	return cmd
}

// running is a `pam serve`.
type running struct {
	t    *testing.T
	cmd  *exec.Cmd
	log  *bytes.Buffer
	done chan struct{}
	url  string   // without a slash at its end
	env  []string // that it runs with; its address is a port of its own
}

// serve starts `pam serve` on loopback and returns once it says that it is ready.
func (p product) serve(t *testing.T, env ...string) *running {
	t.Helper()
	r := &running{t: t, env: env, log: &bytes.Buffer{}, done: make(chan struct{})}
	r.cmd = p.command(context.WithoutCancel(t.Context()), env, "serve")
	r.cmd.Stderr = r.log
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.stop(syscall.SIGKILL) })
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if m := regexp.MustCompile(`page\s+(http://[^/]+)/`).FindStringSubmatch(lines.Text()); m != nil {
			r.url = m[1]
			break
		}
	}
	go func() {
		defer close(r.done)
		for lines.Scan() { // to the end of the process
		}
	}()
	if r.url == "" {
		r.stop(syscall.SIGKILL)
		t.Fatalf("pam serve did not say where it is:\n%s", r.log)
	}
	return r
}

// stop ends the process and waits for it.
func (r *running) stop(signal syscall.Signal) {
	if r.cmd.ProcessState != nil {
		return
	}
	_ = r.cmd.Process.Signal(signal)
	<-r.done
	_ = r.cmd.Wait()
}

// TestReadme does what the README tells a newcomer to do.
func TestReadme(t *testing.T) {
	t.Parallel()
	readme := read(t, os.DirFS("."), "README.md")
	pam := build(t)
	env := []string{"PAM_DATA=" + t.TempDir(), "PAM_ADDR=127.0.0.1:0"}
	server := pam.serve(t, env...)
	asClient := append(env, "PAM_URL="+server.url)

	t.Run("first chat", func(t *testing.T) {
		t.Parallel()
		example := regexp.MustCompile(`(?s)\$ go run \./cmd/pam (chat -m "([^"]+)")\n(.*?)\n`).FindStringSubmatch(readme)
		if example == nil {
			t.Fatal("the README has no first chat")
		}
		cmd := pam.command(t.Context(), asClient, "chat", "-m", example[2])
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil || stderr.Len() > 0 || !strings.Contains(string(out), example[3]) {
			t.Errorf("pam %s: %v, want %q, got %q, stderr %q", example[1], err, example[3], out, stderr.String())
		}
	})

	t.Run("python", func(t *testing.T) {
		t.Parallel()
		python := faultlab.NeedPython(t, "websockets")
		script := strings.ReplaceAll(fenced(t, readme, "python"), "ws://127.0.0.1:8080", "ws"+strings.TrimPrefix(server.url, "http"))
		cmd := exec.CommandContext(t.Context(), python, "-c", script, token(t, pam, asClient))
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "40.8") {
			t.Errorf("the Python example: %v, got %s", err, out)
		}
	})

	t.Run("javascript", func(t *testing.T) {
		t.Parallel()
		browser := openPage(t)
		browser.open(server.url + "/health")
		script := strings.ReplaceAll(fenced(t, readme, "js"), "ws://127.0.0.1:8080", "ws"+strings.TrimPrefix(server.url, "http"))
		browser.eval(`window.said = []; console.log = (...words) => window.said.push(words.join(" ")); const token = "` + token(t, pam, asClient) + `";` + script)
		browser.until(`window.said.some((line) => line.startsWith("completed") && line.includes("40.8"))`)
	})
}

// token makes a token as the README says.
func token(t *testing.T, pam product, env []string) string {
	t.Helper()
	out, err := pam.command(t.Context(), env, "token", "--user", "dev", "--ttl", "1h").Output()
	if err != nil {
		t.Fatalf("pam token: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// fenced returns the first fenced code of a page in a language.
func fenced(t *testing.T, page, language string) string {
	t.Helper()
	m := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("the page has no code in %s", language)
	}
	return m[1]
}

// TestPage uses the page of the real binary in a real browser.
func TestPage(t *testing.T) {
	t.Parallel()
	pam := build(t)
	env := []string{"PAM_DATA=" + t.TempDir(), "PAM_MODEL=script"}
	server := pam.serve(t, append(env, "PAM_ADDR=127.0.0.1:0")...)
	browser := openPage(t)
	browser.open(server.url + "/")
	browser.until(stateIs("connected"))

	// What is said is shown as it is, and never as markup.
	hostile := `<img src=x onerror="document.title='owned'"> &amp; \u202e`
	browser.say(hostile)
	browser.until(shows(hostile) + ` && !document.querySelector("[data-running]")`)
	if n := browser.eval(`document.querySelectorAll("#log img").length`); n != 0.0 {
		t.Errorf("text became %v pictures", n)
	}

	// An answer streams, and stops where a person stops it.
	browser.say("bench d=1000 r=20")
	browser.until(`document.querySelector("[data-running] .answer")?.innerText.length > 40`)
	browser.eval(`document.getElementById("stop").click()`)
	browser.until(shows("Stopped."))

	// A reload shows the same conversation.
	before := browser.eval(`document.getElementById("log").innerText`)
	browser.open(browser.eval(`location.href`).(string))
	browser.call("Page.reload", map[string]any{}, nil)
	browser.until(stateIs("connected") + " && " + shows("Stopped."))
	if after := browser.eval(`document.getElementById("log").innerText`); after != before {
		t.Errorf("before the reload %q, after it %q", before, after)
	}

	// The server dies and comes back: the page says so, and goes on.
	server.stop(syscall.SIGKILL)
	browser.until(stateIs("waiting") + ` && document.getElementById("state").innerText.startsWith("Reconnecting")`)
	browser.say("still there?")
	browser.until(shows("still there?", "Is sent once there is a connection."))
	pam.serve(t, append(env, "PAM_ADDR="+strings.TrimPrefix(server.url, "http://"))...)
	browser.until(stateIs("connected") + ` && !document.querySelector("[data-pending]")`)
	browser.until(shows(hostile, "Stopped.", "still there?"))

	if len(browser.complaints) > 0 {
		t.Errorf("the browser complains:\n%s", strings.Join(browser.complaints, "\n"))
	}
}

// TestPageAsksForAToken shows what a page does where nobody is in development.
func TestPageAsksForAToken(t *testing.T) {
	t.Parallel()
	pam := build(t)
	env := []string{"PAM_DATA=" + t.TempDir(), "PAM_ADDR=127.0.0.1:0", "PAM_JWT_SECRET=" + strings.Repeat("0123456789abcdef", 4)}
	server := pam.serve(t, env...)
	browser := openPage(t)
	browser.open(server.url + "/")
	browser.until(stateIs("token") + ` && !document.getElementById("identify").hidden`)
	enter := func(token string) {
		browser.eval(`document.getElementById("token").value = "` + token + `"; document.getElementById("identify").requestSubmit()`)
	}
	enter("not.a.token")
	browser.until(stateIs("token") + ` && document.getElementById("notice").innerText.includes("token")`)
	enter(token(t, pam, env))
	browser.until(stateIs("connected") + ` && document.getElementById("identify").hidden`)
	if kept := browser.eval(`location.href + document.cookie + JSON.stringify(localStorage)`).(string); strings.Contains(kept, "eyJ") {
		t.Errorf("the token is kept where it should not be: %s", kept)
	}
}

// TestMain removes the binary in the end.
func TestMain(m *testing.M) {
	code := m.Run()
	if path := binary.Load(); path != nil {
		_ = os.RemoveAll(filepath.Dir(*path))
	}
	os.Exit(code)
}
