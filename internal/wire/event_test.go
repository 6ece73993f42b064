package wire_test

import (
	"bytes"
	stdjson "encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/wire"
)

// TestEventRoundTrip holds that what is written is read again as it was, up to
// what a frame mends: text that is not UTF-8, times below a millisecond.
func TestEventRoundTrip(t *testing.T) {
	t.Parallel()
	for _, kind := range pam.Kinds() {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) { roundTrip(t, drawEvent(t, kind)) })
		})
	}
}

func roundTrip(t *rapid.T, e *pam.Event) {
	frame := wire.AppendEvent(nil, e)
	if !jsontext.Value(frame).IsValid() {
		t.Fatalf("not strict JSON: %q", frame)
	}
	if bytes.ContainsAny(frame, "\n\r") {
		t.Fatalf("more than one line: %q", frame)
	}
	if prefix := `{"type":"` + e.Body.Kind().String() + `",`; !bytes.HasPrefix(frame, []byte(prefix)) {
		t.Fatalf("type is not first: %q", frame)
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(frame, &members); err != nil {
		t.Fatal(err)
	}
	if _, there := members["from"]; there != (e.From != e.Seq) {
		t.Fatalf("from of %d..%d: %q", e.From, e.Seq, frame)
	}
	if _, there := members["turn_id"]; there != (e.Turn != "") {
		t.Fatalf("turn_id of %q: %q", e.Turn, frame)
	}
	got, err := wire.DecodeEvent(e.Key.User, frame)
	if err != nil {
		t.Fatalf("%q: %v", frame, err)
	}
	if diff := cmp.Diff(mendEvent(*e), got); diff != "" {
		t.Fatalf("%q: %s", frame, diff)
	}
	codec := wire.EventCodec{}
	if again := codec.Encode(&got); !bytes.Equal(again, frame) {
		t.Fatalf("%q is encoded again as %q", frame, again)
	}
	if got, err = codec.Decode(e.Key.User, frame); err != nil || !cmp.Equal(got, mendEvent(*e)) {
		t.Fatalf("%q is decoded by the codec as %v, %v", frame, got, err)
	}
}

// drawEvent makes an event of a kind, as hostile as its types allow.
func drawEvent(t *rapid.T, kind pam.Kind) *pam.Event {
	text := hostile()
	e := &pam.Event{
		Key:  pam.Key{User: "u", Conversation: pam.ConversationID(text.Draw(t, "conversation"))},
		Seq:  rapid.Int64Min(1).Draw(t, "seq"),
		Turn: pam.TurnID(text.Draw(t, "turn")),
		At:   time.Unix(rapid.Int64Range(-62_135_596_800, 253_402_300_799).Draw(t, "at"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")),
	}
	e.From = rapid.OneOf(rapid.Just(e.Seq), rapid.Int64Range(1, e.Seq)).Draw(t, "from")
	switch kind {
	case pam.KindUserMessage:
		e.Body = pam.UserMessage{ID: pam.ChatID(text.Draw(t, "id")), Message: text.Draw(t, "message"), Session: pam.SessionID(text.Draw(t, "session"))}
	case pam.KindStart:
		e.Body = pam.Start{
			MessageID: pam.MessageID(text.Draw(t, "message id")), Model: text.Draw(t, "model"),
			Attempt: rapid.Int().Draw(t, "attempt"), OmittedTurns: rapid.Int().Draw(t, "omitted"),
		}
	case pam.KindDelta:
		e.Body = pam.Delta{Content: text.Draw(t, "content")}
	case pam.KindToolCall:
		e.Body = pam.ToolCall{CallID: pam.CallID(text.Draw(t, "call")), Name: text.Draw(t, "name"), Arguments: drawArguments(t)}
	case pam.KindToolCallUpdate:
		e.Body = pam.ToolCallUpdate{CallID: pam.CallID(text.Draw(t, "call")), Status: drawCallStatus(t), Result: text.Draw(t, "result")}
	case pam.KindReset:
		e.Body = pam.Reset{Parts: drawParts(t), Reason: text.Draw(t, "reason")}
	case pam.KindComplete:
		e.Body = drawComplete(t)
	case pam.KindUpdated:
		e.Body = pam.ConversationUpdated{Title: text.Draw(t, "title")}
	default:
		t.Fatalf("no event of kind %v", kind)
	}
	return e
}

func drawComplete(t *rapid.T) pam.Complete {
	c := pam.Complete{
		Status:         rapid.SampledFrom([]pam.TurnStatus{pam.TurnCompleted, pam.TurnCancelled, pam.TurnFailed, pam.TurnInterrupted}).Draw(t, "status"),
		Parts:          drawParts(t),
		Usage:          pam.Usage{InputTokens: rapid.Int64().Draw(t, "in"), OutputTokens: rapid.Int64().Draw(t, "out")},
		ProcessingTime: time.Duration(rapid.Int64().Draw(t, "time")),
	}
	if rapid.Bool().Draw(t, "failed") {
		c.Error = &pam.Failure{
			Code:    rapid.SampledFrom(pam.Codes()).Draw(t, "code"),
			Message: hostile().Draw(t, "message"), Hint: hostile().Draw(t, "hint"),
		}
	}
	return c
}

func drawParts(t *rapid.T) []pam.Part {
	var parts []pam.Part
	for range rapid.IntRange(0, 4).Draw(t, "parts") {
		if rapid.Bool().Draw(t, "text") {
			parts = append(parts, pam.Part{Text: hostile().Draw(t, "part")})
			continue
		}
		parts = append(parts, pam.Part{Call: &pam.Call{
			ID: pam.CallID(hostile().Draw(t, "call")), Name: hostile().Draw(t, "name"), Arguments: drawArguments(t),
			Status: drawCallStatus(t), Result: hostile().Draw(t, "result"),
		}})
	}
	return parts
}

func drawCallStatus(t *rapid.T) pam.CallStatus {
	return rapid.SampledFrom([]pam.CallStatus{pam.CallRunning, pam.CallCompleted, pam.CallFailed, pam.CallInDoubt}).Draw(t, "call status")
}

// drawArguments makes what a model's adapter passes on: none, or an object in
// compact JSON.
func drawArguments(t *rapid.T) stdjson.RawMessage {
	if rapid.Bool().Draw(t, "no arguments") {
		return nil
	}
	quoted, _ := jsontext.AppendQuote(nil, hostile().Draw(t, "argument")) // the error says that it is mended
	return stdjson.RawMessage(`{"a":` + string(quoted) + `,"\u0062":[1e400,-0,12345678901234567890,null,{}]}`)
}

// hostile makes text of what has broken encoders before.
func hostile() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		piece := rapid.OneOf(
			rapid.String(),
			rapid.SampledFrom([]string{
				"\x00", "\x1f", "\x7f", "\"", `\`, `\"`, "\u2028", "\u2029", "\n", "\r\n", "\b", "\f", "\t", "</script>", "&", "😀", "\ufeff", "\ufffd", "\u0085",
				"\xff", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xed\xa0\x80", "\xc0\xaf", "\xf4\x90\x80\x80", `\u0000`, `\ud800`, `","seq":9,"x":"`,
			}),
		)
		return strings.Join(rapid.SliceOfN(piece, 0, 5).Draw(t, "pieces"), "")
	})
}

