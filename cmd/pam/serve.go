package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pam-assistant/pam/internal/server"
	"github.com/pam-assistant/pam/internal/settings"
)

func newServeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Start the server",
		Long: `Start the server.

Everything is set by the environment, or by a file of NAME=value lines that
PAM_CONFIG names. With nothing set it listens on 127.0.0.1:8080, keeps its data
in ./pam-data, and answers with the built-in model. "pam config" shows what is
in force.`,
		Example: `  pam serve
  PAM_MODEL=openai/gpt-5-mini OPENAI_API_KEY=sk-… pam serve
  PAM_ADDR=:8080 PAM_JWT_SECRET=$(openssl rand -hex 32) pam serve`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			set, err := settings.Load(os.Environ())
			if err != nil {
				return err
			}
			log := newLogger(cmd.ErrOrStderr(), set.LogLevel)
			for _, w := range set.Warnings {
				log.Warn("setting", "warning", w)
			}
			return server.Run(cmd.Context(), server.Options{
				Settings: set, Version: version(), Logger: log, Now: time.Now,
				Ready: func(s server.Started) { banner(cmd.OutOrStdout(), s) },
			})
		},
	}
}

// newLogger writes text to a terminal and JSON to all else.
func newLogger(w io.Writer, level slog.Level) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return slog.New(slog.NewTextHandler(w, o))
	}
	return slog.New(slog.NewJSONHandler(w, o))
}

// banner says where PAM is, who answers and why, and how to talk to it.
func banner(w io.Writer, s server.Started) {
	addr := s.Addr.String()
	if port, ok := strings.CutPrefix(addr, "[::]:"); ok {
		addr = "127.0.0.1:" + port
	}
	chat := "pam chat"
	if addr != "127.0.0.1:8080" {
		chat += " http://" + addr
	}
	fmt.Fprintf(w, "PAM %s is ready after %d ms.\n\n", version(), s.Took.Milliseconds())
	fmt.Fprintf(w, "  page    http://%s/\n", addr)
	fmt.Fprintf(w, "  chat    %s\n", chat)
	fmt.Fprintf(w, "  model   %s (%s)\n", s.Model, s.Why)
	fmt.Fprintf(w, "  data    %s\n", s.Data)
	if s.Development {
		fmt.Fprintf(w, "  mode    development: this machine only, user dev; for others set PAM_JWT_SECRET or PAM_JWKS_URL\n")
	}
	fmt.Fprintln(w)
}

// noArguments refuses arguments by name.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%s takes no arguments, and got %q\nSee: %s --help", cmd.CommandPath(), args[0], cmd.CommandPath())}
	}
	return nil
}
