package wire

import "github.com/pam-assistant/pam"

// CloseCode is a WebSocket close code (RFC 6455, section 7.4).
type CloseCode uint16

// The codes that PAM sends.
const (
	CloseNormal           CloseCode = 1000
	CloseGoingAway        CloseCode = 1001
	CloseProtocolError    CloseCode = 1002
	CloseUnsupportedData  CloseCode = 1003
	CloseInvalidPayload   CloseCode = 1007
	CloseTooBig           CloseCode = 1009
	CloseInternal         CloseCode = 1011
	CloseTryAgain         CloseCode = 1013
	CloseBadFrame         CloseCode = 4400
	CloseUnauthorized     CloseCode = 4401
	CloseForbidden        CloseCode = 4403
	CloseHeartbeatTimeout CloseCode = 4408
	CloseTooMany          CloseCode = 4409
	CloseRateLimited      CloseCode = 4429

	// Never sent: what an end looks like without a close frame.
	CloseNoStatus CloseCode = 1005
	CloseAbnormal CloseCode = 1006
)

// Advice is what a client should do after an error or a close.
type Advice uint8

// The advices.
const (
	Stop      Advice = iota + 1 // do not connect again by yourself
	Reconnect                   // back off with full jitter, connect, resume
	Renew                       // get a new token, then connect
	Mend                        // the client sent what it may not send; mend the client
	Stay                        // the connection stays open
)

// String names the advice.
func (a Advice) String() string {
	switch a {
	case Stop:
		return "stop"
	case Reconnect:
		return "reconnect"
	case Renew:
		return "renew"
	case Mend:
		return "mend"
	case Stay:
		return "stay"
	}
	return "none"
}

// AfterClose says what a client should do after a close by code
// (docs/protocol.md, "Accept, then explain").
func AfterClose(code CloseCode) Advice {
	switch code {
	case CloseNormal, CloseForbidden, CloseTooMany:
		return Stop
	case CloseProtocolError, CloseUnsupportedData, CloseInvalidPayload, CloseTooBig, CloseBadFrame:
		return Mend
	case CloseUnauthorized:
		return Renew
	case CloseGoingAway, CloseInternal, CloseTryAgain, CloseHeartbeatTimeout, CloseRateLimited,
		CloseNoStatus, CloseAbnormal:
		return Reconnect
	}
	return Reconnect
}

// AfterError says what a client should do after an error by code, where it
// closed the connection or answered a request.
func AfterError(code pam.Code) Advice {
	m := Meaning(code)
	if code == pam.CodeJWKSUnavailable { // ours, not the client's
		return Reconnect
	}
	if m.Close == 0 {
		return Stay
	}
	return AfterClose(m.Close)
}
