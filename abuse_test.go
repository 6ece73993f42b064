package pam_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// abused is a server in production mode whose secrets are canaries.
type abused struct {
	*running
	pam     product
	data    string
	secrets []string
	heard   *bytes.Buffer // all that it answered
}

const (
	jwtCanary = "canary-of-the-signing-secret-0123456789abcdef"
	keyCanary = "sk-canary-of-the-providers-key"
	ownOrigin = "https://app.example"
)

func abuse(t *testing.T, env ...string) *abused {
	t.Helper()
	a := &abused{pam: build(t), data: t.TempDir(), secrets: []string{jwtCanary, keyCanary}, heard: &bytes.Buffer{}}
	all := append([]string{
		"PAM_DATA=" + a.data, "PAM_ADDR=127.0.0.1:0", "PAM_MODEL=script", "PAM_JWT_SECRET=" + jwtCanary,
		"OPENAI_API_KEY=" + keyCanary, "PAM_ALLOWED_ORIGINS=" + ownOrigin, "PAM_LOG_LEVEL=debug",
	}, env...)
	a.running = a.pam.serve(t, all...)
	return a
}

func (a *abused) token(user string) string {
	a.t.Helper()
	token := tokenFor(a.t, a.pam, a.env, user)
	a.secrets = append(a.secrets, token)
	return token
}

// open opens a WebSocket; nothing of it is judged yet.
func (a *abused) open(path string, header http.Header, protocols ...string) *websocket.Conn {
	a.t.Helper()
	conn, _, err := websocket.Dial(a.t.Context(), a.url+"/api/v1/pam/ws"+path, &websocket.DialOptions{Subprotocols: protocols, HTTPHeader: header})
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { _ = conn.CloseNow() })
	conn.SetReadLimit(4 << 20)
	return conn
}

// end reads to the end of a connection: the codes of the errors, and the close.
func (a *abused) end(conn *websocket.Conn) (codes []string, code int) {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), 20*time.Second)
	defer cancel()
	for {
		_, b, err := conn.Read(ctx)
		if err != nil {
			if code := websocket.CloseStatus(err); code > 0 {
				return codes, int(code)
			}
			a.t.Fatalf("after %v: %v", codes, err)
		}
		a.heard.Write(b)
		var f frame
		if json.Unmarshal(b, &f) == nil && f.is("error") {
			codes = append(codes, f["error_code"].(string))
			for _, field := range []string{"message", "hint"} {
				if s, _ := f[field].(string); s == "" {
					a.t.Errorf("an error without %s: %v", field, f)
				}
			}
		}
	}
}

// ask asks by HTTP.
func (a *abused) ask(method, path string, header http.Header, body string) (*http.Response, string) {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), method, a.url+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	if header != nil {
		r.Header = header
	}
	if host := header.Get("Host"); host != "" {
		r.Host = host
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	a.heard.Write(b)
	fmt.Fprint(a.heard, answer.Header)
	return answer, string(b)
}

// clean stops the server and looks for secrets, and for what a sender chose
// unescaped, in the log, the answers and the files.
func (a *abused) clean() {
	a.t.Helper()
	a.stop(syscall.SIGTERM)
	places := map[string][]byte{"log": a.log.Bytes(), "answer": a.heard.Bytes()}
	if err := filepath.WalkDir(a.data, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != "dev-secret" {
			places[path], err = os.ReadFile(path)
		}
		return err
	}); err != nil {
		a.t.Fatal(err)
	}
	for place, b := range places {
		for _, secret := range a.secrets {
			if bytes.Contains(b, []byte(secret)) {
				a.t.Errorf("%s has the secret %.12s…", place, secret)
			}
		}
	}
	for line := range strings.SplitSeq(a.log.String(), "\n") {
		if i := strings.IndexFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 || r == 0x202e }); i >= 0 {
			a.t.Errorf("unescaped in the log: %q", line)
		}
		if strings.HasPrefix(line, "forged") || strings.Contains(line, "panic") {
			a.t.Errorf("in the log: %q", line)
		}
	}
}

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

