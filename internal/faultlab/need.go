package faultlab

import (
	"os"
	"os/exec"
	"testing"
)

// installs returns what to type for a program that a test needs.
func installs(program string) string {
	packages := map[string]string{
		"chromium": "chromium",
		"gcc":      "gcc libc6-dev",
		"nginx":    "nginx-light",
		"node":     "nodejs",
		"python3":  "python3",
	}
	if p, ok := packages[program]; ok {
		return "apt-get install --no-install-recommends " + p
	}
	return "install it, so that it is found on the PATH"
}

// Need returns the path of program, which the test t cannot do without. Where
// it is missing the test is skipped and says what to install; where CI is set
// it fails, for there a skip would be silent.
func Need(t testing.TB, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		lacks(t, program, installs(program))
	}
	return path
}

// NeedPython returns a python3 that can import module, on the terms of [Need].
// Debian's own is asked first: another one on the PATH does not see Debian's
// modules.
func NeedPython(t testing.TB, module string) string {
	t.Helper()
	for _, python := range []string{"/usr/bin/python3", "python3"} {
		path, err := exec.LookPath(python)
		if err != nil {
			continue
		}
		if exec.CommandContext(t.Context(), path, "-c", "import "+module).Run() == nil {
			return path
		}
	}
	lacks(t, "python3 with the module "+module, "apt-get install --no-install-recommends python3-"+module)
	return ""
}

// lacks ends the test t for want of what.
func lacks(t testing.TB, what, install string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("this test needs %s, and with CI set it must run: %s", what, install)
	}
	t.Skipf("this test needs %s: %s", what, install)
}
