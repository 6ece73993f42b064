package terminal

import (
	"bufio"
	"context"
	"io"
	"strings"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/client"
)

// Converse is a conversation for what is no terminal, or a simple one: each
// line that is read is a question, and its whole answer is printed as plain
// text.
func Converse(ctx context.Context, c *client.Client, in io.Reader, out io.Writer, id pam.ConversationID) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 4*maxInput)
	for lines.Scan() {
		text := strings.TrimSpace(lines.Text())
		if text == "" {
			continue
		}
		turn, err := Ask(ctx, c, client.Message{Text: text, Conversation: id})
		if printErr := PrintText(out, turn); err == nil {
			err = printErr
		}
		if err != nil {
			return err
		}
	}
	return lines.Err()
}
