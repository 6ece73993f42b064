//go:build ignore

// Report reads what go test -json says on its standard input. It prints a line
// a package, all that a failed test said, and why a test was skipped; it writes
// "PASSED FAILED SKIPPED", the counts of tests and subtests, to the file that
// is named, and exits 1 where anything failed or no test ran.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// event is a line of go test -json (go doc test2json).
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Output     string
	Elapsed    float64
}

type report struct {
	said                    map[string][]string // what each test, and each package, printed
	passed, failed, skipped int
	broken                  int // packages that failed, or did not build
}

func main() {
	r := report{said: map[string][]string{}}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	for in.Scan() {
		var e event
		if err := json.Unmarshal(in.Bytes(), &e); err != nil {
			fmt.Println(in.Text()) // the go command's own words
			continue
		}
		r.take(e)
	}
	if err := in.Err(); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
	counts := fmt.Sprintf("%d %d %d\n", r.passed, r.failed, r.skipped)
	if err := os.WriteFile(os.Args[1], []byte(counts), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
	if r.broken+r.failed > 0 || r.passed == 0 {
		fmt.Printf("%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped)
		os.Exit(1)
	}
}

func (r *report) take(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "build-output":
		fmt.Print(e.Output)
	case "output":
		r.said[key] = append(r.said[key], e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			r.end(e)
		} else {
			r.endTest(e)
		}
		delete(r.said, key)
	}
}

// end tells how a package ended.
func (r *report) end(e event) {
	switch e.Action {
	case "pass":
		fmt.Printf("ok    %7.2fs  %s\n", e.Elapsed, e.Package)
	case "skip":
		fmt.Printf("-               %s (no test)\n", e.Package)
	default:
		r.broken++
		fmt.Printf("FAIL  %7.2fs  %s\n%s", e.Elapsed, e.Package, strings.Join(r.said[e.Package+" "], ""))
	}
}

// endTest tells how a test ended, where it did not pass.
func (r *report) endTest(e event) {
	said := strings.Join(r.said[e.Package+" "+e.Test], "")
	switch e.Action {
	case "pass":
		r.passed++
	case "skip":
		r.skipped++
		fmt.Printf("skip            %s %s\n%s", e.Package, e.Test, said)
	default:
		r.failed++
		fmt.Printf("FAIL  %7.2fs  %s %s\n%s", e.Elapsed, e.Package, e.Test, said)
	}
}
