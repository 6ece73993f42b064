package pam_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/pam-assistant/pam/internal/faultlab"
)

// page is a page of a real browser, driven by the Chrome DevTools Protocol. Its
// methods are called by one goroutine, and fail the test where the browser does
// not do as it is told.
type page struct {
	t          *testing.T
	ctx        context.Context
	conn       *websocket.Conn
	session    string
	lastID     int
	complaints []string // exceptions, and what the page's policy has blocked
}

// message is what goes to the browser and comes from it.
type message struct {
	ID        int             `json:"id,omitempty"`
	SessionID string          `json:"sessionId,omitempty"`
	Method    string          `json:"method,omitempty"`
	Params    any             `json:"params,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"`
	Error     json.RawMessage `json:"error,omitempty"`
}

// openPage starts a browser of its own, with one empty page.
func openPage(t *testing.T) *page {
	t.Helper()
	chromium := faultlab.Need(t, "chromium")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--disable-dev-shm-usage", "--user-data-dir="+t.TempDir(), "--remote-debugging-port=0", "about:blank")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	drained := make(chan struct{})
	p := &page{t: t, ctx: ctx}
	t.Cleanup(func() {
		if p.conn != nil {
			_ = p.conn.Write(ctx, websocket.MessageText, []byte(`{"id":1000000,"method":"Browser.close"}`))
			_ = p.conn.CloseNow()
		}
		select {
		case <-drained:
		case <-time.After(5 * time.Second):
			cancel() // kills it
			<-drained
		}
		_ = cmd.Wait()
	})
	address := ""
	for address == "" && lines.Scan() {
		_, address, _ = strings.Cut(lines.Text(), "DevTools listening on ")
	}
	go func() {
		defer close(drained)
		for lines.Scan() { // so that the browser never waits for a reader
		}
	}()
	if address == "" {
		t.Fatal("the browser did not say where it listens")
	}
	p.conn, _, err = websocket.Dial(ctx, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	p.conn.SetReadLimit(64 << 20)
	var target struct{ TargetID, SessionID string }
	p.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	p.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &target)
	p.session = target.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		p.call(domain+".enable", map[string]any{}, nil)
	}
	return p
}

// call asks the browser, and decodes what it answers into result.
func (p *page) call(method string, params, result any) {
	p.t.Helper()
	p.lastID++
	ask := message{ID: p.lastID, SessionID: p.session, Method: method, Params: params}
	b, err := json.Marshal(ask)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.conn.Write(p.ctx, websocket.MessageText, b); err != nil {
		p.t.Fatalf("%s: %v", method, err)
	}
	for {
		_, b, err := p.conn.Read(p.ctx)
		if err != nil {
			p.t.Fatalf("%s: %v", method, err)
		}
		var got message
		if err := json.Unmarshal(b, &got); err != nil {
			p.t.Fatal(err)
		}
		switch {
		case got.ID == ask.ID && got.Error != nil:
			p.t.Fatalf("%s: %s", method, got.Error)
		case got.ID == ask.ID:
			if result != nil {
				if err := json.Unmarshal(got.Result, result); err != nil {
					p.t.Fatalf("%s: %v", method, err)
				}
			}
			return
		case got.Method == "Runtime.exceptionThrown", got.Method == "Log.entryAdded" && regexp.MustCompile(`"source":"(security|javascript)"|Content.Security.Policy`).Match(b):
			p.complaints = append(p.complaints, string(b))
		}
	}
}

// eval returns the value of a JavaScript expression in the page.
func (p *page) eval(expression string) any {
	p.t.Helper()
	var got struct {
		Result           struct{ Value any }
		ExceptionDetails json.RawMessage
	}
	p.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}, &got)
	if got.ExceptionDetails != nil {
		p.t.Fatalf("%s: %s", expression, got.ExceptionDetails)
	}
	return got.Result.Value
}

// open goes to an address.
func (p *page) open(url string) {
	p.t.Helper()
	p.call("Page.navigate", map[string]any{"url": url}, nil)
	p.until(`document.readyState === "complete" && location.href !== "about:blank"`)
}

// until waits for a JavaScript condition to hold, for 20 s at most.
func (p *page) until(condition string) {
	p.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if p.eval("(() => { try { return Boolean("+condition+") } catch { return false } })()") == true { // mid-navigation there is no page
			return
		}
	}
	p.t.Fatalf("not within 20 s: %s\nthe page says: %v", condition, p.eval("document.body.innerText"))
}

// say types a message and sends it as a person does.
func (p *page) say(text string) {
	p.t.Helper()
	p.eval(`document.getElementById("message").focus()`)
	p.call("Input.insertText", map[string]any{"text": text}, nil)
	for _, kind := range []string{"keyDown", "keyUp"} {
		p.call("Input.dispatchKeyEvent", map[string]any{
			"type": kind, "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r",
		}, nil)
	}
}

// shows is the condition that the conversation's text holds all of words.
func shows(words ...string) string {
	conditions := make([]string, len(words))
	for i, word := range words {
		conditions[i] = fmt.Sprintf(`document.getElementById("log").innerText.includes(%q)`, word)
	}
	return strings.Join(conditions, " && ")
}

// stateIs is the condition that the page says that its connection is so.
func stateIs(kind string) string {
	return fmt.Sprintf(`document.getElementById("state").dataset.kind === %q`, kind)
}
