package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// tty is a terminal that pam runs on.
type tty struct {
	t    *testing.T
	ctrl *os.File
	mu   sync.Mutex
	out  bytes.Buffer
	cmd  *exec.Cmd
}

// openTTY starts pam on a terminal of 80 columns.
func openTTY(t *testing.T, env []string, args ...string) *tty {
	t.Helper()
	ctrl, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(unix.IoctlSetPointerInt(int(ctrl.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(ctrl.Fd()), unix.TIOCGPTN)
	must(err)
	side, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	must(err)
	must(unix.IoctlSetWinsize(int(side.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}))
	y := &tty{t: t, ctrl: ctrl, cmd: exec.Command(os.Args[0], args...)}
	y.cmd.Env = append(append(os.Environ(), asPam+"=1", "TERM=xterm-256color", "NO_COLOR="), env...)
	y.cmd.Stdin, y.cmd.Stdout, y.cmd.Stderr = side, side, side
	y.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	must(y.cmd.Start())
	side.Close()
	read := make(chan struct{})
	go func() { defer close(read); _, _ = io.Copy(y, ctrl) }()
	t.Cleanup(func() { _ = y.cmd.Process.Kill(); _ = y.cmd.Wait(); ctrl.Close(); <-read })
	return y
}

func (y *tty) Write(p []byte) (int, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.out.Write(p)
}

func (y *tty) shown() string {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.out.String()
}

func (y *tty) typeIn(s string) {
	if _, err := io.WriteString(y.ctrl, s); err != nil {
		y.t.Error(err)
	}
}

// expect waits until what was shown matches, and forgets it.
func (y *tty) expect(pattern string) {
	y.t.Helper()
	re := regexp.MustCompile(pattern)
	for range 1000 {
		y.mu.Lock()
		at := re.FindIndex(y.out.Bytes())
		if at != nil {
			y.out.Next(at[1])
		}
		y.mu.Unlock()
		if at != nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	y.t.Fatalf("%q was never shown; the terminal has %q", pattern, y.shown())
}

// TestChatTTY is a conversation as a person has it.
func TestChatTTY(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	serve := exec.CommandContext(ctx, os.Args[0], "serve")
	serve.Env = append(os.Environ(), asPam+"=1", "PAM_MODEL=script", "PAM_ADDR=127.0.0.1:0", "PAM_DATA="+data)
	out, err := serve.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = serve.Process.Signal(syscall.SIGTERM); _ = serve.Wait() }()
	address := ""
	for banner := bufio.NewScanner(out); address == "" && banner.Scan(); {
		if _, after, ok := strings.Cut(banner.Text(), "page    http://"); ok {
			address = strings.TrimSuffix(after, "/")
		}
	}

	y := openTTY(t, []string{"PAM_ADDR=" + address, "PAM_DATA=" + data}, "chat")
	y.expect(`PAM`)
	y.typeIn("some *bolt*\x1b[D\x7fd\r") // the cursor goes left, a letter goes, another comes
	y.expect(`some \x1b\[3mbold`)
	y.typeIn("\x1b[200~two\nlines\x1b[201~\r") // what is pasted sends nothing
	y.expect(`  two lines`)
	y.typeIn("bench d=1000 r=10\r")
	y.expect(`answering`)
	y.typeIn("\x03") // Ctrl-C stops the answer
	y.expect(`stopped`)
	y.typeIn("\x1b[A") // the history
	y.expect(`bench d=1000 r=10`)
	y.typeIn("\x03\x04") // Ctrl-C clears the line, Ctrl-D leaves
	y.expect(`Go on with: pam chat --conversation `)
	if err := y.cmd.Wait(); err != nil {
		t.Errorf("pam chat: %v", err)
	}
	if !strings.HasSuffix(strings.TrimSpace(y.shown()), "\x1b[?2004l") {
		t.Errorf("the terminal is not left as it was: %q", y.shown())
	}
}
