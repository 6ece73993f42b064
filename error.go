package pam

import (
	"errors"
	"fmt"
	"time"
)

// Code says what went wrong, as the wire's `error_code` names it
// (docs/protocol.md, "Accept, then explain"). The set is closed: internal/wire
// holds the table of what each code means for a close, a status, an exit.
type Code uint8

// The codes, in the order of the protocol's text.
const (
	CodeGoingAway Code = iota + 1
	CodeProtocolError
	CodeBinaryFrame
	CodeInvalidUTF8
	CodeFrameTooLarge
	CodeInternal
	CodeOverloaded
	CodeBadFrame
	CodeTokenMissing
	CodeTokenExpired
	CodeTokenNotYetValid
	CodeTokenMalformed
	CodeTokenBadSignature
	CodeTokenWrongAudience
	CodeTokenWrongIssuer
	CodeTicketInvalid
	CodeAuthTimeout
	CodeJWKSUnavailable
	CodeOriginNotAllowed
	CodeUserMismatch
	CodeHeartbeatTimeout
	CodeTooManyConnections
	CodeRateLimited
	CodeUnknownType
	CodeInvalid
	CodeNotFound
	CodeIDConflict
	CodeBusy
	CodeConversationDeleted
	CodeEpochChanged
	CodeProviderUnavailable
	CodeProviderAuth
	CodeProviderRateLimited
	CodeProviderQuota
	CodeProviderTimeout
	CodeProviderProtocol
	CodeContextTooLong
	CodeAnswerTooLong
	CodeContentFiltered
	CodeStoreUnavailable
	CodeStoreFull
	codeEnd
)

func codeNames() [codeEnd]string {
	return [codeEnd]string{
		CodeGoingAway:           "going_away",
		CodeProtocolError:       "protocol_error",
		CodeBinaryFrame:         "binary_frame",
		CodeInvalidUTF8:         "invalid_utf8",
		CodeFrameTooLarge:       "frame_too_large",
		CodeInternal:            "internal",
		CodeOverloaded:          "overloaded",
		CodeBadFrame:            "bad_frame",
		CodeTokenMissing:        "token_missing",
		CodeTokenExpired:        "token_expired",
		CodeTokenNotYetValid:    "token_not_yet_valid",
		CodeTokenMalformed:      "token_malformed",
		CodeTokenBadSignature:   "token_bad_signature",
		CodeTokenWrongAudience:  "token_wrong_audience",
		CodeTokenWrongIssuer:    "token_wrong_issuer",
		CodeTicketInvalid:       "ticket_invalid",
		CodeAuthTimeout:         "auth_timeout",
		CodeJWKSUnavailable:     "jwks_unavailable",
		CodeOriginNotAllowed:    "origin_not_allowed",
		CodeUserMismatch:        "user_mismatch",
		CodeHeartbeatTimeout:    "heartbeat_timeout",
		CodeTooManyConnections:  "too_many_connections",
		CodeRateLimited:         "rate_limited",
		CodeUnknownType:         "unknown_type",
		CodeInvalid:             "invalid",
		CodeNotFound:            "not_found",
		CodeIDConflict:          "id_conflict",
		CodeBusy:                "busy",
		CodeConversationDeleted: "conversation_deleted",
		CodeEpochChanged:        "epoch_changed",
		CodeProviderUnavailable: "provider_unavailable",
		CodeProviderAuth:        "provider_auth",
		CodeProviderRateLimited: "provider_rate_limited",
		CodeProviderQuota:       "provider_quota",
		CodeProviderTimeout:     "provider_timeout",
		CodeProviderProtocol:    "provider_protocol",
		CodeContextTooLong:      "context_too_long",
		CodeAnswerTooLong:       "answer_too_long",
		CodeContentFiltered:     "content_filtered",
		CodeStoreUnavailable:    "store_unavailable",
		CodeStoreFull:           "store_full",
	}
}

// Codes lists every code, for tables that must be whole.
func Codes() []Code {
	codes := make([]Code, 0, codeEnd-1)
	for c := Code(1); c < codeEnd; c++ {
		codes = append(codes, c)
	}
	return codes
}

// String returns the code as the wire has it.
func (c Code) String() string {
	if c == 0 || c >= codeEnd {
		return fmt.Sprintf("code(%d)", uint8(c))
	}
	return codeNames()[c]
}

// MarshalText writes the code as the wire has it.
func (c Code) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads a code as the wire has it.
func (c *Code) UnmarshalText(text []byte) error {
	for i, name := range codeNames() {
		if i > 0 && name == string(text) {
			*c = Code(i)
			return nil
		}
	}
	return fmt.Errorf("pam: %q is no error code", text)
}

// Error is a failure with a name. Code decides what a client sees; Message
// says what is wrong to the person at the screen and Hint, to the person who
// can mend it, what to type; where they are empty the code's own, of
// internal/wire, are sent. Op and Err are for the log alone.
type Error struct {
	Code       Code
	Op         string // the operation that failed: "store.append"
	Message    string
	Hint       string
	Detail     string        // which field, which header: the error frame's `detail`
	RetryAfter time.Duration // zero: the code says whether to retry
	Err        error
}

// Error returns what the log shows: the operation, the code, the cause.
func (e *Error) Error() string {
	s := e.Code.String()
	if e.Op != "" {
		s = e.Op + ": " + s
	}
	if e.Detail != "" {
		s += " (" + e.Detail + ")"
	}
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is an *Error of the same code: so
// errors.Is(err, &pam.Error{Code: pam.CodeBusy}) asks for the code alone.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// CodeOf returns the code of err: that of the first *Error in its chain, or
// CodeInternal. It is zero for nil.
func CodeOf(err error) Code {
	if err == nil {
		return 0
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}
