package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/client"
	"github.com/pam-assistant/pam/internal/identity"
	"github.com/pam-assistant/pam/internal/settings"
	"github.com/pam-assistant/pam/internal/terminal"
	"github.com/pam-assistant/pam/internal/wire"
)

// Exit codes of `pam chat` that no error code has.
const (
	exitConnection = 2
	exitCancelled  = 130 // as a shell has it for Ctrl-C
)

// maxStdin bounds a message that is piped in, in bytes: what 32,768 characters
// may take, and one more to see that there are more.
const maxStdin = 4*wire.MaxMessage + 1

// chatFlags are what was typed.
type chatFlags struct {
	message      string
	conversation string
	fresh        bool
	json         bool
	timeout      time.Duration
}

func newChatCommand() *cobra.Command {
	var f chatFlags
	cmd := &cobra.Command{
		Use:   "chat [URL]",
		Short: "Talk to PAM",
		Long: `Talk to PAM: in a conversation, or with one question.

The server is the one at URL, else at PAM_URL, else at PAM_ADDR
(http://127.0.0.1:8080). The token is PAM_TOKEN; without one, and on this
machine, the secret that "pam serve" keeps in the data folder makes one for the
user dev.

With -m, or with a message on standard input, PAM answers that one question:
the answer alone is on standard output, and the exit code is 0. Otherwise it is
1 (no answer), 2 (no connection), 3 (refused), 4 (wrong use) or 130 (Ctrl-C).`,
		Example: `  pam chat
  pam chat -m "what is 12% of 340?"
  git diff | pam chat
  pam chat --conversation trip-to-oslo -m "and on Sunday?"
  PAM_TOKEN=$(pam token --user alice) pam chat https://pam.example`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError{fmt.Errorf("pam chat takes one URL, and got %d; a message goes with -m\nSee: pam chat --help", len(args))}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.message, "message", "m", "", "ask this one question, and print its answer")
	flags.StringVar(&f.conversation, "conversation", "", "go on with this conversation, or begin one by this name")
	flags.BoolVar(&f.fresh, "new", false, "begin a new conversation (as without --conversation)")
	flags.BoolVar(&f.json, "json", false, "print the answer's events, a line of JSON each")
	flags.DurationVar(&f.timeout, "timeout", 0, "give up one question after this time, for example 5m")
	cmd.MarkFlagsMutuallyExclusive("conversation", "new")
	return cmd
}

func (f *chatFlags) run(cmd *cobra.Command, args []string) error {
	set, err := settings.LoadClient(os.Environ())
	if err != nil {
		return err
	}
	address := set.ServerURL()
	if len(args) == 1 {
		address = args[0]
	}
	if f.conversation != "" && !pam.ValidID(f.conversation) {
		return usageError{errors.New("--conversation is 1 to 64 of letters, digits and . _ : -")}
	}
	stdin, piped := cmd.InOrStdin(), !isTerminal(cmd.InOrStdin())
	m := client.Message{
		ID: pam.ChatID(uuid.Must(uuid.NewV7()).String()), Text: f.message, Conversation: pam.ConversationID(f.conversation),
	}
	asked := cmd.Flags().Changed("message")
	if !asked && piped {
		if m.Text, err = readMessage(stdin); err != nil {
			return err
		}
		asked = true
	}
	if !asked && !f.json {
		return f.converse(cmd, address, set)
	}
	if strings.TrimSpace(m.Text) == "" {
		return usageError{errors.New("there is no question; for example: pam chat -m \"what is 12% of 340?\"")}
	}
	return f.ask(cmd, address, set, m)
}

// ask is one question for a script.
func (f *chatFlags) ask(cmd *cobra.Command, address string, set *settings.Settings, m client.Message) error {
	o := client.Options{Token: tokenSource(address, set)}
	if f.json {
		o.OnEvent = terminal.Lines(cmd.OutOrStdout(), m.ID, wire.EventCodec{}.Encode)
	}
	ctx := cmd.Context()
	if f.timeout > 0 {
		var done context.CancelFunc
		ctx, done = context.WithTimeoutCause(ctx, f.timeout, errors.New("no answer came within "+f.timeout.String()))
		defer done()
	}
	c, stop, err := connect(ctx, address, o)
	if err != nil {
		return err
	}
	defer stop()
	if screen, shown := screenOf(cmd.OutOrStdout()); shown && !f.json {
		return chatError(cmd.ErrOrStderr(), terminal.Run(ctx, screen, terminal.Talk{Client: c, Address: address, Ask: &m}))
	}
	turn, err := terminal.Ask(ctx, c, m)
	if !f.json {
		if printErr := terminal.PrintText(cmd.OutOrStdout(), turn); err == nil {
			err = printErr
		}
	}
	return chatError(cmd.ErrOrStderr(), err)
}

// chatError says what went wrong, and what to do, and returns the exit code.
func chatError(w io.Writer, err error) error {
	if err == nil {
		return nil
	}
	if errors.As(err, &terminal.CancelledError{}) {
		return exitError{exitCancelled}
	}
	message, hint := terminal.Explain(err)
	fmt.Fprintln(w, "pam:", message)
	if hint != "" {
		fmt.Fprintln(w, "     "+hint)
	}
	code := exitFailed
	var (
		e    *pam.Error
		lost *client.ConnectionError
	)
	switch {
	case errors.As(err, &lost):
		code = exitConnection
	case errors.As(err, &e):
		code = wire.Meaning(e.Code).Exit
	}
	return exitError{code}
}

// readMessage reads a message that is piped in.
func readMessage(r io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxStdin))
	if err != nil {
		return "", fmt.Errorf("standard input: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// tokenSource returns what makes a token for each connection: PAM_TOKEN or,
// for a server on this machine, one that the secret of development mode signs.
func tokenSource(address string, set *settings.Settings) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		if set.Token.IsSet() {
			return set.Token.Reveal(), nil
		}
		host := hostOf(address)
		missing := &pam.Error{
			Code: pam.CodeTokenMissing, Message: "No token was given.",
			Hint: "Set PAM_TOKEN; on the server's machine, pam token --user NAME makes one.",
		}
		if !settings.Address(host).Loopback() {
			return "", missing
		}
		secret, err := identity.ReadDevelopmentSecret(string(set.Data))
		if errors.Is(err, fs.ErrNotExist) {
			if err := answers(ctx, host); err != nil { // no server is the likelier reason
				return "", &client.ConnectionError{URL: "http://" + host, Err: err}
			}
			missing.Hint = fmt.Sprintf("Set PAM_TOKEN, or run pam chat where pam serve runs: there is no %s in %s (PAM_DATA).", identity.SecretFile, set.Data)
			return "", missing
		}
		if err != nil {
			return "", err
		}
		verifier, err := identity.New(identity.Options{
			Secrets: [][]byte{secret}, Issuer: string(set.JWTIssuer), Audience: string(set.JWTAudience), Now: time.Now,
		})
		if err != nil {
			return "", err
		}
		token, _, err := verifier.Sign(identity.DevelopmentUser, pam.RoleOperator, time.Hour)
		return token, err
	}
}

// hostOf returns host:port of an address as client.New takes it.
func hostOf(address string) string {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "ws": "80", "https": "443", "wss": "443"}[u.Scheme]
	}
	host := u.Hostname()
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// answers reports whether anything listens at host.
func answers(ctx context.Context, host string) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", host)
	if err != nil {
		return err
	}
	return conn.Close()
}