// TestBadFrames: each its own error, and the connection as the table says.
func TestBadFrames(t *testing.T) {
	t.Parallel()
	a := abuse(t)
	alice, bob := a.token("alice"), a.token("bob")
	his := dial(t, a.running, bob)
	send(t, his, frame{"type": "chat", "conversation_id": "his", "message": "mine alone"})
	turn := until(t, his, "chat_response_complete")["turn_id"]

	conn := dial(t, a.running, alice)
	id := strings.Repeat("i", 65)
	for _, c := range []struct{ sent, code string }{
		{`{"type":"nonsense\u001b[2J"}`, "unknown_type"},
		{`{"type":"chat","message":""}`, "invalid"},
		{`{"type":"chat","message":" \n\t "}`, "invalid"},
		{`{"type":"chat"}`, "invalid"},
		{`{"type":"chat","message":7}`, "invalid"},
		{`{"type":"chat","message":"` + strings.Repeat("ä", 32_769) + `"}`, "invalid"},
		{`{"type":"chat","message":"a","content":"b"}`, "invalid"},
		{`{"type":"chat","message":"a","id":"` + id + `"}`, "invalid"},
		{`{"type":"chat","message":"a","id":"a\u0000\nforged"}`, "invalid"},
		{`{"type":"chat","message":"a","id":"../../etc/passwd"}`, "invalid"},
		{`{"type":"chat","message":"a","conversation_id":"` + id + `"}`, "invalid"},
		{`{"type":"chat","message":"a","when_busy":"explode"}`, "invalid"},
		{`{"type":"chat","message":"a","context":[]}`, "invalid"},
		{`{"type":"context_update","context":{"a":"` + strings.Repeat("x", 65<<10) + `"}}`, "invalid"},
		{`{"type":"subscribe","conversation_id":"his"}`, "not_found"},
		{`{"type":"subscribe","conversation_id":"his","after":-1}`, "invalid"},
		{`{"type":"subscribe"}`, "invalid"},
		{`{"type":"cancel","conversation_id":"his"}`, "not_found"},
		{fmt.Sprintf(`{"type":"cancel","turn_id":"%s"}`, turn), "not_found"},
		{`{"type":"cancel"}`, "invalid"},
		{`{"type":"cancel","turn_id":"nobody"}`, "not_found"},
		{`not JSON`, "bad_frame"},
		{`[1,2]`, "bad_frame"},
		{`{"type":"ping"}`, ""}, // starts the count anew
		{`{"no":"type"}`, "bad_frame"},
		{strings.Repeat(`{"a":`, 101) + `1` + strings.Repeat(`}`, 101), "bad_frame"},
		{`{"type":"auth","token":"forged\nforged"}`, "token_malformed"},
	} {
		if err := conn.Write(t.Context(), websocket.MessageText, []byte(c.sent)); err != nil {
			t.Fatalf("%.60s: %v", c.sent, err)
		}
		f := receive(t, conn)
		if code, _ := f["error_code"].(string); code != c.code {
			t.Errorf("%.60s: answered %v, want %q", c.sent, f, c.code)
		}
	}
	send(t, conn, frame{"type": "chat", "message": strings.Repeat("ä", 32_768)})
	if f := until(t, conn, "chat_response_complete"); f["status"] != "completed" {
		t.Errorf("the longest message: %v", f["status"])
	}
	for range 3 {
		if err := conn.Write(t.Context(), websocket.MessageText, []byte("{")); err != nil {
			t.Fatal(err)
		}
	}
	if codes, code := a.end(conn); code != 4400 || fmt.Sprint(codes) != "[bad_frame bad_frame bad_frame]" {
		t.Errorf("three bad frames: %v, closed with %d", codes, code)
	}
	send(t, his, frame{"type": "ping", "timestamp": 1})
	if f := receive(t, his); !f.is("pong") {
		t.Errorf("another's connection: %v", f)
	}
	a.clean()
}

