package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// asPam is set where the test binary stands for pam.
const asPam = "PAM_TEST_AS_PAM"

func TestMain(m *testing.M) {
	if os.Getenv(asPam) != "" { // a test has started this binary as pam
		main()
	}
	testscript.Main(m, map[string]func(){"pam": main})
}

// TestScripts runs the real binary: one script a promise, or a past bug.
//
// Beside testscript's own commands there are
//
//	serve [NAME=VALUE…]   starts pam serve on a free port, and sets PAM_ADDR
//	unserve               ends it by SIGTERM, and wants exit 0
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE") != "",
		Setup: func(e *testscript.Env) error {
			e.Setenv("PAM_DATA", filepath.Join(e.WorkDir, "data"))
			e.Setenv("PAM_ADDR", "127.0.0.1:1") // nobody listens there
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"serve": serve, "unserve": unserve},
	})
}

// serving is a server that a script has started.
type serving struct {
	cmd    *exec.Cmd
	output sync.WaitGroup
}

const servingKey = "PAM_TEST_SERVING" // the process id, for unserve

func serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: serve [NAME=VALUE…]")
	}
	program := ""
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if path := filepath.Join(dir, "pam"); exists(path) {
			program = path
			break
		}
	}
	s := &serving{cmd: exec.Command(program, "serve")}
	s.cmd.Dir = ts.MkAbs(".")
	s.cmd.Env = append([]string{
		"PATH=" + ts.Getenv("PATH"), "HOME=" + ts.Getenv("HOME"), "PAM_DATA=" + ts.Getenv("PAM_DATA"), "PAM_ADDR=127.0.0.1:0",
	}, args...)
	log, err := os.Create(ts.MkAbs("serve.log"))
	ts.Check(err)
	s.cmd.Stderr = log
	out, err := s.cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(s.cmd.Start())
	ts.Setenv(servingKey, fmt.Sprint(s.cmd.Process.Pid))
	page := make(chan string, 1)
	s.output.Go(func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if _, after, ok := strings.Cut(lines.Text(), "http://"); ok && len(page) == 0 {
				page <- strings.TrimSuffix(after, "/")
			}
		}
	})
	ts.Defer(func() {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		s.output.Wait()
		_ = s.cmd.Wait()
		log.Close()
	})
	select {
	case addr := <-page:
		ts.Setenv("PAM_ADDR", addr)
	case <-time.After(20 * time.Second):
		ts.Fatalf("pam serve is not ready after 20 s:\n%s", ts.ReadFile("serve.log"))
	}
}

func unserve(ts *testscript.TestScript, neg bool, args []string) {
	var pid int
	if _, err := fmt.Sscan(ts.Getenv(servingKey), &pid); neg || err != nil || len(args) > 0 {
		ts.Fatalf("usage: unserve, after serve")
	}
	process, err := os.FindProcess(pid)
	ts.Check(err)
	ts.Check(process.Signal(syscall.SIGTERM))
	for range 1000 { // serve's own Defer takes its exit
		if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	ts.Fatalf("pam serve does not end")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
