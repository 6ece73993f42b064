package main

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/client"
	"github.com/pam-assistant/pam/internal/settings"
	"github.com/pam-assistant/pam/internal/terminal"
)

// Bracketed paste: a terminal marks what is pasted, so that a line feed in it
// sends nothing.
const (
	pasteOn  = "\x1b[?2004h"
	pasteOff = "\x1b[?2004l"
)

// converse is a conversation, by whoever sits at standard input.
func (f *chatFlags) converse(cmd *cobra.Command, address string, set *settings.Settings) (err error) {
	c, stop, err := connect(cmd.Context(), address, client.Options{
		Token:   tokenSource(address, set),
		Backoff: client.Backoff{Cap: 10 * time.Second}, // somebody sits there and waits
	})
	if err != nil {
		return err
	}
	defer stop()
	id := pam.ConversationID(f.conversation)
	if id == "" {
		id = pam.ConversationID(uuid.Must(uuid.NewV7()).String())
	}
	in, typed := cmd.InOrStdin().(*os.File)
	screen, shown := screenOf(cmd.OutOrStdout())
	if !typed || !shown {
		return chatError(cmd.ErrOrStderr(), terminal.Converse(cmd.Context(), c, cmd.InOrStdin(), cmd.OutOrStdout(), id))
	}
	fd := int(in.Fd())
	raw, err := term.MakeRaw(fd)
	if err != nil {
		return err
	}
	if _, err = io.WriteString(screen.Out, pasteOn); err == nil {
		screen.In = in
		err = terminal.Run(cmd.Context(), screen, terminal.Talk{
			Client: c, Address: address, Conversation: id, Resume: f.conversation != "",
		})
		_, _ = io.WriteString(screen.Out, pasteOff) // the terminal may be gone
	}
	if restoreErr := term.Restore(fd, raw); err == nil {
		err = restoreErr
	}
	return chatError(cmd.ErrOrStderr(), err)
}

// connect runs a client; stop ends it.
func connect(ctx context.Context, address string, o client.Options) (c *client.Client, stop func(), err error) {
	if c, err = client.New(address, o); err != nil {
		return nil, nil, usageError{err}
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Run(context.WithoutCancel(ctx)) // why it ends, its state says; Ctrl-C is a cancel first
	}()
	return c, func() { c.Close(); <-ended }, nil
}

// screenOf is the terminal that w is, where it is one that can be drawn on.
func screenOf(w io.Writer) (terminal.Terminal, bool) {
	out, ok := w.(*os.File)
	if !ok || !isTerminal(out) || os.Getenv("TERM") == "dumb" {
		return terminal.Terminal{}, false
	}
	return terminal.Terminal{
		Out:   out,
		Color: os.Getenv("NO_COLOR") == "",
		Size: func() (columns, rows int) {
			columns, rows, err := term.GetSize(int(out.Fd()))
			if err != nil || columns <= 0 || rows <= 0 {
				return 80, 24
			}
			return columns, rows
		},
	}, true
}
