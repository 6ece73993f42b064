// Command pam is a self-hosted, real-time AI assistant: the server, its client,
// and what an operator needs beside them.
//
// This package owns flags, words for the terminal and exit codes, and nothing
// else. Each subcommand has a file of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/settings"
	"github.com/pam-assistant/pam/internal/wire"
)

// Exit codes, as docs/cli.md has them.
const (
	exitFailed = 1
	exitUsage  = 4
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRootCommand()
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	return report(root.ErrOrStderr(), err)
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "pam",
		Short: "A self-hosted, real-time AI assistant in one binary",
		Long: `PAM is a self-hosted, real-time AI assistant in one binary.

Start it, and talk to it from another terminal or at http://127.0.0.1:8080:

  pam serve
  pam chat -m "what is 12% of 340?"`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetVersionTemplate("pam {{.Version}}\n")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w\nSee: %s --help", err, c.CommandPath())}
	})
	root.AddCommand(newServeCommand(), newChatCommand(), newTokenCommand(), newConfigCommand())
	return root
}

// usageError is a fault of what was typed.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// exitError ends with a code; all there is to say has been said.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("exit %d", e.code) }

// report says what went wrong, and what to type, and returns the exit code.
func report(w io.Writer, err error) int {
	var (
		exit   exitError
		usage  usageError
		faults settings.Faults
		e      *pam.Error
	)
	switch {
	case errors.As(err, &exit):
		return exit.code
	case errors.As(err, &usage):
		fmt.Fprintln(w, "pam:", err)
		return exitUsage
	case errors.As(err, &faults):
		fmt.Fprintln(w, faults.Error())
		return exitUsage
	case errors.As(err, &e):
		meaning := wire.Meaning(e.Code)
		message, hint := e.Message, e.Hint
		if message == "" {
			message = meaning.Message
		}
		if hint == "" {
			hint = meaning.Hint
		}
		fmt.Fprintln(w, "pam:", message)
		if e.Err != nil {
			fmt.Fprintln(w, "     ", e.Err)
		}
		fmt.Fprintln(w, "     ", hint)
		return meaning.Exit
	}
	fmt.Fprintln(w, "pam:", err)
	return exitFailed
}

// version is that of the module, or of the commit that was built.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "dev-" + s.Value[:12]
		}
	}
	return "dev"
}
