package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/wire"
)

// TestParseRequestBadFrames holds what counts to three: that which is no JSON
// object with a string `type`, by the strict reading of I-JSON.
func TestParseRequestBadFrames(t *testing.T) {
	t.Parallel()
	for frame, detail := range map[string]string{
		"":                                   "not JSON, at byte 0",
		" ":                                  "not JSON, at byte 1",
		"{":                                  "not JSON, at byte 1",
		"hello":                              "not JSON, at byte 0",
		"\x00":                               "not JSON, at byte 0",
		"\ufeff{\"type\":\"ping\"}":          "not JSON, at byte 0",
		`{"type":"ping"`:                     "not JSON, at byte 14",
		`{"type":"ping"}}`:                   "not JSON, at byte 15",
		`{"type":"ping"} x`:                  "not JSON, at byte 16",
		`{"type":"ping"}{"type":"ping"}`:     "not JSON, at byte 15",
		`{"type":"ping",}`:                   "not JSON, at byte 14",
		`{"type":"ping","x":01}`:             "not JSON, at byte 20",
		`{"type":"ping","x":+1}`:             "not JSON, at byte 19",
		`{"type":"ping","x":.5}`:             "not JSON, at byte 19",
		`{"type":"ping","x":NaN}`:            "not JSON, at byte 19",
		`{"type":"ping","x":nul}`:            "not JSON, at byte 22",
		`{'type':'ping'}`:                    "not JSON, at byte 1",
		`{type:"ping"}`:                      "not JSON, at byte 2",
		`{"type":"ping"} // no`:              "not JSON, at byte 16",
		"{\"type\":\"ping\",\"x\":\"\n\"}":   "not JSON, at byte 20",
		"{\"type\":\"ping\",\"x\":\"\x00\"}": "not JSON, at byte 20",
		"{\"type\":\"ping\",\"x\":\"\xff\"}": "not JSON, at byte 20",
		"{\"type\":\"ping\",\"\xc0\xaf\":1}": "not JSON, at byte 16",
		// a surrogate, by CESU-8
		"{\"type\":\"ping\",\"x\":\"\xed\xa0\x80\"}": "not JSON, at byte 20",
		`{"type":"ping","x":"\ud800"}`:               "not JSON, at byte 20",
		`{"type":"ping","x":"\udc00\ud800"}`:         "not JSON, at byte 20",
		`{"type":"ping","x":"\x41"}`:                 "not JSON, at byte 20",
		`null`:                                       "not a JSON object",
		`true`:                                       "not a JSON object",
		`5`:                                          "not a JSON object",
		`"ping"`:                                     "not a JSON object",
		`[]`:                                         "not a JSON object",
		`[{"type":"ping"}]`:                          "not a JSON object",
		`{}`:                                         "type is not a string",
		`{"TYPE":"ping"}`:                            "type is not a string",
		`{"type":null}`:                              "type is not a string",
		`{"type":5}`:                                 "type is not a string",
		`{"type":["ping"]}`:                          "type is not a string",
		`{"type":{"type":"ping"}}`:                   "type is not a string",
		`{"type":"ping","type":"ping"}`:              "a member appears twice",
		`{"type":"ping","t\u0079pe":"pong"}`:         "a member appears twice",
		`{"type":"ping","x":1,"x":1}`:                "a member appears twice",
		`{"type":"ping","x":{"a":1,"b":2,"a":1}}`: "a member appears twice",
		`{"type":"ping","x":[[{"a":1,"a":1}]]}`:   "a member appears twice",
		`{"type":"chat","context":{"a":1,"a":2}}`: "a member appears twice",
	} {
		request, err := wire.ParseRequest([]byte(frame))
		var e *pam.Error
		var refused *wire.RefusedError
		if !errors.As(err, &e) || errors.As(err, &refused) || e.Code != pam.CodeBadFrame {
			t.Errorf("%q: got %v, %v; want bad_frame", frame, request, err)
			continue
		}
		if e.Detail != detail {
			t.Errorf("%q: detail %q, want %q", frame, e.Detail, detail)
		}
	}
}

