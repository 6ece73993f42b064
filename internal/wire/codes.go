package wire

import (
	"net/http"

	"github.com/pam-assistant/pam"
)

// CodeMeaning is a row of the table of error codes.
type CodeMeaning struct {
	Close   CloseCode // that ends the connection; 0 where it stays open
	Status  int       // by HTTP
	Exit    int       // of the command line: 1 failed, 2 connection, 3 refused, 4 usage
	Message string    // what is wrong, to the person at the screen
	Hint    string    // what to type, to the person who can mend it
}

// Meaning returns the row of code: the table of docs/protocol.md, "Accept, then
// explain". An unknown code means internal.
func Meaning(code pam.Code) CodeMeaning {
	if m := connectionCode(code); m.Message != "" {
		return m
	}
	if m := identityCode(code); m.Message != "" {
		return m
	}
	if m := requestCode(code); m.Message != "" {
		return m
	}
	if m := turnCode(code); m.Message != "" {
		return m
	}
	return connectionCode(pam.CodeInternal)
}

// connectionCode has the codes that end a connection as such.
func connectionCode(code pam.Code) CodeMeaning {
	switch code { //nolint:exhaustive // the other codes are in the other tables; a test holds the whole
	case pam.CodeGoingAway:
		return CodeMeaning{CloseGoingAway, http.StatusServiceUnavailable, 2, "The server is restarting.", "Connect again after retry_after_ms; the answer goes on."}
	case pam.CodeProtocolError:
		return CodeMeaning{CloseProtocolError, http.StatusBadRequest, 1, "The connection broke the WebSocket protocol.", "Use a WebSocket client that follows RFC 6455; a proxy between may also have changed the frames."}
	case pam.CodeBinaryFrame:
		return CodeMeaning{CloseUnsupportedData, http.StatusBadRequest, 1, "A binary frame was sent; only text is understood.", "Send JSON as a text frame."}
	case pam.CodeInvalidUTF8:
		return CodeMeaning{CloseInvalidPayload, http.StatusBadRequest, 1, "A frame was not valid UTF-8.", "Encode text as UTF-8."}
	case pam.CodeFrameTooLarge:
		return CodeMeaning{CloseTooBig, http.StatusRequestEntityTooLarge, 1, "The frame is larger than 512 KiB.", "Send less at once; do not send the same frame again."}
	case pam.CodeInternal:
		return CodeMeaning{CloseInternal, http.StatusInternalServerError, 1, "Something went wrong inside PAM.", "Look in the server's log for this connection's id."}
	case pam.CodeOverloaded:
		return CodeMeaning{CloseTryAgain, http.StatusServiceUnavailable, 1, "PAM is busy beyond its limits.", "Wait retry_after_ms, then try again."}
	case pam.CodeBadFrame:
		return CodeMeaning{CloseBadFrame, http.StatusBadRequest, 1, "The frame is not one JSON object with a string \"type\".", "Send one JSON object a frame, for example {\"type\":\"ping\"}."}
	case pam.CodeHeartbeatTimeout:
		return CodeMeaning{CloseHeartbeatTimeout, http.StatusRequestTimeout, 2, "Nothing was heard from the client for too long.", "Connect again and resume; a proxy that swallows pings must let them through."}
	case pam.CodeTooManyConnections:
		return CodeMeaning{CloseTooMany, http.StatusTooManyRequests, 1, "This user has too many connections open.", "Close other tabs or devices, or raise PAM_MAX_CONNECTIONS."}
	case pam.CodeRateLimited:
		return CodeMeaning{CloseRateLimited, http.StatusTooManyRequests, 1, "Too much was sent in too short a time.", "Wait retry_after_ms, then try again."}
	}
	return CodeMeaning{}
}

// identityCode has the refusals of who asks.
func identityCode(code pam.Code) CodeMeaning {
	const unauthorized, forbidden = http.StatusUnauthorized, http.StatusForbidden
	switch code { //nolint:exhaustive // the other codes are in the other tables; a test holds the whole
	case pam.CodeTokenMissing:
		return CodeMeaning{CloseUnauthorized, unauthorized, 3, "No token was given.", "Send {\"type\":\"auth\",\"token\":…} first, or connect with ?token=, ?ticket=, Authorization: Bearer, or the subprotocol bearer.TOKEN."}
	case pam.CodeTokenExpired:
		return CodeMeaning{CloseUnauthorized, unauthorized, 3, "The token has expired.", "Get a new token and connect again."}
	case pam.CodeTokenNotYetValid:
		return CodeMeaning{CloseUnauthorized, unauthorized, 3, "The token is not valid yet.", "Set the clocks of this machine and of the token's issuer; 30 s are tolerated."}
	case pam.CodeTokenMalformed:
		return CodeMeaning{CloseUnauthorized, unauthorized, 3, "The token is not a whole, well-formed JWT.", "Pass the token as it was issued: three parts with two dots, without quotes or spaces, with sub and exp."}
	case pam.CodeTokenBadSignature:
		return CodeMeaning{CloseUnauthorized, unauthorized, 3, "The token's signature does not fit a key of this server.", "Sign with a secret of PAM_JWT_SECRET, or with a key that PAM_JWKS_URL serves."}
	case pam.CodeTokenWrongAudience:
		return CodeMeaning{CloseUnauthorized, unauthorized, 3, "The token is meant for another audience.", "Issue it for the audience that PAM_JWT_AUDIENCE names."}
	case pam.CodeTokenWrongIssuer:
		return CodeMeaning{CloseUnauthorized, unauthorized, 3, "The token comes from another issuer.", "Issue it as the issuer that PAM_JWT_ISSUER names."}
	case pam.CodeTicketInvalid:
		return CodeMeaning{CloseUnauthorized, unauthorized, 3, "The ticket is unknown, used or over.", "Ask POST /api/v1/pam/tickets for a new one; each serves once, for 30 s."}
	case pam.CodeAuthTimeout:
		return CodeMeaning{CloseUnauthorized, unauthorized, 3, "No token came within 10 s.", "Send {\"type\":\"auth\",\"token\":…} as the first frame."}
	case pam.CodeJWKSUnavailable:
		return CodeMeaning{CloseUnauthorized, http.StatusServiceUnavailable, 2, "The keys that tokens are checked with cannot be fetched.", "The operator mends PAM_JWKS_URL; your token may be good. Try again later."}
	case pam.CodeOriginNotAllowed:
		return CodeMeaning{CloseForbidden, forbidden, 3, "Pages of this origin may not use this server.", "Add the page's origin to PAM_ALLOWED_ORIGINS."}
	case pam.CodeUserMismatch:
		return CodeMeaning{CloseForbidden, forbidden, 3, "The token belongs to another user.", "Use the address of the token's own user, or connect anew for another one."}
	}
	return CodeMeaning{}
}

