package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/identity"
	"github.com/pam-assistant/pam/internal/settings"
)

func newTokenCommand() *cobra.Command {
	var (
		user, role string
		ttl        time.Duration
	)
	cmd := &cobra.Command{
		Use:   "token --user NAME",
		Short: "Make a token that the server takes",
		Long: `Make a token that the server takes, and print it.

It is signed with the first secret of PAM_JWT_SECRET or, in development mode,
with the one that "pam serve" keeps in the data folder.`,
		Example: `  pam token --user alice --ttl 1h
  pam token --user ops --role operator
  PAM_TOKEN=$(pam token --user alice) pam chat https://pam.example`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			token, err := makeToken(user, role, ttl)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), token)
			return err
		},
	}
	cmd.Flags().StringVar(&user, "user", "", "whom the token speaks for (its sub)")
	cmd.Flags().StringVar(&role, "role", "user", "user or operator")
	cmd.Flags().DurationVar(&ttl, "ttl", time.Hour, "how long it lasts")
	return cmd
}

// makeToken signs with the secret that a server with these settings would take.
func makeToken(user, role string, ttl time.Duration) (string, error) {
	roles := map[string]pam.Role{"user": pam.RoleUser, "operator": pam.RoleOperator}
	switch {
	case user == "":
		return "", usageError{errors.New("whom is the token for? For example: pam token --user alice")}
	case roles[role] == 0:
		return "", usageError{fmt.Errorf("--role is user or operator, not %q", role)}
	case ttl <= 0:
		return "", usageError{errors.New("--ttl must be longer than nothing, for example 1h")}
	}
	set, err := settings.Load(os.Environ())
	if err != nil {
		return "", err
	}
	secrets := set.JWTSecretBytes()
	if len(secrets) == 0 {
		if set.JWKSURL != "" {
			return "", &pam.Error{Code: pam.CodeInvalid, Message: "This server takes tokens of PAM_JWKS_URL alone; pam has no key to sign one.", Hint: "Get a token from your own login, or set PAM_JWT_SECRET too."}
		}
		secret, err := identity.ReadDevelopmentSecret(string(set.Data))
		if err != nil {
			return "", err
		}
		secrets = [][]byte{secret}
	}
	verifier, err := identity.New(identity.Options{
		Secrets: secrets, Issuer: string(set.JWTIssuer), Audience: string(set.JWTAudience), Now: time.Now,
	})
	if err != nil {
		return "", err
	}
	token, _, err := verifier.Sign(pam.UserID(user), roles[role], ttl)
	return token, err
}
