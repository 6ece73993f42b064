package bench_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pam-assistant/pam/internal/server"
	"github.com/pam-assistant/pam/internal/settings"
)

// The servers are processes of their own, so that what they cost is read from
// the system and the client's own work is no part of it. They are this very
// program, told by its environment which of the two to be.
const (
	roleName  = "PAM_BENCH_ROLE"
	rolePAM   = "pam"
	roleFloor = "floor"
	// profileName is a folder: PAM's processor profile of each benchmark goes there.
	profileName = "PAM_BENCH_PROFILE"

	secret = "0123456789abcdef0123456789abcdef"
)

func TestMain(m *testing.M) {
	switch os.Getenv(roleName) {
	case "":
		os.Exit(m.Run())
	case rolePAM:
		servePAM()
	case roleFloor:
		serveFloor()
	}
}

// servePAM is the real server, with the limits off that a load of one address
// would meet.
func servePAM() {
	env := []string{
		"PAM_ADDR=127.0.0.1:0", "PAM_DATA=" + filepath.Join(os.Args[1], "data"), "PAM_MODEL=script",
		"PAM_JWT_SECRET=" + secret, "PAM_LOG_LEVEL=error", "PAM_DRAIN=0s",
	}
	for _, limit := range []string{"CONNECTIONS", "HANDSHAKES", "FRAMES", "SUBSCRIPTIONS", "CHATS", "TURNS", "TOTAL"} {
		env = append(env, "PAM_MAX_"+limit+"=0")
	}
	set, err := settings.Load(env)
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go obey(cancel)
	err = server.Run(ctx, server.Options{
		Settings: set, Version: "bench", Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: set.LogLevel})),
		Now: time.Now, Ready: func(s server.Started) { fmt.Println(s.Addr) },
	})
	if err != nil {
		panic(err)
	}
}

// obey does what the parent asks, a line each, and ends the process with it.
func obey(end func()) {
	defer end()
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		switch word, rest, _ := strings.Cut(lines.Text(), " "); word {
		case "gc":
			runtime.GC()
			debug.FreeOSMemory()
		case "profile":
			f, err := os.Create(rest)
			if err != nil {
				panic(err)
			}
			if err := pprof.StartCPUProfile(f); err != nil {
				panic(err)
			}
		case "heap":
			f, err := os.Create(rest)
			if err != nil {
				panic(err)
			}
			if err := pprof.Lookup("heap").WriteTo(f, 0); err != nil {
				panic(err)
			}
		case "profiled":
			pprof.StopCPUProfile()
		}
		fmt.Println("done")
	}
}

// child is a server under measurement.
type child struct {
	b     *testing.B
	role  string
	addr  string
	pid   int
	stdin io.WriteCloser
	lines *bufio.Scanner
	cmd   *exec.Cmd
}

// spawn starts a server on the first core; the client keeps what is left.
func spawn(b *testing.B, role string) *child {
	b.Helper()
	program, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(program, b.TempDir())
	cmd.Env = append(os.Environ(), roleName+"="+role)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := onFirstCore(cmd.Start); err != nil {
		b.Fatal(err)
	}
	c := &child{b: b, role: role, pid: cmd.Process.Pid, stdin: stdin, lines: bufio.NewScanner(stdout), cmd: cmd}
	if !c.lines.Scan() {
		b.Fatal("the server did not start")
	}
	c.addr = c.lines.Text()
	return c
}

// onFirstCore runs f so that a process it starts stays on the first core.
func onFirstCore(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, first unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	for i := range len(first) * strconv.IntSize {
		if before.IsSet(i) {
			first.Set(i)
			break
		}
	}
	if err := unix.SchedSetaffinity(0, &first); err != nil {
		return err
	}
	err := f()
	if e := unix.SchedSetaffinity(0, &before); e != nil {
		return e
	}
	return err
}

// tell has the server do something, and waits for it.
func (c *child) tell(words string) {
	c.b.Helper()
	if _, err := io.WriteString(c.stdin, words+"\n"); err != nil || !c.lines.Scan() {
		c.b.Fatalf("%s: the %s server has ended: %v", words, c.role, err)
	}
}

// profile begins a profile of PAM where one was asked for, and returns its end.
func (c *child) profile() func() {
	folder := os.Getenv(profileName)
	if folder == "" || c.role != rolePAM {
		return func() {}
	}
	c.tell("profile " + filepath.Join(folder, c.b.Name()+".cpu"))
	return func() { c.tell("profiled") }
}

func (c *child) stop() {
	c.b.Helper()
	c.stdin.Close() // the server ends with it
	if err := c.cmd.Wait(); err != nil {
		c.b.Fatalf("the %s server: %v", c.role, err)
	}
}

// cpu is the processor time of all threads of the server.
func (c *child) cpu() time.Duration {
	c.b.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", c.pid))
	if err != nil || len(threads) == 0 {
		c.b.Fatal("no threads of the server in /proc", err)
	}
	var sum time.Duration
	for _, name := range threads {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // the thread has ended
		}
		var ns int64
		if _, err := fmt.Sscan(string(text), &ns); err != nil {
			c.b.Fatal(err)
		}
		sum += time.Duration(ns)
	}
	return sum
}

// rss is the server's memory in KiB, as the system counts it.
func (c *child) rss() float64 {
	c.b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.pid))
	if err != nil {
		c.b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	var kib float64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		c.b.Fatal(err)
	}
	return kib
}
