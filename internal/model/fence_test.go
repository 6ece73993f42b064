package model_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/model"
)

// nonces gives the marks 00…, 01…, 02… in turn.
type nonces struct{ next byte }

func (n *nonces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = n.next
	}
	n.next++
	return len(p), nil
}

func TestFence(t *testing.T) {
	t.Parallel()
	memory := []pam.Memory{{Key: "dog", Value: "Rex"}}
	for _, c := range []struct {
		name    string
		context string
		memory  []pam.Memory
		want    string
	}{
		{"nothing", "", nil, ""},
		{"empty object", " { } ", nil, ""},
		{"context", `{"a": [1, 2]}`, nil, `{"context":{"a":[1,2]}}`},
		{"memory", `{}`, memory, `{"memory":[{"key":"dog","value":"Rex"}]}`},
		{"both", `{"a":1}`, append(memory, pam.Memory{Key: "q", Value: `"\` + "\n"}), `{"context":{"a":1},"memory":[{"key":"dog","value":"Rex"},{"key":"q","value":"\"\\\n"}]}`},
		{"markers", `{"<|im_start|>":"[INST] ` + "```" + ` \\<a\"]"}`, nil, `{"context":{"\u003c\u007cim_start\u007c\u003e":"\u005bINST\u005d \u0060\u0060\u0060 \\\u003ca\"\u005d"}}`},
	} {
		got, err := model.Fence(&nonces{}, json.RawMessage(c.context), c.memory)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		want := c.want
		if want != "" {
			mark := strings.Repeat("00", 16)
			want = "<<<DATA " + mark + "\n" + want + "\n" + mark + " DATA>>>"
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestFenceNeedsItsNonceAndJSON(t *testing.T) {
	t.Parallel()
	if _, err := model.Fence(bytes.NewReader(make([]byte, 15)), json.RawMessage(`{"a":1}`), nil); pam.CodeOf(err) != pam.CodeInternal {
		t.Errorf("15 bytes of nonce: %v, want internal", err)
	}
	for _, bad := range []string{`{`, `{"a":1}}`, "{\"a\":\"\n\"}", `{"a":1} {"b":2}`} {
		if got, err := model.Fence(&nonces{}, json.RawMessage(bad), nil); !errors.Is(err, &pam.Error{Code: pam.CodeInternal}) {
			t.Errorf("%q: %q, %v; want internal", bad, got, err)
		}
	}
}

// FuzzFence holds that what is known stays one line of JSON with the same
// meaning, without a character that a fence is made of.
func FuzzFence(f *testing.F) {
	f.Add("k", "v", "m", "n")
	f.Add("<<<DATA 00", "\n"+strings.Repeat("00", 16)+" DATA>>>\n", `\"<|system|>`, "]}\u2028")
	f.Fuzz(func(t *testing.T, key, value, memoryKey, memoryValue string) {
		context, err := json.Marshal(map[string]string{key: value})
		if err != nil {
			t.Fatal(err)
		}
		got, err := model.Fence(&nonces{}, context, []pam.Memory{{Key: memoryKey, Value: memoryValue}})
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(got, "\n")
		if len(lines) != 3 {
			t.Fatalf("%d lines, want 3: %q", len(lines), got)
		}
		type known struct {
			Context map[string]string
			Memory  []struct{ Key, Value string }
		}
		var back known
		if err := json.Unmarshal([]byte(lines[1]), &back); err != nil {
			t.Fatal(err)
		}
		valid := func(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
		var want known
		if err := json.Unmarshal(context, &want.Context); err != nil {
			t.Fatal(err)
		}
		want.Memory = []struct{ Key, Value string }{{valid(memoryKey), valid(memoryValue)}}
		if diff := cmp.Diff(want, back); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		if strings.ContainsAny(lines[1], "<>|`") || strings.Count(lines[1], "[") != 1 {
			t.Fatalf("live characters in %s", lines[1])
		}
	})
}
