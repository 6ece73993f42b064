package client

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/coder/websocket"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/wire"
)

// transport makes connections of one kind: a rung of the ladder.
type transport interface {
	// dial connects; heard is called, from any goroutine, with each sign of
	// life that is no frame.
	dial(ctx context.Context, token string, heard func()) (link, error)
}

// link carries the frames of one connection, whole and in order. One goroutine
// sends, one receives.
type link interface {
	send(ctx context.Context, frame []byte) error
	// receive returns the next frame. Its error ends the link; endOf reads it.
	receive(ctx context.Context) ([]byte, error)
	// close ends the link: with a farewell where polite, and then it returns
	// once the peer has answered or receive's context has ended.
	close(polite bool)
}

// webSocket is the first rung.
type webSocket struct {
	url    string
	client *http.Client
	header http.Header
}

func (w webSocket) dial(ctx context.Context, token string, heard func()) (link, error) {
	header := w.header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	conn, response, err := websocket.Dial(ctx, w.url, &websocket.DialOptions{ //nolint:bodyclose // the library has closed it, and kept its first 1 KiB
		HTTPClient:     w.client,
		HTTPHeader:     header,
		Subprotocols:   []string{wire.SubprotocolV1},
		OnPingReceived: func(context.Context, []byte) bool { heard(); return true },
		OnPongReceived: func(context.Context, []byte) { heard() },
	})
	if err != nil {
		return nil, w.refusal(response, err)
	}
	if conn.Subprotocol() != wire.SubprotocolV1 {
		_ = conn.CloseNow()
		return nil, &ConnectionError{URL: w.url, Status: http.StatusSwitchingProtocols, Err: errors.New("the server does not speak pam.v1")}
	}
	conn.SetReadLimit(maxServerFrame)
	return &webSocketLink{conn: conn}, nil
}

// refusal is what a handshake's answer says: the `error` in its body, where
// there is one.
func (w webSocket) refusal(response *http.Response, err error) error {
	e := &ConnectionError{URL: w.url, Err: err}
	if response == nil {
		return e
	}
	e.Status = response.StatusCode
	body, readErr := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	if readErr != nil {
		return e
	}
	if f, decodeErr := wire.DecodeServer(body); decodeErr == nil {
		if f, ok := f.(wire.ErrorFrame); ok {
			return f.Err
		}
	}
	if response.StatusCode == http.StatusTooManyRequests {
		return explain(&pam.Error{Code: pam.CodeRateLimited, Op: "client.dial", Err: err})
	}
	return e
}

type webSocketLink struct{ conn *websocket.Conn }

func (l *webSocketLink) send(ctx context.Context, frame []byte) error {
	return l.conn.Write(ctx, websocket.MessageText, frame)
}

func (l *webSocketLink) receive(ctx context.Context) ([]byte, error) {
	_, frame, err := l.conn.Read(ctx)
	return frame, err
}

func (l *webSocketLink) close(polite bool) {
	if polite {
		_ = l.conn.Close(websocket.StatusNormalClosure, "")
		return
	}
	_ = l.conn.CloseNow()
}

// endOf returns the close code that the server has sent; CloseAbnormal where it
// has sent none.
func endOf(err error) wire.CloseCode {
	if closed, ok := errors.AsType[websocket.CloseError](err); ok {
		return wire.CloseCode(closed.Code) //nolint:gosec // two bytes on the wire
	}
	return wire.CloseAbnormal
}

// explain gives err the table's words where it has none of its own.
func explain(err *pam.Error) *pam.Error {
	m := wire.Meaning(err.Code)
	if err.Message == "" {
		err.Message = m.Message
	}
	if err.Hint == "" {
		err.Hint = m.Hint
	}
	return err
}