// TestParseRequestDepth holds the limit of nesting to the bracket, and that what
// stands in strings does not nest.
func TestParseRequestDepth(t *testing.T) {
	t.Parallel()
	nested := func(open, end string, depth int) string {
		return `{"type":"ping","x":` + strings.Repeat(open, depth-1) + `0` + strings.Repeat(end, depth-1) + `}`
	}
	for _, c := range []struct {
		name, frame string
		ok          bool
	}{
		{"lists, 100", nested(`[`, `]`, 100), true},
		{"lists, 101", nested(`[`, `]`, 101), false},
		{"objects, 100", nested(`{"a":`, `}`, 100), true},
		{"objects, 101", nested(`{"a":`, `}`, 101), false},
		{"in a string", `{"type":"ping","x":"` + strings.Repeat(`[{`, 1_000) + `"}`, true},
		{"in a name", `{"type":"ping","` + strings.Repeat(`[`, 1_000) + `":1}`, true},
		{"after an escaped quote", `{"type":"ping","x":"\"` + strings.Repeat(`[`, 1_000) + `"}`, true},
		{"after an escaped backslash", `{"type":"ping","x":"\\","y":` + strings.Repeat(`[`, 100) + strings.Repeat(`]`, 100) + `}`, false},
		{"after an escaped backslash and quote", `{"type":"ping","x":"\\\"` + strings.Repeat(`[`, 1_000) + `"}`, true},
		{"after a quote by number", `{"type":"ping","x":"\u0022` + strings.Repeat(`[`, 1_000) + `"}`, true},
		{"side by side", `{"type":"ping","x":[` + strings.Repeat(`[],`, 10_000) + `{}]}`, true},
		{"half a MiB of brackets", strings.Repeat(`[`, wire.MaxFrame), false},
	} {
		_, err := wire.ParseRequest([]byte(c.frame))
		if c.ok && err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		var e *pam.Error
		if !c.ok && (!errors.As(err, &e) || e.Code != pam.CodeBadFrame || e.Detail != "nested deeper than 100") {
			t.Errorf("%s: %v, want bad_frame", c.name, err)
		}
	}
}

// TestParseRequestDepthAgrees compares the scan for brackets with the depth that
// a JSON reader sees.
func TestParseRequestDepthAgrees(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		depth := rapid.IntRange(1, 120).Draw(t, "depth")
		text := rapid.SampledFrom([]string{`""`, `"["`, `"]"`, `"\""`, `"\\"`, `"\\\"{"`, `"}"`, `"\u0022["`})
		value := text.Draw(t, "inmost")
		for range depth - 1 {
			if rapid.Bool().Draw(t, "object") {
				value = `{` + text.Draw(t, "name") + `:` + value + `}`
			} else {
				value = `[` + text.Draw(t, "before") + `,` + value + `,[],` + text.Draw(t, "after") + `]`
			}
		}
		frame := []byte(`{"type":"pong","x":` + value + `}`)
		_, err := wire.ParseRequest(frame)
		if got, want := err != nil, deepest(frame) > wire.MaxDepth; got != want {
			t.Fatalf("depth %d: %v", deepest(frame), err)
		}
	})
}

func deepest(frame []byte) int {
	decoder, deep := jsontext.NewDecoder(bytes.NewReader(frame)), 0
	for {
		if _, err := decoder.ReadToken(); err != nil {
			return deep
		}
		deep = max(deep, decoder.StackDepth())
	}
}

// TestParseRequestErrorsSayNothingOfTheSender puts a canary into every place of
// a frame and looks for it in every text of what comes back.
func TestParseRequestErrorsSayNothingOfTheSender(t *testing.T) {
	t.Parallel()
	const canary = "CANARY"
	values := []string{
		`"CANARY"`, `"CANARY/"`, `" CANARY"`, `{"CANARY":1}`, `["CANARY"]`, `[{"id":"CANARY/"}]`, `[{"CANARY":1,"CANARY":2}]`, `{"session_id":"CANARY/"}`,
		`{"CANARY":"CANARY","CANARY":1}`, `CANARY`, `"CANARY`, `"CANARY\ud800"`, "\"CANARY\xff\"", `{"CANARY"}`, `{CANARY:1}`, `[CANARY]`,
	}
	frames := []string{`CANARY`, `"CANARY"`, `["CANARY"]`, `{"CANARY":1}`, `{"type":"CANARY"}`, `{"type":"ping"}CANARY`, `{"type":"ping","CANARY":1,"CANARY":1}`}
	for kind, valid := range validFields() {
		for _, field := range fieldNames() {
			for _, value := range values {
				frames = append(frames, frameOf(kind, valid, field, value))
			}
		}
		for _, value := range values {
			frames = append(frames, strings.TrimSuffix(frameOf(kind, valid, "", ""), "}")+`,"x":`+value+`}`, `{"type":`+value+`}`)
		}
	}
	refusals := 0
	for _, frame := range frames {
		_, err := wire.ParseRequest([]byte(frame))
		if err == nil {
			continue
		}
		refusals++
		var e *pam.Error
		if !errors.As(err, &e) {
			t.Errorf("%q: %T is no *pam.Error", frame, err)
			continue
		}
		said := fmt.Sprintf("%v %+v", err, *e) + string(wire.AppendError(nil, e, wire.About{}))
		for cause := error(e); cause != nil; cause = errors.Unwrap(cause) {
			said += cause.Error()
		}
		if strings.Contains(said, canary) {
			t.Errorf("%q: its refusal quotes it: %s", frame, said)
		}
	}
	if refusals < 500 {
		t.Errorf("only %d frames were refused: the test looks at too little", refusals)
	}
}