// mend does by hand what a frame does to text that is not UTF-8.
func mend[S ~string](s S) S { return S([]rune(string(s))) }

func mendEvent(e pam.Event) pam.Event {
	e.Key.Conversation, e.Turn = mend(e.Key.Conversation), mend(e.Turn)
	e.At = e.At.UTC().Truncate(time.Millisecond)
	switch b := e.Body.(type) {
	case pam.UserMessage:
		b.ID, b.Message, b.Session = mend(b.ID), mend(b.Message), mend(b.Session)
		if b.Session == "" {
			b.Session = pam.DefaultSession
		}
		e.Body = b
	case pam.Start:
		b.MessageID, b.Model = mend(b.MessageID), mend(b.Model)
		e.Body = b
	case pam.Delta:
		e.Body = pam.Delta{Content: mend(b.Content)}
	case pam.ToolCall:
		b.CallID, b.Name = mend(b.CallID), mend(b.Name)
		e.Body = b
	case pam.ToolCallUpdate:
		b.CallID, b.Result = mend(b.CallID), mend(b.Result)
		e.Body = b
	case pam.Reset:
		e.Body = pam.Reset{Parts: mendParts(b.Parts), Reason: mend(b.Reason)}
	case pam.Complete:
		b.Parts, b.ProcessingTime = mendParts(b.Parts), b.ProcessingTime.Truncate(time.Millisecond)
		if b.Error != nil {
			b.Error = &pam.Failure{Code: b.Error.Code, Message: mend(b.Error.Message), Hint: mend(b.Error.Hint)}
		}
		e.Body = b
	case pam.ConversationUpdated:
		e.Body = pam.ConversationUpdated{Title: mend(b.Title)}
	}
	return e
}

