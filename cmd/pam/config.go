package main

import (
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/pam-assistant/pam/internal/settings"
)

func newConfigCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show the settings that are in force, secrets masked",
		Example: `  pam config
  pam config --json
  PAM_CONFIG=./pam.env pam config`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			set, err := settings.Load(os.Environ())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd, set.Describe())
			}
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, line := range set.Describe() {
				value := line.Value
				if value == "" {
					value = "-"
				}
				fmt.Fprintf(table, "%s\t%s\t%s\n", line.Name, value, line.Source)
			}
			for _, w := range set.Warnings {
				fmt.Fprintln(cmd.ErrOrStderr(), "warning:", w)
			}
			return table.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, for scripts")
	return cmd
}

func printJSON(cmd *cobra.Command, lines []settings.Line) error {
	type line struct {
		Name   string          `json:"name"`
		Value  string          `json:"value"`
		Source settings.Source `json:"source"`
	}
	all := make([]line, len(lines))
	for i, l := range lines {
		all[i] = line(l)
	}
	if err := json.MarshalWrite(cmd.OutOrStdout(), all, jsontext.WithIndent("  ")); err != nil {
		return err
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout())
	return err
}