// requestCode has the refusals of one request; the connection stays open.
func requestCode(code pam.Code) CodeMeaning {
	switch code { //nolint:exhaustive // the other codes are in the other tables; a test holds the whole
	case pam.CodeUnknownType:
		return CodeMeaning{0, http.StatusBadRequest, 1, "This type of frame is not known.", "Types are ping, pong, auth, init, context_update, chat, cancel, subscribe, unsubscribe."}
	case pam.CodeInvalid:
		return CodeMeaning{0, http.StatusBadRequest, 4, "A field of the request is not as it must be.", "See detail, and docs/protocol.md for the field."}
	case pam.CodeNotFound:
		return CodeMeaning{0, http.StatusNotFound, 1, "There is no such conversation or turn.", "Forget it, or begin a new conversation by leaving conversation_id out."}
	case pam.CodeIDConflict:
		return CodeMeaning{0, http.StatusConflict, 1, "This id was used for another message.", "Give each message an id of its own."}
	case pam.CodeBusy:
		return CodeMeaning{0, http.StatusConflict, 1, "The assistant is still answering in this conversation.", "Wait for chat_response_complete, or send when_busy: queue or interrupt."}
	case pam.CodeConversationDeleted:
		return CodeMeaning{0, http.StatusGone, 1, "This conversation has been deleted.", "Forget it; begin a new one."}
	case pam.CodeEpochChanged:
		return CodeMeaning{0, http.StatusGone, 1, "The journal has begun a new life; old cursors do not count.", "Read again from the start, offset=-1."}
	}
	return CodeMeaning{}
}

// turnCode has the failures of an answer; the connection stays open.
func turnCode(code pam.Code) CodeMeaning {
	switch code { //nolint:exhaustive // the other codes are in the other tables; a test holds the whole
	case pam.CodeProviderUnavailable:
		return CodeMeaning{0, http.StatusBadGateway, 1, "The model's provider cannot be reached.", "Check PAM_OPENAI_BASE_URL and the provider's status."}
	case pam.CodeProviderAuth:
		return CodeMeaning{0, http.StatusBadGateway, 1, "The model's provider does not accept PAM's key.", "Set a valid OPENAI_API_KEY and restart."}
	case pam.CodeProviderRateLimited:
		return CodeMeaning{0, http.StatusBadGateway, 1, "The model's provider asks to wait.", "Try again later, or raise the provider's limit."}
	case pam.CodeProviderQuota:
		return CodeMeaning{0, http.StatusBadGateway, 1, "The provider's quota is used up.", "Raise the quota or the billing limit at the provider."}
	case pam.CodeProviderTimeout:
		return CodeMeaning{0, http.StatusGatewayTimeout, 1, "The model did not answer in time.", "Try again; check the provider's status."}
	case pam.CodeProviderProtocol:
		return CodeMeaning{0, http.StatusBadGateway, 1, "The model's provider sent what cannot be understood.", "Check that PAM_OPENAI_BASE_URL points to an OpenAI-compatible API, usually ending in /v1."}
	case pam.CodeContextTooLong:
		return CodeMeaning{0, http.StatusBadGateway, 1, "The conversation is too long for the model.", "Lower PAM_MODEL_CONTEXT to the model's real limit."}
	case pam.CodeAnswerTooLong:
		return CodeMeaning{0, http.StatusBadGateway, 1, "The answer grew beyond the limit and was cut.", "Ask for less at once, or raise PAM_MAX_ANSWER."}
	case pam.CodeContentFiltered:
		return CodeMeaning{0, http.StatusBadGateway, 1, "The provider's content filter stopped the answer.", "Ask differently."}
	case pam.CodeStoreUnavailable:
		return CodeMeaning{0, http.StatusServiceUnavailable, 1, "PAM cannot write to its store.", "Check the disk that PAM_DATA lies on, and the server's log."}
	case pam.CodeStoreFull:
		return CodeMeaning{0, http.StatusInsufficientStorage, 1, "PAM's disk is full.", "Free space on the disk that PAM_DATA lies on; PAM goes on by itself."}
	}
	return CodeMeaning{}
}
