package settings_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/pam-assistant/pam/internal/settings"
)

const canary = "canary0123456789canary0123456789canary"

// secretNames are the settings that hold secrets; TestSecretsAreMasked finds
// any other.
func secretNames() []string { return []string{"PAM_JWT_SECRET", "OPENAI_API_KEY", "PAM_TOKEN"} }

func TestCanaries(t *testing.T) {
	t.Parallel()
	for _, name := range secretNames() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// In force.
			s := load(t, name+"="+canary)
			for how, said := range everyWay(t, s) {
				if strings.Contains(said, "canary") {
					t.Errorf("%s shows the secret: %s", how, said)
				}
			}
			for _, line := range s.Describe() {
				if line.Name == name && line.Value != "********" {
					t.Errorf("described as %q", line.Value)
				}
			}
			// Refused, for its own sake or another's, from here or from a file.
			file := write(t, name+"="+canary+" \x01\n"+canary+"\n"+name+"="+canary+"\n"+canary+"=x\n")
			for _, environ := range [][]string{
				{name + "=" + canary, "PAM_SYNC=x"},
				{name + "=" + canary + "\x01," + canary[:20]},
				{name + "=" + canary[:20] + " " + canary[20:30] + "," + canary[:20]},
				{"PAM_CONFIG=" + file, "PAM_SYNC=x"},
				{"PAM_CONFIG=" + canary + "@", name + "=" + canary, "PAM_SYNC=x"},
			} {
				_, err := settings.Load(environ)
				if err == nil {
					t.Fatalf("%q is taken", environ)
				}
				said := fmt.Sprintf("%v %+v %#v %s %q", err, err, err, err, err)
				if strings.Contains(strings.ReplaceAll(said, `PAM_CONFIG: `, ""), canary[:20]) && !strings.HasPrefix(environ[0], "PAM_CONFIG="+canary) {
					t.Errorf("the fault shows the secret: %s", said)
				}
			}
		})
	}
}

// everyWay prints s in every way a program might by mistake.
func everyWay(t *testing.T, s *settings.Settings) map[string]string {
	t.Helper()
	type hidden struct{ inner settings.Settings }
	said := map[string]string{
		"describe": fmt.Sprint(s.Describe()),
		"warnings": fmt.Sprint(s.Warnings),
	}
	values := map[string]any{
		"settings": *s, "pointer": s, "unexported": hidden{*s}, "pointer to unexported": &hidden{*s},
		"key": s.OpenAIKey, "token": s.Token, "secrets": s.JWTSecrets,
		"pointer to key": &s.OpenAIKey, "list": []any{s.Token, s.JWTSecrets}, "map": map[string]any{"k": s.OpenAIKey},
	}
	for name, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p", "%10.3s"} {
			said[name+" "+verb] = fmt.Sprintf(verb, v)
		}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		said[name+" slog"] = log.String()
		v1, err := json.Marshal(v)
		said[name+" json"] = string(v1) + fmt.Sprint(err)
		v2, err := jsonv2.Marshal(v)
		said[name+" json v2"] = string(v2) + fmt.Sprint(err)
		x, err := xml.Marshal(v)
		said[name+" xml"] = string(x) + fmt.Sprint(err)
		var g bytes.Buffer
		err = gob.NewEncoder(&g).Encode(v)
		said[name+" gob"] = g.String() + fmt.Sprint(err)
	}
	return said
}

// TestSecretsAreMasked holds every setting whose name sounds like a secret to
// the list above.
func TestSecretsAreMasked(t *testing.T) {
	t.Parallel()
	for _, line := range load(t).Describe() {
		sounds := strings.Contains(line.Name, "SECRET") || strings.HasSuffix(line.Name, "KEY") || strings.HasSuffix(line.Name, "TOKEN")
		listed := false
		for _, name := range secretNames() {
			listed = listed || name == line.Name
		}
		if sounds != listed {
			t.Errorf("%s: sounds like a secret: %v, listed as one: %v", line.Name, sounds, listed)
		}
	}
}

func TestSecret(t *testing.T) {
	t.Parallel()
	s := settings.NewSecret(canary)
	if s.Reveal() != canary || !s.IsSet() {
		t.Error("the secret is lost")
	}
	if got := fmt.Sprintf("%v|%+v|%#v|%s|%q|%x", s, s, s, s, s, s); got != strings.Repeat("********|", 5)+"********" {
		t.Errorf("printed as %s", got)
	}
	raw, err := json.Marshal(map[string]any{"a": s, "b": settings.Secret{}})
	if err != nil || string(raw) != `{"a":"********","b":""}` {
		t.Errorf("in JSON it is %s, %v", raw, err)
	}
	none := settings.NewSecret("")
	if none.IsSet() || none.Reveal() != "" || fmt.Sprint(none) != "" {
		t.Error("no secret is one")
	}
}
