package wire

import (
	"encoding/json"
	"math"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/pam-assistant/pam"
)

// EventCodec encodes the journal's events as clients see them. It has no state.
type EventCodec struct{}

// Encode returns e as its frame (docs/protocol.md, "Events of a conversation").
func (EventCodec) Encode(e *pam.Event) []byte { return AppendEvent(make([]byte, 0, sizeOf(e)), e) }

// Decode reads a frame of Encode again.
func (EventCodec) Decode(user pam.UserID, frame []byte) (pam.Event, error) {
	return DecodeEvent(user, frame)
}

// sizeOf guesses the length of e's frame, so that it is allocated once.
func sizeOf(e *pam.Event) int {
	const envelope = 224
	text := 0
	switch b := e.Body.(type) {
	case pam.Delta:
		text = len(b.Content)
	case pam.UserMessage:
		text = envelope + len(b.Message)
	case pam.ToolCall:
		text = envelope + len(b.Arguments)
	case pam.ToolCallUpdate:
		text = envelope + len(b.Result)
	case pam.Reset:
		text = envelope + sizeOfParts(b.Parts)
	case pam.Complete: // its text comes twice
		text = 2*envelope + 2*sizeOfParts(b.Parts)
	case pam.Start, pam.ConversationUpdated:
		text = envelope
	}
	return envelope + text + text/8
}

func sizeOfParts(parts []pam.Part) int {
	const frame = 128
	size := 0
	for _, p := range parts {
		size += frame + len(p.Text)
		if p.Call != nil {
			size += len(p.Call.Arguments) + len(p.Call.Result)
		}
	}
	return size
}

// AppendEvent appends e's frame to dst. Text that is not UTF-8 is mended with
// U+FFFD: a frame is always valid.
func AppendEvent(dst []byte, e *pam.Event) []byte {
	dst = append(dst, `{"type":"`...)
	dst = append(dst, e.Body.Kind().String()...)
	dst = append(dst, `","conversation_id":`...)
	dst = appendString(dst, string(e.Key.Conversation))
	dst = append(dst, `,"seq":`...)
	dst = strconv.AppendInt(dst, e.Seq, 10)
	if e.From != e.Seq {
		dst = append(dst, `,"from":`...)
		dst = strconv.AppendInt(dst, e.From, 10)
	}
	if e.Turn != "" {
		dst = append(dst, `,"turn_id":`...)
		dst = appendString(dst, string(e.Turn))
	}
	dst = append(dst, `,"at":"`...)
	dst = AppendTime(dst, e.At)
	dst = append(dst, '"')
	dst = appendBody(dst, e.Body)
	return append(dst, '}')
}

func appendBody(dst []byte, body pam.EventBody) []byte {
	switch b := body.(type) {
	case pam.Delta:
		return appendField(dst, "content", b.Content)
	case pam.UserMessage:
		dst = appendField(dst, "id", string(b.ID))
		dst = appendField(dst, "message", b.Message)
		if b.Session != pam.DefaultSession && b.Session != "" {
			dst = appendField(dst, "session_id", string(b.Session))
		}
		return dst
	case pam.Start:
		dst = appendField(dst, "message_id", string(b.MessageID))
		dst = appendField(dst, "model", b.Model)
		dst = appendInt(dst, "attempt", int64(b.Attempt))
		return appendInt(dst, "omitted_turns", int64(b.OmittedTurns))
	case pam.ToolCall:
		dst = appendField(dst, "call_id", string(b.CallID))
		dst = appendField(dst, "name", b.Name)
		return appendRaw(dst, "arguments", b.Arguments)
	case pam.ToolCallUpdate:
		dst = appendField(dst, "call_id", string(b.CallID))
		dst = appendField(dst, "status", b.Status.String())
		return appendField(dst, "result", b.Result)
	case pam.Reset:
		dst = appendParts(dst, b.Parts)
		return appendField(dst, "reason", b.Reason)
	case pam.Complete:
		return appendComplete(dst, b)
	case pam.ConversationUpdated:
		return appendField(dst, "title", b.Title)
	}
	return dst
}

func appendComplete(dst []byte, b pam.Complete) []byte {
	dst = appendField(dst, "status", b.Status.String())
	dst = appendParts(dst, b.Parts)
	dst = appendField(dst, "full_response", pam.Text(b.Parts))
	dst = appendUsage(dst, b.Usage)
	if b.Error != nil {
		dst = append(dst, `,"error":{"error_code":"`...)
		dst = append(dst, b.Error.Code.String()...)
		dst = append(dst, '"')
		dst = appendField(dst, "message", b.Error.Message)
		dst = appendField(dst, "hint", b.Error.Hint)
		dst = append(dst, '}')
	}
	return appendInt(dst, "processing_time_ms", b.ProcessingTime.Milliseconds())
}

func appendUsage(dst []byte, u pam.Usage) []byte {
	dst = append(dst, `,"usage":{"input_tokens":`...)
	dst = strconv.AppendInt(dst, u.InputTokens, 10)
	dst = append(dst, `,"output_tokens":`...)
	dst = strconv.AppendInt(dst, u.OutputTokens, 10)
	return append(dst, '}')
}

// appendParts appends the `parts` of an answer.
func appendParts(dst []byte, parts []pam.Part) []byte {
	dst = append(dst, `,"parts":[`...)
	for i, p := range parts {
		if i > 0 {
			dst = append(dst, ',')
		}
		if p.Call == nil {
			dst = append(dst, `{"type":"text"`...)
			dst = appendField(dst, "text", p.Text)
			dst = append(dst, '}')
			continue
		}
		dst = append(dst, `{"type":"tool_call"`...)
		dst = appendField(dst, "call_id", string(p.Call.ID))
		dst = appendField(dst, "name", p.Call.Name)
		dst = appendRaw(dst, "arguments", p.Call.Arguments)
		dst = appendField(dst, "status", p.Call.Status.String())
		dst = appendField(dst, "result", p.Call.Result)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func appendField(dst []byte, name, value string) []byte {
	dst = append(dst, ',', '"')
	dst = append(dst, name...)
	dst = append(dst, '"', ':')
	return appendString(dst, value)
}

func appendInt(dst []byte, name string, value int64) []byte {
	dst = append(dst, ',', '"')
	dst = append(dst, name...)
	dst = append(dst, '"', ':')
	return strconv.AppendInt(dst, value, 10)
}

// appendRaw appends what a model said as JSON. White space goes, for a frame is
// one line; what a strict reader would refuse, or that is nested deeper than
// MaxDepth, becomes null, for a frame is always valid.
func appendRaw(dst []byte, name string, raw json.RawMessage) []byte {
	dst = append(dst, ',', '"')
	dst = append(dst, name...)
	dst = append(dst, '"', ':')
	if len(raw) == 0 || tooDeep(raw) {
		return append(dst, "null"...)
	}
	whole, err := jsontext.AppendFormat(dst, []byte(raw), jsontext.PreserveRawStrings(true))
	if err != nil {
		return append(dst, "null"...)
	}
	return whole
}

// appendString appends s as a JSON string; what is not UTF-8 becomes U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst, _ = jsontext.AppendQuote(dst, s) // the error says only that it has mended s
	return dst
}

// millis is a duration as the wire has it; one beyond what a Duration holds is
// the longest there is.
func millis(ms int64) time.Duration {
	const most = math.MaxInt64 / int64(time.Millisecond)
	return time.Duration(min(max(ms, -most), most)) * time.Millisecond
}
