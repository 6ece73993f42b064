package settings_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pam-assistant/pam/internal/settings"
)

func TestFile(t *testing.T) {
	t.Parallel()
	path := write(t, "\ufeff# PAM\r\n\r\n  PAM_HEARTBEAT = 10s \r\n"+
		"PAM_DRAIN=\"5s\" # as said\n"+
		"PAM_JWT_ISSUER='https://x.example/#a \"b\"'\n"+
		"PAM_JWT_AUDIENCE=pam # mine\n"+
		"PAM_JWT_SECRET="+goodSecret+"#=x\n"+
		"PAM_MAX_TURNS=\nPAM_SYNC=normal\nPAM_INSTRUCTIONS=  \"  Be brief.  \"")
	s := load(t, "PAM_CONFIG="+path, "PAM_SYNC=full", "PAM_HEARTBEAT=")
	if s.Heartbeat != 10*time.Second || s.Drain != 5*time.Second || s.MaxTurns != 8 ||
		s.JWTIssuer != `https://x.example/#a "b"` || s.JWTAudience != "pam" ||
		s.Instructions.Text != "Be brief." {
		t.Errorf("settings are %+v", s)
	}
	if got := string(s.JWTSecretBytes()[0]); got != goodSecret+"#=x" {
		t.Errorf("the secret is %q", got)
	}
	if s.Sync != settings.SyncFull {
		t.Error("the file wins over the environment")
	}
	sources := map[string]string{}
	for _, line := range s.Describe() {
		sources[line.Name] = line.Source.String()
	}
	for name, want := range map[string]string{
		"PAM_CONFIG": "env", "PAM_SYNC": "env", "PAM_HEARTBEAT": "file", "PAM_MAX_TURNS": "default", "PAM_JWT_SECRET": "file",
	} {
		if sources[name] != want {
			t.Errorf("%s comes from %s, want %s", name, sources[name], want)
		}
	}
}

func TestBadLines(t *testing.T) {
	t.Parallel()
	path := write(t, strings.Join([]string{
		"canary-of-a-secret",
		"PAM_HEARTBET=canary",
		"export PAM_SYNC=full",
		`PAM_DRAIN="30s`,
		"PAM_CONFIG=other",
		"PAM_ADDR=127.0.0.1:1",
		"PAM_ADDR=127.0.0.1:2",
		"canarySecret0123456789==",
		"PATH=canary",
		"PAM_MODEL=\xff",
		"=canary",
		"PAM_MAX_TURNS='1'2",
		"PAM_MAX_CHATS=lots",
		"# the end",
	}, "\n"))
	faults := faultsOf(t, "PAM_CONFIG="+path)
	var got []string
	for _, f := range faults {
		got = append(got, fmt.Sprintf("%d %s", f.Line, f.What))
	}
	want := []string{
		"1 it has no =",
		`2 "PAM_HEARTBET": did you mean PAM_HEARTBEAT?`,
		"3 it begins with export, as a shell has it",
		"4 the quotes around the value of PAM_DRAIN do not match",
		"5 the file cannot name another file",
		"7 PAM_ADDR is already in line 6",
		"8 PAM knows no setting of that name",
		"9 PAM knows no setting of that name",
		"10 it is not text in UTF-8",
		"11 PAM knows no setting of that name",
		"12 the quotes around the value of PAM_MAX_TURNS do not match",
		`13 "lots" is not right`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(faults.Error(), "canary") {
		t.Errorf("a line is quoted: %v", faults)
	}
}

func TestFileThatOthersRead(t *testing.T) {
	t.Parallel()
	path := write(t, "PAM_JWT_SECRET="+goodSecret+"\n")
	if w := load(t, "PAM_CONFIG="+path).Warnings; len(w) > 0 {
		t.Errorf("warnings are %q", w)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if w := load(t, "PAM_CONFIG="+path).Warnings; len(w) != 1 || !strings.Contains(w[0], "chmod 600 "+path) {
		t.Errorf("warnings are %q", w)
	}
	plain := write(t, "PAM_SYNC=full\n")
	if err := os.Chmod(plain, 0o644); err != nil {
		t.Fatal(err)
	}
	if w := load(t, "PAM_CONFIG="+plain).Warnings; len(w) > 0 {
		t.Errorf("warnings are %q", w)
	}
}

func TestFileTooLarge(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "big")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(1 << 40); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if faults := faultsOf(t, "PAM_CONFIG="+path); len(faults) != 1 || faults[0].Name != "PAM_CONFIG" {
		t.Errorf("faults are %v", faults)
	}
}

func TestLoadClient(t *testing.T) {
	t.Parallel()
	s, err := settings.LoadClient([]string{
		"PAM_URL=https://pam.example/", "PAM_ADDR=0.0.0.0:8080",
		"PAM_HEARTBEAT=wrong", "PAM_MODEL=openai/x", "PAM_TOKEN=a.b.c",
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.ServerURL() != "https://pam.example" || s.Token.Reveal() != "a.b.c" {
		t.Errorf("settings are %+v", s)
	}
	if _, err := settings.LoadClient([]string{"PAM_URL=pam.example"}); err == nil {
		t.Error("a wrong PAM_URL is taken")
	}
	for addr, want := range map[string]string{
		":9": "http://127.0.0.1:9", "0.0.0.0:9": "http://127.0.0.1:9", "[::]:9": "http://127.0.0.1:9",
		"[::1]:9": "http://[::1]:9", "pam.example:9": "http://pam.example:9",
	} {
		s, err := settings.LoadClient([]string{"PAM_ADDR=" + addr})
		if err != nil || s.ServerURL() != want {
			t.Errorf("%s: %v, %v", addr, s.ServerURL(), err)
		}
	}
}

func FuzzFile(f *testing.F) {
	f.Add("PAM_SYNC=full\nPAM_JWT_SECRET='" + goodSecret + "'\n# x\nnonsense\nPAM_X=\"")
	f.Add("PAM_ADDR=[::1]:0\nPAM_ALLOWED_ORIGINS=https://[::1]:1,*\nPAM_TRUSTED_PROXIES=::/0")
	f.Add("PAM_OUTBOX=1MiB\nPAM_URL=ws://h/\nPAM_INSTRUCTIONS=@/dev/zero\nPAM_MODEL=openai/x")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := settings.Load([]string{"PAM_CONFIG=" + write(t, text)})
		if (s == nil) == (err == nil) {
			t.Fatalf("both or none: %v, %v", s, err)
		}
		if s != nil {
			s.Describe()
		}
	})
}
