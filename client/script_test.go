package client_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/client"
	"github.com/pam-assistant/pam/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 2 * time.Minute

// serve is a server over real sockets that plays one script a connection, the
// last one again and again. It returns its address.
func serve(t *testing.T, scripts ...func(*peer)) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	server := httptest.NewServer(play(ctx, t, scripts))
	t.Cleanup(func() { cancel(); server.Close() })
	return server.URL
}

// play plays the scripts until ctx is done.
func play(ctx context.Context, t *testing.T, scripts []func(*peer)) http.Handler {
	t.Helper()
	var n atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i := min(int(n.Add(1)), len(scripts)) - 1
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{wire.SubprotocolV1}})
		if err != nil {
			t.Errorf("accept: %v", err)
			return
		}
		defer func() { _ = conn.CloseNow() }()
		scripts[i](&peer{t: t, conn: conn, ctx: ctx, request: r})
	})
}

// bubble is serve within a synctest bubble: the same HTTP and WebSocket, over
// pipes, so that time is exact. It returns the options that reach it.
func bubble(t *testing.T, scripts ...func(*peer)) client.Options {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	pipes := &pipes{conns: make(chan net.Conn), done: ctx.Done()}
	server := &http.Server{Handler: play(ctx, t, scripts)}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(pipes) }()
	transport := &http.Transport{DialContext: pipes.dial}
	t.Cleanup(func() { cancel(); server.Close(); <-served; transport.CloseIdleConnections() })
	o := quick()
	o.HTTPClient = &http.Client{Transport: transport}
	return o
}

// pipes is a network of net.Pipe.
type pipes struct {
	conns chan net.Conn
	done  <-chan struct{}
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// peer is the server's end of one connection.
type peer struct {
	t       *testing.T
	conn    *websocket.Conn
	ctx     context.Context
	request *http.Request
}

func (p *peer) send(frames ...[]byte) {
	for _, f := range frames {
		if err := p.conn.Write(p.ctx, websocket.MessageText, f); err != nil {
			return // the client has left: its state is what the test judges
		}
	}
}

func (p *peer) greet() { p.greetWith(25 * time.Second) }

func (p *peer) greetWith(heartbeat time.Duration) {
	p.send(wire.AppendConnected(nil, wire.Greeting{Connection: "k", ServerVersion: "test", Heartbeat: heartbeat}))
}

// read returns the next request; nil where the client has left.
func (p *peer) read() wire.Request {
	_, frame, err := p.conn.Read(p.ctx)
	if err != nil {
		return nil
	}
	r, err := wire.ParseRequest(frame)
	if err != nil {
		p.t.Errorf("the client sent %s: %v", frame, err)
	}
	return r
}

// expect reads requests up to one of type R.
func expect[R wire.Request](p *peer) R {
	for {
		switch r := p.read().(type) {
		case R:
			return r
		case nil:
			var none R
			if p.ctx.Err() == nil {
				p.t.Errorf("the client left; a %T was expected", none)
			}
			return none
		}
	}
}

// stay reads until the client leaves.
func (p *peer) stay() {
	for p.read() != nil {
	}
}

// pause waits; it is false where the test is over.
func (p *peer) pause(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-p.ctx.Done():
		return false
	}
}

func (p *peer) subscribed(c pam.ConversationID, epoch pam.Epoch, seq, from int64, reset bool) {
	p.send(wire.AppendSubscribed(nil, wire.Subscription{Conversation: c, Epoch: epoch, Seq: seq, From: from, Reset: reset}))
}

func (p *peer) event(c pam.ConversationID, seq int64, turn pam.TurnID, body pam.EventBody) {
	p.send(wire.AppendEvent(nil, &pam.Event{Key: pam.Key{Conversation: c}, From: seq, Seq: seq, Turn: turn, At: time.Unix(1, 0).UTC(), Body: body}))
}

// turn answers the chat whole, from seq on.
func (p *peer) turn(c wire.Chat, seq int64, text string) {
	t := pam.TurnID("turn-" + c.ID)
	p.event(c.Conversation, seq, t, pam.UserMessage{ID: c.ID, Message: c.Message})
	p.event(c.Conversation, seq+1, t, pam.Start{MessageID: "m", Model: "script", Attempt: 1})
	p.event(c.Conversation, seq+2, t, pam.Delta{Content: text})
	p.complete(c.Conversation, seq+3, t, text)
}

func (p *peer) complete(c pam.ConversationID, seq int64, turn pam.TurnID, text string) {
	p.event(c, seq, turn, pam.Complete{Status: pam.TurnCompleted, Parts: []pam.Part{{Text: text}}})
}

func (p *peer) refuse(err *pam.Error, about wire.About) {
	p.send(wire.AppendError(nil, err, about))
}

func (p *peer) end(code wire.CloseCode) { _ = p.conn.Close(websocket.StatusCode(code), "") }

// quick is a client's options for tests: what takes seconds takes milliseconds.
func quick() client.Options {
	return client.Options{
		Token:   func(context.Context) (string, error) { return "token", nil },
		Backoff: client.Backoff{Base: time.Millisecond, Cap: 20 * time.Millisecond},
	}
}

// device is a client and all states that it was in.
type device struct {
	*client.Client
	states chan client.State
}

// start runs a client; the outcome of Run comes on the channel.
func start(t *testing.T, address string, o client.Options) (device, <-chan error) {
	t.Helper()
	states := make(chan client.State, 10_000)
	o.OnState = func(s client.State) { states <- s }
	c, err := client.New(address, o)
	if err != nil {
		t.Fatal(err)
	}
	end := make(chan error, 1)
	finished := make(chan struct{})
	go func() { defer close(finished); end <- c.Run(context.Background()) }()
	t.Cleanup(func() { c.Close(); <-finished })
	return device{c, states}, end
}

// ask sends a message and returns its answer's handle.
func ask(t *testing.T, c device, m client.Message) *client.Answer {
	t.Helper()
	a, err := c.Chat(t.Context(), m)
	if err != nil {
		t.Fatalf("Chat: %v", err)
	}
	return a
}

// wait returns the text of a whole answer.
func wait(t *testing.T, a *client.Answer) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	turn, err := a.Wait(ctx)
	if err != nil {
		t.Fatalf("Wait: %v", err)
	}
	if turn.Status != pam.TurnCompleted {
		t.Errorf("status = %v", turn.Status)
	}
	return pam.Text(turn.Parts)
}

// until waits for the next state of type S, and returns it.
func until[S client.State](t *testing.T, c device) S {
	t.Helper()
	late := time.After(patience)
	var last client.State
	for {
		select {
		case state := <-c.states:
			if s, ok := state.(S); ok {
				return s
			}
			last = state
		case <-late:
			var want S
			t.Fatalf("state %T never came; the last was %#v", want, last)
		}
	}
}