func mendParts(parts []pam.Part) []pam.Part {
	var mended []pam.Part
	for _, p := range parts {
		p.Text = mend(p.Text)
		if p.Call != nil {
			call := *p.Call
			call.ID, call.Name, call.Result = mend(call.ID), mend(call.Name), mend(call.Result)
			p.Call = &call
		}
		mended = append(mended, p)
	}
	return mended
}

// TestAppendEventArguments holds what becomes of a model's JSON: one line that a
// strict reader takes, or null.
func TestAppendEventArguments(t *testing.T) {
	t.Parallel()
	for arguments, want := range map[string]string{
		"":                            "null",
		"null":                        "null",
		"{}":                          "{}",
		"{ \"a\" :\n\t[ 1 , 2 ]\r\n}": `{"a":[1,2]}`,
		`{"a":"\u0041\/","n":1.50E+2,"big":12345678901234567890}`: `{"a":"\u0041\/","n":1.50E+2,"big":12345678901234567890}`,
		`{"a":1,"a":2}`:    "null",
		`{"a":"\ud800"}`:   "null",
		"{\"a\":\"\xff\"}": "null",
		"{\"a\":\"\n\"}":   "null",
		`{"a":1`:           "null",
		`{"a":1}}`:         "null",
		`{},"seq":99`:      "null",
		strings.Repeat("[", 100) + strings.Repeat("]", 100): strings.Repeat("[", 100) + strings.Repeat("]", 100),
		strings.Repeat("[", 101) + strings.Repeat("]", 101): "null",
	} {
		given := stdjson.RawMessage(arguments)
		frame := wire.AppendEvent(nil, &pam.Event{Seq: 1, From: 1, Body: pam.ToolCall{CallID: "c", Name: "n", Arguments: given}})
		if !jsontext.Value(frame).IsValid() {
			t.Errorf("%q: not strict JSON: %s", arguments, frame)
		}
		if !bytes.Contains(frame, []byte(`,"arguments":`+want+`}`)) {
			t.Errorf("%q: got %s, want %s", arguments, frame, want)
		}
		if string(given) != arguments {
			t.Errorf("%q was changed in place, to %q", arguments, given)
		}
	}
}

