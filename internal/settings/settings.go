// Package settings reads what PAM is told by its environment, and by a file
// under it, into one typed struct.
//
// It owns the names, the defaults and the rules between them. It promises that
// all faults are reported at once, each with its name, what is wrong with it,
// what it should be and what to type, and that no secret is ever part of what
// it says: not in a fault, a warning, [Settings.Describe], a log or a printed
// struct. It never changes the environment and keeps nothing between calls.
package settings

import (
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"
)

// Settings is everything that can be set. The tags are the one place for a
// setting's name, default and bounds: `want` and `eg` are what a fault says
// should be there and what to type, `min` and `max` are inclusive.
//
// Of the limits, 0 is no limit, except where `min` says otherwise.
type Settings struct {
	// Addr is where the server listens, host:port. No host is every address.
	Addr Address `env:"PAM_ADDR" envDefault:"127.0.0.1:8080" want:"host:port, the port a number of 0 to 65535" eg:"127.0.0.1:8080"`
	// Data is the folder that holds the journal and the development secret.
	Data Path `env:"PAM_DATA" envDefault:"./pam-data" want:"a folder" eg:"./pam-data"`
	// Config is the file under the environment; it cannot name itself.
	Config Path `env:"PAM_CONFIG" want:"a file of NAME=value lines" eg:"./pam.env"`

	// JWTSecrets verify HS256 tokens; the first one signs.
	JWTSecrets Secrets `env:"PAM_JWT_SECRET" want:"one or more secrets of at least 32 bytes, separated by commas" eg:"$(openssl rand -hex 32)"`
	// JWKSURL is where the public keys of RS, ES and EdDSA tokens are.
	JWKSURL HTTPURL `env:"PAM_JWKS_URL" want:"an http or https URL without a user and a password" eg:"https://issuer.example/.well-known/jwks.json"`
	// JWTIssuer is what a token's `iss` must be; empty: anything.
	JWTIssuer Claim `env:"PAM_JWT_ISSUER" want:"the tokens' iss" eg:"https://issuer.example"`
	// JWTAudience is what a token's `aud` must hold; empty: anything.
	JWTAudience Claim `env:"PAM_JWT_AUDIENCE" want:"the tokens' aud" eg:"pam"`
	// AllowedOrigins are pages of other origins that may talk to PAM.
	AllowedOrigins Origins `env:"PAM_ALLOWED_ORIGINS" want:"origins scheme://host[:port], separated by commas" eg:"https://app.example"`
	// TrustedProxies are the networks whose X-Forwarded-* are believed.
	TrustedProxies Prefixes `env:"PAM_TRUSTED_PROXIES" want:"networks in CIDR notation, separated by commas" eg:"10.0.0.0/8"`

	// Heartbeat is the time between two pings of the server.
	Heartbeat time.Duration `env:"PAM_HEARTBEAT" envDefault:"25s" min:"1s" max:"1h" want:"a duration of 1s to 1h" eg:"25s"`
	// Drain is how long a shutdown waits for running answers.
	Drain time.Duration `env:"PAM_DRAIN" envDefault:"30s" min:"0s" max:"1h" want:"a duration of 0s to 1h" eg:"30s"`
	// Sync says how a commit reaches the disk.
	Sync Sync `env:"PAM_SYNC" envDefault:"full" want:"full or normal" eg:"full"`
	// Outbox is how much may wait for a connection that does not read.
	Outbox Size `env:"PAM_OUTBOX" envDefault:"256KiB" min:"16KiB" max:"64MiB" want:"a size of 16KiB to 64MiB" eg:"256KiB"`

	// MaxConnections is per user.
	MaxConnections int `env:"PAM_MAX_CONNECTIONS" envDefault:"64" min:"0" max:"1000000" want:"a number of 0 (no limit) to 1000000" eg:"64"`
	// MaxHandshakes is per address and second.
	MaxHandshakes int `env:"PAM_MAX_HANDSHAKES" envDefault:"100" min:"0" max:"1000000" want:"a number of 0 (no limit) to 1000000" eg:"100"`
	// MaxFrames is per connection and second.
	MaxFrames int `env:"PAM_MAX_FRAMES" envDefault:"50" min:"0" max:"1000000" want:"a number of 0 (no limit) to 1000000" eg:"50"`
	// MaxSubscriptions is per connection.
	MaxSubscriptions int `env:"PAM_MAX_SUBSCRIPTIONS" envDefault:"1000" min:"0" max:"1000000" want:"a number of 0 (no limit) to 1000000" eg:"1000"`
	// MaxChats is per user and minute.
	MaxChats int `env:"PAM_MAX_CHATS" envDefault:"60" min:"0" max:"1000000" want:"a number of 0 (no limit) to 1000000" eg:"60"`
	// MaxTurns is how many turns of one user run at a time.
	MaxTurns int `env:"PAM_MAX_TURNS" envDefault:"8" min:"0" max:"1000000" want:"a number of 0 (no limit) to 1000000" eg:"8"`
	// MaxTotal is how many connections there may be at all. Where it is not
	// set it is the limit of descriptors less 256.
	MaxTotal int `env:"PAM_MAX_TOTAL" min:"0" max:"10000000" want:"a number of 0 (no limit) to 10000000" eg:"10000"`
	// MaxAnswer is the greatest text of an answer.
	MaxAnswer Size `env:"PAM_MAX_ANSWER" envDefault:"256KiB" min:"1KiB" max:"16MiB" want:"a size of 1KiB to 16MiB" eg:"256KiB"`

	// Model is who answers.
	Model Model `env:"PAM_MODEL" envDefault:"builtin" want:"builtin, script or openai/NAME" eg:"builtin"`
	// ModelContext is what is sent to the model at most, in tokens.
	ModelContext int `env:"PAM_MODEL_CONTEXT" envDefault:"32768" min:"1024" max:"10000000" want:"a number of tokens, 1024 to 10000000" eg:"32768"`
	// Instructions are the assistant's own system prompt: the text, also where
	// the setting names a file.
	Instructions Instructions `env:"PAM_INSTRUCTIONS" want:"a text, or @ and a file of text, at most 64KiB of UTF-8" eg:"@./instructions.md"`
	// OpenAIKey is for openai models.
	OpenAIKey Secret `env:"OPENAI_API_KEY" want:"a key of printable characters" eg:"sk-…"`
	// OpenAIBaseURL is a compatible endpoint; empty: OpenAI's.
	OpenAIBaseURL BaseURL `env:"PAM_OPENAI_BASE_URL" want:"an http or https URL without a user, a password and a query" eg:"http://127.0.0.1:11434/v1"`
	// LogLevel is the least level that is logged.
	LogLevel slog.Level `env:"PAM_LOG_LEVEL" envDefault:"info" want:"debug, info, warn or error" eg:"info"`

	// URL is where clients find the server; empty: at Addr.
	URL ServerURL `env:"PAM_URL" want:"an http, https, ws or wss URL without a user, a password and a query" eg:"http://127.0.0.1:8080"`
	// Token is what clients show.
	Token Secret `env:"PAM_TOKEN" want:"a token (its place is here, not in PAM_URL)" eg:"$(pam token --user NAME --ttl 1h)"`

	// Warnings are for the log at start: what is odd, and yet no fault.
	Warnings []string

	sources map[string]Source
}

// Development reports whether PAM runs in development mode: nobody has said
// how tokens are verified.
func (s *Settings) Development() bool { return len(s.JWTSecrets) == 0 && s.JWKSURL == "" }

// JWTSecretBytes returns the shared secrets as identity.Options wants them.
func (s *Settings) JWTSecretBytes() [][]byte {
	all := make([][]byte, len(s.JWTSecrets))
	for i, secret := range s.JWTSecrets {
		all[i] = []byte(secret.Reveal())
	}
	return all
}

// ServerURL returns the URL at which a client finds the server: PAM_URL, else
// PAM_ADDR with the loopback address in place of "every address".
func (s *Settings) ServerURL() string {
	if s.URL != "" {
		return string(s.URL)
	}
	host, port, _ := net.SplitHostPort(string(s.Addr))
	if addr, err := netip.ParseAddr(host); host == "" || err == nil && addr.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// Address is host:port.
type Address string

// Loopback reports whether only this machine can reach the address.
func (a Address) Loopback() bool {
	host, _, err := net.SplitHostPort(string(a))
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
