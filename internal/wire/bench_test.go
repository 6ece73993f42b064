package wire_test

import (
	stdjson "encoding/json"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/wire"
)

// BenchmarkAppendDelta is what one delta of a stream costs to encode.
func BenchmarkAppendDelta(b *testing.B) {
	e, dst := benchDelta(), make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		dst = wire.AppendEvent(dst[:0], e)
	}
	b.SetBytes(int64(len(dst)))
}

// BenchmarkMarshalDelta is the same by the standard library: what is not done.
func BenchmarkMarshalDelta(b *testing.B) {
	e := benchDelta()
	delta, ok := e.Body.(pam.Delta)
	if !ok {
		b.Fatal("no delta")
	}
	frame := struct {
		Type         string             `json:"type"`
		Conversation pam.ConversationID `json:"conversation_id"`
		Seq          int64              `json:"seq"`
		From         int64              `json:"from,omitempty"`
		Turn         pam.TurnID         `json:"turn_id,omitempty"`
		At           time.Time          `json:"at"`
		Content      string             `json:"content"`
	}{"chat_response_delta", e.Key.Conversation, e.Seq, 0, e.Turn, e.At, delta.Content}
	b.ReportAllocs()
	for b.Loop() {
		out, err := stdjson.Marshal(&frame)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(out)))
	}
}

// BenchmarkParsePing is what a heartbeat of an idle connection costs.
func BenchmarkParsePing(b *testing.B) { benchParse(b, `{"type":"ping"}`) }

// BenchmarkParsePingStamped is a ping that wants its timestamp back.
func BenchmarkParsePingStamped(b *testing.B) {
	benchParse(b, `{"type":"ping","timestamp":1736500000123}`)
}

// BenchmarkParseChat is a question as a pam.v1 client asks it.
func BenchmarkParseChat(b *testing.B) {
	benchParse(b, `{"type":"chat","id":"01961f3e-7b2a-7c4e-8f6a-0123456789ab","conversation_id":"01961f3e-7b2a-7c4e-8f6a-0123456789ac","message":"Hello PAM, are you working?","stream":true}`)
}

// BenchmarkScanChat is the floor below BenchmarkParseChat: the same bytes looked
// at by the strict reader, nothing kept.
func BenchmarkScanChat(b *testing.B) {
	var frame struct{}
	text := []byte(`{"type":"chat","id":"01961f3e-7b2a-7c4e-8f6a-0123456789ab","conversation_id":"01961f3e-7b2a-7c4e-8f6a-0123456789ac","message":"Hello PAM, are you working?","stream":true}`)
	b.ReportAllocs()
	for b.Loop() {
		if err := json.Unmarshal(text, &frame); err != nil {
			b.Fatal(err)
		}
	}
}

func benchParse(b *testing.B, text string) {
	b.Helper()
	frame := []byte(text)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.ParseRequest(frame); err != nil {
			b.Fatal(err)
		}
	}
}