// TestEnds: what ends a connection, with its own code.
func TestEnds(t *testing.T) {
	t.Parallel()
	a := abuse(t)
	alice := a.token("alice")
	forged := http.Header{"Origin": {"https://evil.example"}, "User-Agent": {"x\u202eforged"}}
	ticket := a.ticket(alice)
	a.secrets = append(a.secrets, ticket)
	late := a.open("", nil) // nobody's, for 10 s
	began := time.Now()
	for _, c := range []struct {
		name   string
		path   string
		header http.Header
		send   func(*websocket.Conn) error
		code   string
		close  int
	}{
		{"not UTF-8", "?token=" + alice, nil, text("{\"type\":\"ping\xff\"}"), "invalid_utf8", 1007},
		{"too large", "?token=" + alice, nil, text(`{"type":"ping","x":"` + strings.Repeat("x", 512<<10) + `"}`), "frame_too_large", 1009},
		{"binary", "?token=" + alice, nil, func(c *websocket.Conn) error {
			return c.Write(t.Context(), websocket.MessageBinary, []byte(`{"type":"ping"}`))
		}, "binary_frame", 1003},
		{"another's path", "/bob?token=" + alice, nil, nil, "user_mismatch", 4403},
		{"a forged path", "/%1b%5b2J%0aforged?token=" + alice, nil, nil, "user_mismatch", 4403},
		{"another origin", "?token=" + alice, forged, nil, "origin_not_allowed", 4403},
		{"the origin null", "?token=" + alice, http.Header{"Origin": {"null"}}, nil, "origin_not_allowed", 4403},
		{"no token at all", "?token=x.y.z", nil, nil, "token_malformed", 4401},
		{"a wrong first auth", "", nil, text(`{"type":"auth","token":"a.b.c"}`), "token_malformed", 4401},
		{"another's renewal", "?token=" + alice, nil, text(`{"type":"auth","token":"` + a.token("bob") + `"}`), "user_mismatch", 4403},
		{"a ticket", "?ticket=" + ticket, nil, func(c *websocket.Conn) error { return c.Write(t.Context(), websocket.MessageBinary, nil) }, "binary_frame", 1003},
		{"a ticket twice", "?ticket=" + ticket, nil, nil, "ticket_invalid", 4401},
	} {
		conn := a.open(c.path, c.header)
		if c.send != nil {
			if err := c.send(conn); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		if codes, code := a.end(conn); code != c.close || len(codes) != 1 || codes[0] != c.code {
			t.Errorf("%s: %v, closed with %d; want %s, %d", c.name, codes, code, c.code, c.close)
		}
	}
	send(t, late, frame{"type": "init"})
	codes, code := a.end(late)
	if took := time.Since(began); code != 4401 || fmt.Sprint(codes) != "[token_missing auth_timeout]" || took > 15*time.Second {
		t.Errorf("without auth: %v, closed with %d after %v", codes, code, took)
	}
	a.clean()
}

func text(s string) func(*websocket.Conn) error {
	return func(c *websocket.Conn) error {
		return c.Write(context.Background(), websocket.MessageText, []byte(s))
	}
}

// ticket gets one.
func (a *abused) ticket(token string) string {
	a.t.Helper()
	answer, b := a.ask("POST", "/api/v1/pam/tickets", bearer(token), "ignored")
	var f frame
	if err := json.Unmarshal([]byte(b), &f); err != nil || answer.StatusCode != http.StatusOK {
		a.t.Fatalf("tickets: %s, %s", answer.Status, b)
	}
	a.heard.Reset() // it is the one who asked that it was told to
	return f["ticket"].(string)
}

// TestFloods: frames, connections and handshakes beyond the limits.
func TestFloods(t *testing.T) {
	t.Parallel()
	a := abuse(t, "PAM_MAX_CONNECTIONS=2", "PAM_MAX_FRAMES=20", "PAM_MAX_HANDSHAKES=20")
	alice := a.token("alice")
	first, second := dial(t, a.running, alice), dial(t, a.running, alice)
	if codes, code := a.end(a.open("?token="+alice, nil)); code != 4409 || fmt.Sprint(codes) != "[too_many_connections]" {
		t.Errorf("the third: %v, closed with %d", codes, code)
	}
	if err := second.Close(websocket.StatusNormalClosure, "forged\x1b[2J"); err != nil {
		t.Error(err)
	}
	var conn *websocket.Conn
	for range 50 { // until the second is counted out
		conn = a.open("?token="+alice, nil, "pam.v1")
		if _, b, err := conn.Read(t.Context()); err == nil && bytes.Contains(b, []byte(`"connected"`)) {
			break
		}
		time.Sleep(60 * time.Millisecond)
	}
	go func() {
		for conn.Write(t.Context(), websocket.MessageText, []byte(`{"type":"ping"}`)) == nil {
			time.Sleep(time.Millisecond)
		}
	}()
	if codes, code := a.end(conn); code != 4429 || len(codes) < 2 || codes[0] != "rate_limited" {
		t.Errorf("a flood: %.80s, closed with %d", codes, code)
	}
	send(t, first, frame{"type": "ping"})
	if f := receive(t, first); !f.is("pong") {
		t.Errorf("the others: %v", f)
	}
	upgrade := http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
	}
	limited := 0
	for range 60 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.url+"/api/v1/pam/ws", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = upgrade
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode == http.StatusTooManyRequests {
			limited++
			if answer.Header.Get("Retry-After") == "" {
				t.Error("429 without Retry-After")
			}
		}
		_ = answer.Body.Close()
	}
	if limited < 20 {
		t.Errorf("%d of 60 handshakes at once were refused", limited)
	}
	a.clean()
}

