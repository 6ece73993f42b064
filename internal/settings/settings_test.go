package settings_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/pam-assistant/pam/internal/settings"
)

const goodSecret = "0123456789abcdef0123456789abcdef"

func load(t testing.TB, environ ...string) *settings.Settings {
	t.Helper()
	s, err := settings.Load(environ)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func faultsOf(t testing.TB, environ ...string) settings.Faults {
	t.Helper()
	s, err := settings.Load(environ)
	if err == nil {
		return nil
	}
	var faults settings.Faults
	if !errors.As(err, &faults) || s != nil {
		t.Fatalf("Load returned %v and %v", s, err)
	}
	for _, f := range faults {
		if f.What == "" || f.Name == "" {
			t.Errorf("fault %+v does not say what is wrong", f)
		}
	}
	return faults
}

// write makes a file and returns its path.
func write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pam.env")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	s := load(t)
	if s.Addr != "127.0.0.1:8080" || s.Data != "./pam-data" || s.Heartbeat != 25*time.Second ||
		s.Drain != 30*time.Second || s.Sync != settings.SyncFull || s.Outbox != 256<<10 ||
		s.MaxConnections != 64 || s.MaxHandshakes != 100 || s.MaxFrames != 50 ||
		s.MaxSubscriptions != 1000 || s.MaxChats != 60 || s.MaxTurns != 8 ||
		s.MaxAnswer != 256<<10 || s.Model != settings.ModelBuiltin || s.ModelContext != 32768 {
		t.Errorf("defaults are %+v", s)
	}
	if !s.Development() || len(s.Warnings) > 0 {
		t.Errorf("development %v, warnings %q", s.Development(), s.Warnings)
	}
	if got := s.ServerURL(); got != "http://127.0.0.1:8080" {
		t.Errorf("server URL is %q", got)
	}
}

