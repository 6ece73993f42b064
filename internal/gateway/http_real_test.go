package gateway_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/identity"
	"github.com/pam-assistant/pam/internal/server"
	"github.com/pam-assistant/pam/internal/settings"
	"github.com/pam-assistant/pam/internal/wire"
)

// api is the real server with the script model, as an HTTP client sees it.
type api struct {
	*testing.T
	base  string
	token string
	stop  func() // drains and ends it
}

func serveAPI(t *testing.T, environment ...string) *api {
	t.Helper()
	data := t.TempDir()
	set, err := settings.Load(append([]string{
		"PAM_ADDR=127.0.0.1:0", "PAM_DATA=" + data, "PAM_MODEL=script", "PAM_DRAIN=10s", "PAM_MAX_FRAMES=0", "PAM_MAX_CHATS=0",
	}, environment...))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ready, ended := make(chan net.Addr, 1), make(chan error, 1)
	go func() {
		ended <- server.Run(ctx, server.Options{
			Settings: set, Version: "test", Logger: slog.New(slog.DiscardHandler), Now: time.Now,
			Ready: func(s server.Started) { ready <- s.Addr },
		})
	}()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("server: %v", err)
		}
	})
	t.Cleanup(stop)
	a := &api{T: t, stop: stop}
	select {
	case addr := <-ready:
		a.base = "http://" + addr.String() + wire.Path
	case err := <-ended:
		ended <- nil
		t.Fatalf("server: %v", err)
	}
	secret, err := identity.ReadDevelopmentSecret(data)
	if err != nil {
		t.Fatal(err)
	}
	v, err := identity.New(identity.Options{Secrets: [][]byte{secret}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	a.token, _, err = v.Sign(identity.DevelopmentUser, pam.RoleUser, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// ask makes a request; headers are in pairs. The caller closes the body.
func (a *api) ask(ctx context.Context, method, path, body string, headers ...string) *http.Response {
	a.Helper()
	r, err := http.NewRequestWithContext(ctx, method, a.base+path, strings.NewReader(body))
	if err != nil {
		a.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+a.token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		a.Fatal(err)
	}
	return answer
}

// whole makes a request and reads its answer to the end.
func (a *api) whole(method, path, body string, headers ...string) (*http.Response, string) {
	a.Helper()
	answer := a.ask(a.Context(), method, path, body, headers...)
	defer func() { _ = answer.Body.Close() }()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		a.Fatal(err)
	}
	return answer, string(b)
}

// frame is what the tests look at in a frame.
type frame struct {
	Type         string  `json:"type"`
	ID           string  `json:"id"`
	Conversation string  `json:"conversation_id"`
	Turn         string  `json:"turn_id"`
	From         int64   `json:"from"`
	Seq          int64   `json:"seq"`
	Content      string  `json:"content"`
	Message      string  `json:"message"`
	Full         string  `json:"full_response"`
	Status       string  `json:"status"`
	Code         string  `json:"error_code"`
	Detail       string  `json:"detail"`
	Session      string  `json:"session_id"`
	Version      float64 `json:"context_version"`
}

func (a *api) parse(text string) frame {
	a.Helper()
	var f frame
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		a.Fatalf("%q: %v", text, err)
	}
	return f
}

// event is one server-sent event.
type event struct {
	name, id, data string
	comment        bool
}

// events reads server-sent events one by one.
type events struct {
	*testing.T
	lines *bufio.Scanner
}

func readEvents(t *testing.T, answer *http.Response) *events {
	t.Helper()
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 4<<20)
	return &events{t, lines}
}

// next returns the next event, or false at the end.
func (e *events) next() (event, bool) {
	e.Helper()
	var now event
	some := false
	for e.lines.Scan() {
		line := e.lines.Text()
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "" && some:
			return now, true
		case name == "":
			now.comment, some = true, true
		case name == "event":
			now.name, some = value, true
		case name == "id":
			now.id, some = value, true
		case name == "data":
			if now.data != "" {
				now.data += "\n"
			}
			now.data += value
			some = true
		}
	}
	return event{}, false
}