// TestRefusedByHTTP: what is no upgrade, and the pages of data.
func TestRefusedByHTTP(t *testing.T) {
	t.Parallel()
	a := abuse(t)
	alice := a.token("alice")
	const ws, base = "/api/v1/pam/ws", "/api/v1/pam"
	half := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"12"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
	badKey := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"short"}}
	typed := func(media string) http.Header {
		h := bearer(alice)
		h.Set("Content-Type", media)
		return h
	}
	evil := bearer(alice)
	evil.Set("Origin", "https://evil.example")
	for _, c := range []struct {
		method, path string
		header       http.Header
		body         string
		status       int
		has          string
	}{
		{"GET", ws, nil, "", 426, "Sec-WebSocket-Key: is missing"},
		{"GET", ws, half, "", 426, "Sec-WebSocket-Version: is not 13"},
		{"GET", ws, badKey, "", 400, "Sec-WebSocket-Key"},
		{"POST", ws, nil, "", 405, "GET"},
		{"GET", base + "/nothing%0aforged%1b[2J", nil, "", 404, "not_found"},
		{"POST", base + "/tickets", nil, "", 401, "token_missing"},
		{"POST", base + "/tickets", bearer("a.b.c"), "", 401, "token_malformed"},
		{"POST", base + "/tickets", evil, "", 403, "origin_not_allowed"},
		{"POST", base + "/dev-token", nil, "", 404, "not_found"},
		{"GET", base + "/context", nil, "", 401, "token_missing"},
		{"GET", base + "/context", bearer(alice), "", 200, `"context":{}`},
		{"GET", base + "/context?session_id=%0aforged", bearer(alice), "", 400, "session_id"},
		{"PATCH", base + "/context", bearer(alice), "{}", 415, "application/json"},
		{"PATCH", base + "/context", typed("text/plain"), "{}", 415, "application/json"},
		{"PATCH", base + "/context", typed("application/json"), "[]", 400, "bad_frame"},
		{"PATCH", base + "/context", typed("application/json"), "{", 400, "bad_frame"},
		{"PATCH", base + "/context", typed("application/json"), `{"a":1,"a":2}`, 400, "bad_frame"},
		{"PATCH", base + "/context", typed("application/json"), `{"a":"` + strings.Repeat("x", 513<<10) + `"}`, 413, "frame_too_large"},
		{"PATCH", base + "/context", typed("application/json"), `{"a":"` + strings.Repeat("x", 65<<10) + `"}`, 400, "invalid"},
		{"PATCH", base + "/context", typed("application/merge-patch+json"), `{"locale":"de-CH"}`, 200, `"locale":"de-CH"`},
		{"GET", base + "/memory", bearer(alice), "", 200, `"memory":[]`},
		{"DELETE", base + "/memory/none%00%1b", bearer(alice), "", 404, "not_found"},
		{"DELETE", base + "/memory", bearer(alice), "", 204, ""},
		{"DELETE", base + "/memory", nil, "", 401, "token_missing"},
		{"GET", "/health", nil, "", 200, "ok"},
		{"GET", "/ready", nil, "", 200, "ready"},
		{"GET", base + "/health", nil, "", 200, `"counters"`},
		{"GET", base + "/health", http.Header{"X-Forwarded-For": {"10.0.0.1"}}, "", 200, `"components"`},
	} {
		answer, b := a.ask(c.method, c.path, c.header, c.body)
		if answer.StatusCode != c.status || !strings.Contains(b, c.has) {
			t.Errorf("%s %s: %d %s, want %d with %q", c.method, c.path, answer.StatusCode, b, c.status, c.has)
		}
		switch c.status {
		case 426:
			if answer.Header.Get("Upgrade") != "websocket" || answer.Header.Get("Sec-Websocket-Version") != "13" {
				t.Errorf("426 with %v", answer.Header)
			}
		case 405:
			if answer.Header.Get("Allow") != "GET" {
				t.Errorf("405 with %v", answer.Header)
			}
		}
		if c.header.Get("X-Forwarded-For") != "" && strings.Contains(b, "counters") {
			t.Error("counters are shown to who comes through a proxy")
		}
	}
	a.preflight(base)
	a.clean()
}

