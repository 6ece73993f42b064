package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/pam-assistant/pam/internal/settings"
)

// converse is a conversation at a terminal.
func (f *chatFlags) converse(*cobra.Command, string, *settings.Settings) error {
	return errors.New("not yet")
}
