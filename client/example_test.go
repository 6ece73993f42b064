package client_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/coder/websocket"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/client"
	"github.com/pam-assistant/pam/internal/wire"
)

// One question, one answer: however often the connection is lost meanwhile, the
// question is asked once and the answer is whole.
func Example() {
	address, down := exampleServer("12% of 340 is ", "40.8.")
	defer down()
	c, err := client.New(address, client.Options{
		Token: func(context.Context) (string, error) { return "a JWT", nil },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() { _ = c.Run(ctx) }() // its end is one of the states

	answer, err := c.Chat(ctx, client.Message{Text: "what is 12% of 340?"})
	if err != nil {
		fmt.Println(err)
		return
	}
	turn, err := answer.Wait(ctx)
	fmt.Println(pam.Text(turn.Parts), err)
	// Output: 12% of 340 is 40.8. <nil>
}

// An answer as it grows. Each update has the whole answer so far.
func ExampleAnswer_Updates() {
	address, down := exampleServer("12% of 340 is ", "40.8.")
	defer down()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	c, err := client.New(address, client.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() { _ = c.Run(ctx) }() // its end is one of the states

	answer, err := c.Chat(ctx, client.Message{Text: "what is 12% of 340?"})
	if err != nil {
		fmt.Println(err)
		return
	}
	shown := ""
	for update, err := range answer.Updates(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		text := pam.Text(update.Turn.Parts)
		fmt.Print(text[len(shown):]) // where nothing was taken back, as here
		shown = text
	}
	// Output: 12% of 340 is 40.8.
}

// The connection's state, as a person is told it.
func ExampleClient_States() {
	address, down := exampleServer()
	defer down()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	c, err := client.New(address, client.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() { _ = c.Run(ctx) }() // its end is one of the states

	for state := range c.States(ctx) {
		switch s := state.(type) {
		case client.Connecting:
		case client.Connected:
			fmt.Println("connected to PAM", s.ServerVersion)
			c.Close()
		case client.Silent:
			fmt.Println("nothing heard since", s.Since)
		case client.Reconnecting:
			fmt.Println("next attempt at", s.At, "because:", s.Cause)
		case client.Refused:
			fmt.Println("refused:", s.Cause)
		case client.Closed:
			fmt.Println("closed")
		}
	}
	// Output:
	// connected to PAM 1.0.0
	// closed
}

// The reducer by itself: what a line loses it asks for, what a line repeats it
// ignores.
func ExampleConversation() {
	var c client.Conversation
	c.Subscribe(client.Subscribed{Epoch: "e", Seq: 0, From: 1})
	for _, e := range []pam.Event{
		{From: 1, Seq: 1, Turn: "t", Body: pam.UserMessage{ID: "1", Message: "count"}},
		{From: 2, Seq: 2, Turn: "t", Body: pam.Delta{Content: "one "}},
		{From: 2, Seq: 2, Turn: "t", Body: pam.Delta{Content: "one "}},
		{From: 4, Seq: 4, Turn: "t", Body: pam.Delta{Content: "three "}},
	} {
		if c.Event(e) == client.Lost {
			fmt.Printf("subscribe after %d\n", c.Resume().After)
		}
	}
	c.Subscribe(client.Subscribed{Epoch: "e", Seq: 4, From: 3})
	c.Event(pam.Event{From: 3, Seq: 4, Turn: "t", Body: pam.Delta{Content: "two three"}}) // merged by the replay

	fmt.Println(pam.Text(c.View.Turns[0].Parts))
	// Output:
	// subscribe after 2
	// one two three
}

// exampleServer answers the first message with deltas.
func exampleServer(deltas ...string) (address string, down func()) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{wire.SubprotocolV1}})
		if err != nil {
			return
		}
		defer func() { _ = conn.CloseNow() }()
		send := func(frame []byte) { _ = conn.Write(r.Context(), websocket.MessageText, frame) }
		send(wire.AppendConnected(nil, wire.Greeting{Connection: "k", ServerVersion: "1.0.0", Heartbeat: time.Minute}))
		for {
			_, frame, err := conn.Read(r.Context())
			if err != nil {
				return
			}
			if request, err := wire.ParseRequest(frame); err == nil {
				if chat, ok := request.(wire.Chat); ok {
					exampleTurn(send, chat, deltas)
				}
			}
		}
	}))
	return server.URL, func() { server.CloseClientConnections(); server.Close() }
}

func exampleTurn(send func([]byte), chat wire.Chat, deltas []string) {
	send(wire.AppendSubscribed(nil, wire.Subscription{Conversation: chat.Conversation, Epoch: "e", Seq: 1, From: 1}))
	seq := int64(0)
	event := func(body pam.EventBody) {
		seq++
		key := pam.Key{Conversation: chat.Conversation}
		send(wire.AppendEvent(nil, &pam.Event{Key: key, From: seq, Seq: seq, Turn: "t", Body: body}))
	}
	event(pam.UserMessage{ID: chat.ID, Message: chat.Message})
	text := ""
	for _, delta := range deltas {
		text += delta
		event(pam.Delta{Content: delta})
	}
	event(pam.Complete{Status: pam.TurnCompleted, Parts: []pam.Part{{Text: text}}})
}