// preflight asks as browsers do.
func (a *abused) preflight(base string) {
	a.t.Helper()
	for origin, allowed := range map[string]string{ownOrigin: ownOrigin, "https://evil.example": "", "null": ""} {
		for _, path := range []string{"/context", "/tickets", "/nothing"} {
			answer, _ := a.ask("OPTIONS", base+path, http.Header{"Origin": {origin}, "Access-Control-Request-Method": {"PATCH"}}, "")
			h := answer.Header
			if answer.StatusCode != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != allowed ||
				!strings.Contains(h.Get("Vary"), "Origin") || h.Get("Access-Control-Allow-Credentials") != "" {
				a.t.Errorf("preflight of %s for %s: %s, %v", path, origin, answer.Status, h)
			}
		}
	}
}

// TestDevelopmentToken: PAM's own page gets one, and nobody else.
func TestDevelopmentToken(t *testing.T) {
	t.Parallel()
	a := &abused{pam: build(t), data: t.TempDir(), heard: &bytes.Buffer{}}
	a.running = a.pam.serve(t, "PAM_DATA="+a.data, "PAM_ADDR=127.0.0.1:0", "PAM_MODEL=script")
	host := strings.TrimPrefix(a.url, "http://")
	port := host[strings.LastIndexByte(host, ':'):]
	for _, c := range []struct {
		name   string
		header http.Header
		status int
	}{
		{"no origin", http.Header{}, 403},
		{"another origin", http.Header{"Origin": {"https://evil.example"}}, 403},
		{"another port", http.Header{"Origin": {"http://127.0.0.1:1"}}, 403},
		{"another name of it", http.Header{"Origin": {"http://localhost" + port}}, 403},
		{"the origin null", http.Header{"Origin": {"null"}}, 403},
		{"a proxy between", http.Header{"Origin": {a.url}, "X-Forwarded-For": {"10.0.0.1"}}, 403},
		{"another host", http.Header{"Origin": {"http://evil.example" + port}, "Host": {"evil.example" + port}}, 403},
		{"the page", http.Header{"Origin": {a.url}}, 200},
	} {
		answer, b := a.ask("POST", "/api/v1/pam/dev-token", c.header, "")
		if answer.StatusCode != c.status || strings.Contains(b, `"token"`) != (c.status == 200) {
			t.Errorf("%s: %d, want %d", c.name, answer.StatusCode, c.status)
		}
	}
	for _, path := range []string{"/", "/api/v1/pam/context", "/api/v1/pam/health"} {
		if answer, _ := a.ask("GET", path, http.Header{"Host": {"evil.example" + port}}, ""); answer.StatusCode < 400 {
			t.Errorf("%s by another host's name: %s", path, answer.Status)
		}
	}
	secret, err := os.ReadFile(filepath.Join(a.data, "dev-secret"))
	if err != nil {
		t.Fatal(err)
	}
	a.secrets = []string{strings.TrimSpace(string(secret))}
	a.clean()
}