func TestEveryNameIsThere(t *testing.T) {
	t.Parallel()
	want := strings.Fields(`PAM_ADDR PAM_DATA PAM_CONFIG PAM_JWT_SECRET PAM_JWKS_URL PAM_JWT_ISSUER
		PAM_JWT_AUDIENCE PAM_ALLOWED_ORIGINS PAM_TRUSTED_PROXIES PAM_HEARTBEAT PAM_DRAIN PAM_SYNC
		PAM_OUTBOX PAM_MAX_CONNECTIONS PAM_MAX_HANDSHAKES PAM_MAX_FRAMES PAM_MAX_SUBSCRIPTIONS
		PAM_MAX_CHATS PAM_MAX_TURNS PAM_MAX_TOTAL PAM_MAX_ANSWER PAM_MODEL PAM_MODEL_CONTEXT
		PAM_INSTRUCTIONS OPENAI_API_KEY PAM_OPENAI_BASE_URL PAM_LOG_LEVEL PAM_URL PAM_TOKEN`)
	var got []string
	for _, line := range load(t).Describe() {
		got = append(got, line.Name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestGoodValues(t *testing.T) {
	t.Parallel()
	text := filepath.Join(t.TempDir(), "i.md")
	if err := os.WriteFile(text, []byte("\ufeffBe brief.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ set, name, want string }{
		{"PAM_ADDR=:8080", "PAM_ADDR", ":8080"},
		{"PAM_ADDR=[::1]:0", "PAM_ADDR", "[::1]:0"},
		{"PAM_ADDR= localhost:80 ", "PAM_ADDR", "localhost:80"},
		{"PAM_DATA=/srv/pam/", "PAM_DATA", "/srv/pam"},
		{"PAM_DATA=/", "PAM_DATA", "/"},
		{"PAM_JWKS_URL=https://x.example/jwks/", "PAM_JWKS_URL", "https://x.example/jwks"},
		{"PAM_JWKS_URL=https://x.example/?p=policy", "PAM_JWKS_URL", "https://x.example/?p=policy"},
		{"PAM_JWT_ISSUER=https://x.example/", "PAM_JWT_ISSUER", "https://x.example/"},
		{"PAM_ALLOWED_ORIGINS=https://a.example/, http://[::1]:5173 ,,capacitor://localhost", "PAM_ALLOWED_ORIGINS", "https://a.example,http://[::1]:5173,capacitor://localhost"},
		{"PAM_TRUSTED_PROXIES=10.1.2.3/8, ::1 ,192.0.2.7", "PAM_TRUSTED_PROXIES", "10.0.0.0/8,::1/128,192.0.2.7/32"},
		{"PAM_HEARTBEAT=1m30s", "PAM_HEARTBEAT", "1m30s"},
		{"PAM_HEARTBEAT=", "PAM_HEARTBEAT", "25s"},
		{"PAM_HEARTBEAT= \t\n", "PAM_HEARTBEAT", "25s"},
		{"PAM_DRAIN=0s", "PAM_DRAIN", "0s"},
		{"PAM_SYNC=normal", "PAM_SYNC", "normal"},
		{"PAM_OUTBOX=1MiB", "PAM_OUTBOX", "1MiB"},
		{"PAM_OUTBOX=65537", "PAM_OUTBOX", "65537"},
		{"PAM_OUTBOX=64 KiB", "PAM_OUTBOX", "64KiB"},
		{"PAM_MAX_TURNS=0", "PAM_MAX_TURNS", "0"},
		{"PAM_MAX_TOTAL=0", "PAM_MAX_TOTAL", "0"},
		{"PAM_MODEL=script", "PAM_MODEL", "script"},
		{"PAM_INSTRUCTIONS=Be brief. Ünd nett.", "PAM_INSTRUCTIONS", "Be brief. Ünd nett."},
		{"PAM_INSTRUCTIONS=@" + text, "PAM_INSTRUCTIONS", "@" + text},
		{"PAM_OPENAI_BASE_URL=http://127.0.0.1:11434/v1//", "PAM_OPENAI_BASE_URL", "http://127.0.0.1:11434/v1"},
		{"PAM_LOG_LEVEL=WARN", "PAM_LOG_LEVEL", "warn"},
		{"PAM_URL=wss://pam.example/", "PAM_URL", "wss://pam.example"},
		{"PAM_TOKEN=a.b.c", "PAM_TOKEN", "********"},
		{"PAM_JWT_SECRET=" + goodSecret + ", ," + goodSecret, "PAM_JWT_SECRET", "********,********"},
	} {
		s := load(t, "PAM_JWT_SECRET="+goodSecret, c.set)
		if strings.HasPrefix(c.set, "PAM_JWT_SECRET") {
			s = load(t, c.set)
		}
		for _, line := range s.Describe() {
			if line.Name == c.name && line.Value != c.want {
				t.Errorf("%s: %q, want %q", c.set, line.Value, c.want)
			}
		}
	}
	if got := load(t, "PAM_INSTRUCTIONS=@"+text).Instructions.Text; got != "Be brief." {
		t.Errorf("instructions are %q", got)
	}
}

func TestWrongValues(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 64<<10+1)
	dir := t.TempDir()
	wrong := map[string][]string{
		"PAM_ADDR":              {"8080", "localhost", "http://localhost:8080", "127.0.0.1:99999", "127.0.0.1:http", "::1:80", "a b:80", "127.0.0.1:-1", "127.0.0.1:"},
		"PAM_DATA":              {"a\x00b"},
		"PAM_CONFIG":            {filepath.Join(dir, "missing"), dir},
		"PAM_JWT_SECRET":        {"short", goodSecret + ",short", ",", goodSecret[1:], "canary\nsecret-0123456789-0123456789-0123456789"},
		"PAM_JWKS_URL":          {"jwks.json", "ftp://x/", "https://", "https://u:p@x.example/", "https://x:99999/", "https://x/#a", "https://x:0/"},
		"PAM_JWT_ISSUER":        {"a\nb", "\xff", strings.Repeat("x", 1025)},
		"PAM_JWT_AUDIENCE":      {"a\x00b"},
		"PAM_ALLOWED_ORIGINS":   {"*", "null", "app.example", "https://a.example/path", "https://a.example,b", "https://*.example", "https://u@a.example", ",", "https://a:b"},
		"PAM_TRUSTED_PROXIES":   {"10.0.0.0/33", "proxy", "10.0.0.0/8;::1", ",", "fe80::1%eth0", "::ffff:10.0.0.0/104"},
		"PAM_HEARTBEAT":         {"25", "fast", "0s", "-25s", "500ms", "2h", "25 s", "1e9h"},
		"PAM_DRAIN":             {"30", "-1s", "2h"},
		"PAM_SYNC":              {"off", "FULL", "1"},
		"PAM_OUTBOX":            {"256", "256KB", "256kib", "1GiB", "-1KiB", "0", "1.5MiB", "KiB", "99999999999999999999MiB", "2147483647MiB"},
		"PAM_MAX_CONNECTIONS":   {"many", "-1", "1,000", "1e3", "0x10", "99999999999"},
		"PAM_MAX_HANDSHAKES":    {"-1"},
		"PAM_MAX_FRAMES":        {"-1"},
		"PAM_MAX_SUBSCRIPTIONS": {"-1"},
		"PAM_MAX_CHATS":         {"-1", "60/min"},
		"PAM_MAX_TURNS":         {"-1", "8.0"},
		"PAM_MAX_TOTAL":         {"-1", "unlimited", "10000001"},
		"PAM_MAX_ANSWER":        {"0", "1B", "17MiB"},
		"PAM_MODEL":             {"gpt-4o", "openai", "openai/", "openai/a b", "Builtin", "anthropic/x"},
		"PAM_MODEL_CONTEXT":     {"128k", "0", "-1", "1023"},
		"PAM_INSTRUCTIONS":      {"@" + filepath.Join(dir, "missing"), "@" + dir, "a\x00b", "\xff", long},
		"OPENAI_API_KEY":        {"two words", "line\nbreak", "ключ"},
		"PAM_OPENAI_BASE_URL":   {"localhost:11434", "http://x/v1?key=canary", "http://u:canary@x/"},
		"PAM_LOG_LEVEL":         {"loud", "5x"},
		"PAM_URL":               {"127.0.0.1:8080", "ws://x/?token=canary", "unix:///run/pam"},
		"PAM_TOKEN":             {"Bearer a.b.c"},
	}
	for _, line := range load(t).Describe() {
		if len(wrong[line.Name]) == 0 {
			t.Errorf("%s has no wrong value in this table", line.Name)
		}
		for _, value := range wrong[line.Name] {
			environ := []string{line.Name + "=" + value}
			if line.Name != "PAM_JWT_SECRET" {
				environ = append(environ, "PAM_JWT_SECRET="+goodSecret)
			}
			faults := faultsOf(t, environ...)
			if len(faults) != 1 || faults[0].Name != line.Name {
				t.Errorf("%s=%q: faults are %v", line.Name, value, faults)
				continue
			}
			f := faults[0]
			if f.Want == "" || f.Type == "" {
				t.Errorf("%s=%q: the fault does not say what to do: %v", line.Name, value, f)
			}
			if said := faults.Error(); strings.Contains(said, "canary") || len(said) > 600 ||
				!utf8.ValidString(said) || strings.ContainsAny(strings.ReplaceAll(said, "\n  ", ""), "\x00\n") {
				t.Errorf("%s=%q: said %q", line.Name, value, said)
			}
		}
	}
}

// TestTagsAreSound reads what no run would notice: a bound that does not parse
// is 0.
func TestTagsAreSound(t *testing.T) {
	t.Parallel()
	typ := reflect.TypeFor[settings.Settings]()
	for f := range typ.Fields() {
		name := f.Tag.Get("env")
		if name == "" {
			continue
		}
		if f.Tag.Get("want") == "" || f.Tag.Get("eg") == "" {
			t.Errorf("%s has no want or no eg", name)
		}
		for _, bound := range []string{f.Tag.Get("min"), f.Tag.Get("max"), f.Tag.Get("envDefault")} {
			if bound != "" && f.Tag.Get("min") != "" {
				if faults := faultsOf(t, name+"="+bound); faults != nil {
					t.Errorf("%s=%s: %v", name, bound, faults)
				}
			}
		}
	}
}

func TestSeveralFaultsAtOnce(t *testing.T) {
	t.Parallel()
	path := write(t, "PAM_DRAIN=soon\nnonsense\n")
	faults := faultsOf(t, "PAM_CONFIG="+path, "PAM_HEARTBEAT=25", "PAM_SYNC=off", "PAM_MAX_TURNS=-1",
		"PAM_JWT_SECRET=short", "PAM_MODEL=openai/gpt-4o", "PAM_ADDR=0.0.0.0:80")
	var names []string
	for _, f := range faults {
		names = append(names, f.Name)
	}
	want := []string{path, "PAM_JWT_SECRET", "PAM_HEARTBEAT", "PAM_DRAIN", "PAM_SYNC", "PAM_MAX_TURNS", "OPENAI_API_KEY"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	if said := faults.Error(); strings.Count(said, "\n") != len(want) || !strings.HasPrefix(said, "7 settings are wrong:\n") {
		t.Errorf("said %s", said)
	}
	one := faultsOf(t, "PAM_HEARTBEAT=25").Error()
	if want := "1 setting is wrong:\n  PAM_HEARTBEAT: \"25\" is not right; it should be a duration of 1s to 1h; type: PAM_HEARTBEAT=25s"; one != want {
		t.Errorf("said %q\nwant %q", one, want)
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	secret := "PAM_JWT_SECRET=" + goodSecret
	for name, c := range map[string]struct {
		environ []string
		fault   string // empty: none
		says    string
	}{
		"all addresses, no secret":      {[]string{"PAM_ADDR=:8080"}, "PAM_ADDR", "PAM_JWT_SECRET=$(openssl rand -hex 32)"},
		"IPv4 any, no secret":           {[]string{"PAM_ADDR=0.0.0.0:8080"}, "PAM_ADDR", "PAM_JWKS_URL"},
		"a name, no secret":             {[]string{"PAM_ADDR=pam.example:8080"}, "PAM_ADDR", ""},
		"localhost as a subdomain":      {[]string{"PAM_ADDR=localhost.example:8080"}, "PAM_ADDR", ""},
		"loopback, no secret":           {[]string{"PAM_ADDR=127.9.9.9:1"}, "", ""},
		"mapped loopback, no secret":    {[]string{"PAM_ADDR=[::ffff:127.0.0.1]:1"}, "", ""},
		"all addresses, a secret":       {[]string{"PAM_ADDR=:8080", secret}, "", ""},
		"all addresses, a JWKS URL":     {[]string{"PAM_ADDR=:8080", "PAM_JWKS_URL=https://x.example/"}, "", ""},
		"proxies, no secret":            {[]string{"PAM_TRUSTED_PROXIES=127.0.0.1"}, "PAM_TRUSTED_PROXIES", "unset"},
		"proxies, a secret":             {[]string{"PAM_TRUSTED_PROXIES=127.0.0.1", secret}, "", ""},
		"an issuer, no secret":          {[]string{"PAM_JWT_ISSUER=x"}, "PAM_JWT_ISSUER", "PAM_JWKS_URL"},
		"an audience, no secret":        {[]string{"PAM_JWT_AUDIENCE=x"}, "PAM_JWT_AUDIENCE", "PAM_JWKS_URL"},
		"openai, no key":                {[]string{"PAM_MODEL=openai/gpt-4o"}, "OPENAI_API_KEY", "OPENAI_API_KEY=sk-…"},
		"openai, an empty key":          {[]string{"PAM_MODEL=openai/gpt-4o", "OPENAI_API_KEY= "}, "OPENAI_API_KEY", ""},
		"openai, OpenAI's URL, no key":  {[]string{"PAM_MODEL=openai/x", "PAM_OPENAI_BASE_URL=https://eu.api.openai.com/v1"}, "OPENAI_API_KEY", ""},
		"openai, another's URL, no key": {[]string{"PAM_MODEL=openai/llama3", "PAM_OPENAI_BASE_URL=http://127.0.0.1:11434/v1"}, "", ""},
		"openai, a lookalike's URL":     {[]string{"PAM_MODEL=openai/llama3", "PAM_OPENAI_BASE_URL=http://notopenai.com/v1"}, "", ""},
		"openai, a key":                 {[]string{"PAM_MODEL=openai/gpt-4o", "OPENAI_API_KEY=sk-1"}, "", ""},
		"a key alone":                   {[]string{"OPENAI_API_KEY=sk-1"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faults := faultsOf(t, c.environ...)
			switch {
			case c.fault == "" && faults == nil:
			case len(faults) != 1 || faults[0].Name != c.fault:
				t.Errorf("faults are %v", faults)
			case !strings.Contains(faults[0].String(), c.says) || faults[0].Type == "":
				t.Errorf("says %v", faults[0])
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	secret := "PAM_JWT_SECRET=" + goodSecret
	for name, c := range map[string]struct {
		environ []string
		want    string // empty: no warning
	}{
		"a slip":                 {[]string{"PAM_HEARTBET=25s"}, "PAM_HEARTBET: did you mean PAM_HEARTBEAT?"},
		"two letters swapped":    {[]string{"PAM_ADRD=:1"}, "PAM_ADRD: did you mean PAM_ADDR?"},
		"lower case":             {[]string{"pam_addr=:1"}, "pam_addr: did you mean PAM_ADDR?"},
		"nothing near":           {[]string{"PAM_FROBNICATION=canary"}, "PAM_FROBNICATION: PAM knows no setting of that name; pam config lists all"},
		"a port":                 {[]string{"PAM_PORT=8080"}, "PAM_PORT: did you mean PAM_ADDR?"},
		"Kubernetes":             {[]string{"PAM_PORT=tcp://10.0.0.1:80", "PAM_SERVICE_HOST=10.0.0.1", "PAM_PORT_80_TCP_PORT=80"}, ""},
		"a key under our name":   {[]string{"PAM_OPENAI_API_KEY=canary"}, "PAM_OPENAI_API_KEY: did you mean OPENAI_API_KEY?"},
		"the SDK's own name":     {[]string{"PAM_MODEL=openai/x", "OPENAI_API_KEY=k", "OPENAI_BASE_URL=http://x"}, "OPENAI_BASE_URL: PAM does not use it; did you mean PAM_OPENAI_BASE_URL?"},
		"keys over http":         {[]string{"PAM_JWKS_URL=http://x.example/"}, "PAM_JWKS_URL: over http anyone on the way can put keys of his own into it; use https"},
		"keys over http at home": {[]string{"PAM_JWKS_URL=http://127.0.0.1:9/"}, ""},
		"everyone a proxy":       {[]string{"PAM_TRUSTED_PROXIES=0.0.0.0/0", secret}, "PAM_TRUSTED_PROXIES: 0.0.0.0/0 trusts everyone to say where a request comes from; name the proxies"},
		"an odd time zone":       {[]string{"TZ=Mars/Olympus\x1b"}, `TZ: "Mars/Olympus\x1b" is no time zone that is known here; the log's times are UTC`},
		"a path for a time zone": {[]string{"TZ=../../etc/passwd"}, `TZ: "../../etc/passwd" is no time zone that is known here; the log's times are UTC`},
		"a missing zone file":    {[]string{"TZ=:/no/such"}, `TZ: ":/no/such" is no time zone that is known here; the log's times are UTC`},
		"no time zone":           {[]string{"TZ="}, ""},
		"UTC":                    {[]string{"TZ=UTC"}, ""},
		"others' names":          {[]string{"PATH=/bin", "SPAM_X=1", "=", "", "=C:=C:\\x", "PAM_ADDR", "PAMX=1"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := strings.Join(load(t, c.environ...).Warnings, "\n")
			if got != c.want {
				t.Errorf("warnings are %q, want %q", got, c.want)
			}
		})
	}
}