// TestDecodeEventTakesWhatComesLater holds that fields which are not known yet
// do no harm, and that a frame which is no event is refused.
func TestDecodeEventTakesWhatComesLater(t *testing.T) {
	t.Parallel()
	got, err := wire.DecodeEvent("u", []byte(`{"later":[1],"type":"chat_response_delta","seq":3,"from":2,"conversation_id":"c","turn_id":"t","at":"2026-01-02T03:04:05.678+02:00","content":"x"}`))
	want := pam.Event{
		Key: pam.Key{User: "u", Conversation: "c"}, From: 2, Seq: 3, Turn: "t",
		At: time.Date(2026, 1, 2, 1, 4, 5, 678e6, time.UTC), Body: pam.Delta{Content: "x"},
	}
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, frame := range []string{
		``, `null`, `[]`, `{}`, `{"type":"ping"}`, `{"type":"delta"}`, `{"type":"chat_response_delta","seq":"1"}`, `{"type":"chat_response_delta","seq":1,"seq":2}`,
		`{"seq":1,"type":"tool_call_update","status":"over"}`, `{"seq":1,"type":"tool_call_update"}`, `{"seq":1,"type":"tool_call_update","status":""}`,
		`{"seq":1,"type":"chat_response_complete","status":"over"}`, `{"seq":1,"type":"chat_response_complete"}`,
		`{"seq":1,"type":"chat_response_complete","status":"failed","error":{"error_code":"no_code"}}`, `{"seq":1,"type":"chat_response_complete","status":"failed","error":{}}`,
		`{"seq":1,"type":"chat_response_complete","status":"completed","parts":[{"type":"tool_call","status":"over"}]}`,
		`{"seq":1,"type":"chat_response_delta","at":"yesterday"}`, `{"type":"chat_response_delta"}`,
		`{"seq":0,"type":"chat_response_delta"}`, `{"seq":-1,"type":"chat_response_delta"}`, `{"seq":1,"from":2,"type":"chat_response_delta"}`, `{"seq":1,"from":-1,"type":"chat_response_delta"}`,
	} {
		if got, err := wire.DecodeEvent("u", []byte(frame)); err == nil {
			t.Errorf("%s is taken for %+v", frame, got)
		}
	}
}

// TestDecodeEventLongTimes holds that a time beyond what a Duration holds does
// not wrap around.
func TestDecodeEventLongTimes(t *testing.T) {
	t.Parallel()
	for ms, want := range map[string]time.Duration{
		"1500": 1500 * time.Millisecond, "-1": -time.Millisecond, "9223372036854": 9223372036854 * time.Millisecond,
		"9223372036855": 9223372036854 * time.Millisecond, "9223372036854775807": 9223372036854 * time.Millisecond, "-9223372036854775808": -9223372036854 * time.Millisecond,
	} {
		e, err := wire.DecodeEvent("u", []byte(`{"type":"chat_response_complete","seq":1,"status":"completed","processing_time_ms":`+ms+`}`))
		if c, ok := e.Body.(pam.Complete); err != nil || !ok || c.ProcessingTime != want {
			t.Errorf("%s ms are read as %+v, %v; want %v", ms, e.Body, err, want)
		}
	}
}

// TestAppendEventAllocates holds the price of a delta: nothing where there is
// room, and one piece of memory where there is none.
//
//nolint:paralleltest // testing.AllocsPerRun counts for the whole process
func TestAppendEventAllocates(t *testing.T) {
	e, dst := benchDelta(), make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { dst = wire.AppendEvent(dst[:0], e) }); n != 0 {
		t.Errorf("AppendEvent of a delta allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { dst = wire.EventCodec{}.Encode(e) }); n != 1 {
		t.Errorf("Encode of a delta allocates %v times", n)
	}
	dst = dst[:0:0]
	long := &pam.Event{Key: e.Key, From: 1, Seq: 1, Turn: e.Turn, At: e.At, Body: pam.Complete{
		Status: pam.TurnCompleted, Parts: []pam.Part{{Text: strings.Repeat("a sentence. ", 10_000)}},
	}}
	if n := testing.AllocsPerRun(10, func() { dst = wire.EventCodec{}.Encode(long) }); n != 1 {
		t.Errorf("Encode of a long answer allocates %v times", n)
	}
}

func benchDelta() *pam.Event {
	return &pam.Event{
		Key: pam.Key{User: "dev", Conversation: "01961f3e-7b2a-7c4e-8f6a-0123456789ab"}, From: 4711, Seq: 4711,
		Turn: "01961f3e-7b2a-7c4e-8f6a-0123456789ac", At: time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC),
		Body: pam.Delta{Content: " eighteen letters."},
	}
}
