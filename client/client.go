// Package client is what any client of PAM does: it keeps one connection to a
// server, says truthfully how that stands, comes back by itself, sends each
// message until it is acknowledged, and holds conversations by the rules of
// docs/protocol.md, "Order and resume".
//
//	c, err := client.New("http://127.0.0.1:8080", client.Options{Token: token})
//	go c.Run(ctx)
//	answer, err := c.Chat(ctx, client.Message{Text: "what is 12% of 340?"})
//	turn, err := answer.Wait(ctx)
//
// One goroutine, that of [Client.Run], owns all that changes; every other
// method hands it a request and may be called from anywhere. A [Conversation]
// is the pure part, which tests use by itself.
//
// It promises: no message is sent under two ids; an event is shown once, in
// order, whatever the network repeats or loses; Connected is said only of a
// server that was heard from within one and a half heartbeats. It never keeps
// more than its bounds in memory, and it logs no text of a conversation and no
// token.
package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/pam-assistant/pam/internal/wire"
)

// ErrClosed is what a client answers once it has been closed.
var ErrClosed = errors.New("client: closed")

// Client is one device of a user.
type Client struct {
	url     string
	options Options
	over    transport

	state    cell[State]
	commands chan func(*loop)
	closing  chan struct{}
	close    sync.Once
	running  atomic.Bool
	done     chan struct{} // Run has returned
}

// New returns a client for the server at address: a URL of scheme http, https,
// ws or wss, or HOST:PORT. Where its path does not end in /ws, that of the API
// is appended. Nothing happens before Run.
func New(address string, options Options) (*Client, error) {
	u, err := endpoint(address)
	if err != nil {
		return nil, err
	}
	options = options.withDefaults()
	c := &Client{
		url:      u,
		options:  options,
		over:     webSocket{url: u, client: options.HTTPClient, header: options.Header},
		commands: make(chan func(*loop)),
		closing:  make(chan struct{}),
		done:     make(chan struct{}),
	}
	c.state.set(Connecting{Attempt: 1})
	return c, nil
}

// Run connects and stays connected until ctx is done, [Client.Close] is called
// or the server refuses for good. It returns nil after Close, the cause of ctx,
// or the refusal: where the server said why, a *pam.Error. It may be called
// once.
func (c *Client) Run(ctx context.Context) error {
	if !c.running.CompareAndSwap(false, true) {
		return errors.New("client: Run was called twice")
	}
	defer close(c.done)
	return newLoop(c).run(ctx)
}

// Close ends the connection and makes Run return. What was not acknowledged is
// given up; the answers that are awaited end with ErrClosed.
func (c *Client) Close() { c.close.Do(func() { close(c.closing) }) }

// State returns how the connection stands.
func (c *Client) State() State {
	return c.state.load().value
}

// States yields the state, then each later one, until ctx is done or the client
// has ended. Where the caller is slow it yields the newest.
func (c *Client) States(ctx context.Context) iter.Seq[State] {
	return func(yield func(State) bool) {
		for state, err := range c.state.all(ctx) {
			if err != nil || !yield(state) {
				return
			}
		}
	}
}

// do has the owner call f. It fails where ctx is done or the client has ended.
func (c *Client) do(ctx context.Context, f func(*loop)) error {
	select {
	case c.commands <- f:
		return nil
	case <-c.done:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// endpoint returns the address of the WebSocket.
func endpoint(address string) (string, error) {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("client: address: %w", err)
	}
	switch u.Scheme {
	case "http", "ws":
		u.Scheme = "ws"
	case "https", "wss":
		u.Scheme = "wss"
	default:
		return "", fmt.Errorf("client: address: scheme %q is none of http, https, ws, wss", u.Scheme)
	}
	if u.Hostname() == "" {
		if u.Port() == "" {
			return "", errors.New("client: address: no host")
		}
		u.Host = net.JoinHostPort("127.0.0.1", u.Port())
	}
	if path := strings.TrimRight(u.Path, "/"); !strings.Contains(path+"/", "/ws/") {
		u.Path = path + wire.Path + "/ws"
	}
	return u.String(), nil
}
