package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
)

const streamOf = "/conversations/c1/events"

// follows is the reducer's rule for what a reader may be sent.
type follows struct {
	*testing.T
	last int64
	text string
	full string
}

func (r *follows) apply(f frame) {
	r.Helper()
	from := f.From
	if from == 0 {
		from = f.Seq
	}
	if from > r.last+1 || f.Seq <= r.last || f.Type == "chat_response_delta" && from != r.last+1 {
		r.Errorf("after %d comes %s, %d to %d", r.last, f.Type, from, f.Seq)
	}
	r.last = f.Seq
	switch f.Type {
	case "chat_response_delta":
		r.text += f.Content
	case "chat_response_complete":
		r.full = f.Full
	}
}

func (a *api) frames(body string) []frame {
	a.Helper()
	var all []frame
	if err := json.Unmarshal([]byte(body), &all); err != nil {
		a.Fatalf("%q: %v", body, err)
	}
	return all
}

// control is the control event of the specification.
type control struct {
	Next     string `json:"streamNextOffset"`
	Cursor   string `json:"streamCursor"`
	UpToDate bool   `json:"upToDate"`
}

func (a *api) control(e event) control {
	a.Helper()
	var c control
	if err := json.Unmarshal([]byte(e.data), &c, json.RejectUnknownMembers(true)); err != nil || e.name != "control" {
		a.Fatalf("%+v: %v", e, err)
	}
	return c
}

// What the specification says of reading what there is (sections 5.5, 5.6, 8, 10.1).
func TestHTTPEventsCatchUp(t *testing.T) {
	t.Parallel()
	a := serveAPI(t)
	a.whole(http.MethodPost, "/chat", `{"message":"bench d=20 r=0","conversation_id":"c1"}`)
	all, body := a.whole(http.MethodGet, streamOf, "")
	tail, tag := all.Header.Get("Stream-Next-Offset"), all.Header.Get("ETag")
	reads := follows{T: t}
	for _, f := range a.frames(body) {
		reads.apply(f)
	}
	if epoch, seq, _ := strings.Cut(tail, "_"); len(seq) != 16 || len(epoch) != 36 || strings.TrimLeft(seq, "0") != strconv.FormatInt(reads.last, 10) {
		t.Errorf("Stream-Next-Offset is %q behind event %d", tail, reads.last)
	}
	if len(reads.full) != 20*18 {
		t.Errorf("the answer is %q", reads.full)
	}
	type seen struct {
		Status                      int
		Body, Next, UpToDate, Cache string
		Tagged, Cursor              bool
	}
	look := func(method, query string, headers ...string) seen {
		answer, body := a.whole(method, streamOf+query, "", headers...)
		h := answer.Header
		if h.Get("Stream-Closed") != "" {
			t.Errorf("%s: Stream-Closed is there", query)
		}
		return seen{
			answer.StatusCode, body, h.Get("Stream-Next-Offset"), h.Get("Stream-Up-To-Date"), h.Get("Cache-Control"),
			h.Get("ETag") != "", h.Get("Stream-Cursor") != "",
		}
	}
	const private = "private, no-store"
	for name, c := range map[string]struct{ got, want seen }{
		"-1":           {look("GET", "?offset=-1"), seen{200, body, tail, "true", private, true, false}},
		"the tail":     {look("GET", "?offset="+tail), seen{200, "[]", tail, "true", private, true, false}},
		"now":          {look("GET", "?offset=now"), seen{200, "[]", tail, "true", private, false, false}},
		"HEAD":         {look("HEAD", ""), seen{200, "", tail, "", private, false, false}},
		"not modified": {look("GET", "?offset=-1", "If-None-Match", tag), seen{304, "", tail, "true", private, true, false}},
		"modified":     {look("GET", "?offset=-1", "If-None-Match", `"x"`), seen{200, body, tail, "true", private, true, false}},
		"polled":       {look("GET", "?offset=-1&live=long-poll"), seen{200, body, tail, "true", private, true, true}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
	rest, body := a.whole(http.MethodGet, streamOf+"?offset="+tail[:36]+"_0000000000000001", "")
	if f := a.frames(body); rest.StatusCode != http.StatusOK || f[0].Seq != 2 {
		t.Errorf("after the first: %s", body)
	}
}

func TestHTTPEventsRefusals(t *testing.T) {
	t.Parallel()
	a := serveAPI(t)
	a.whole(http.MethodPost, "/chat", `{"message":"x","conversation_id":"c1"}`)
	head, _ := a.whole(http.MethodHead, streamOf, "")
	epoch := head.Header.Get("Stream-Next-Offset")[:36]
	const other = "0199f0c2-6c1e-7b55-9d0a-7a1d3c7b2f10"
	for query, want := range map[string]string{
		"?offset=":                               "400 invalid",
		"?offset=x":                              "400 invalid",
		"?offset=-2":                             "400 invalid",
		"?offset=1":                              "400 invalid",
		"?offset=NOW":                            "400 invalid",
		"?offset=" + epoch:                       "400 invalid",
		"?offset=" + epoch + "_1":                "400 invalid",
		"?offset=" + epoch + "_-000000000000001": "400 invalid",
		"?offset=" + epoch + "_%2B000000000000001":              "400 invalid",
		"?offset=" + epoch + "_00000000000000001":               "400 invalid",
		"?offset=_0000000000000001":                             "400 invalid",
		"?offset=a%0Ab_0000000000000001":                        "400 invalid",
		"?offset=-1&offset=-1":                                  "400 invalid",
		"?offset=%zz":                                           "400 invalid",
		"?offset=-1&live=":                                      "400 invalid",
		"?offset=-1&live=yes":                                   "400 invalid",
		"?live=sse":                                             "400 invalid",
		"?live=long-poll":                                       "400 invalid",
		"?offset=" + other + "_0000000000000001":                "410 epoch_changed",
		"?offset=" + other + "_0000000000000000":                "410 epoch_changed",
		"?offset=" + epoch + "_0000000000000999":                "410 epoch_changed",
		"?live=sse&offset=" + other + "_0000000000000001":       "410 epoch_changed",
		"?live=long-poll&offset=" + other + "_0000000000000001": "410 epoch_changed",
	} {
		answer, body := a.whole(http.MethodGet, streamOf+query, "")
		if got := fmt.Sprint(answer.StatusCode, " ", a.parse(body).Code); got != want {
			t.Errorf("%s: %s: %s", query, got, body)
		}
	}
	if answer, body := a.whole(http.MethodGet, streamOf+"?offset=-1&live=sse", "", "Last-Event-ID", "none"); answer.StatusCode != http.StatusBadRequest {
		t.Errorf("a Last-Event-ID that is none: %s: %s", answer.Status, body)
	}
	if answer, body := a.whole(http.MethodGet, "/conversations/none/events", ""); answer.StatusCode != http.StatusNotFound || a.parse(body).Code != "not_found" {
		t.Errorf("an unknown conversation: %s: %s", answer.Status, body)
	}
	if answer, body := a.whole(http.MethodGet, streamOf, "", "Authorization", ""); answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token: %s: %s", answer.Status, body)
	}
	for _, method := range []string{"PUT", "POST", "DELETE", "PATCH"} {
		answer, body := a.whole(method, streamOf, `{}`)
		if answer.StatusCode != http.StatusMethodNotAllowed || answer.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %s, Allow %q: %s", method, answer.Status, answer.Header.Get("Allow"), body)
		}
	}
}

// A poll is held until something comes.
func TestHTTPEventsLongPoll(t *testing.T) {
	t.Parallel()
	a := serveAPI(t)
	a.whole(http.MethodPost, "/chat", `{"message":"x","conversation_id":"c1"}`)
	head, _ := a.whole(http.MethodHead, streamOf, "")
	reads := follows{T: t}
	next, cursor := head.Header.Get("Stream-Next-Offset"), int64(0)
	reads.last, _ = strconv.ParseInt(next[37:], 10, 64)
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		time.Sleep(50 * time.Millisecond)
		a.whole(http.MethodPost, "/chat", `{"message":"bench d=100 r=200","conversation_id":"c1"}`)
	}()
	for reads.full == "" || len(reads.full) < 18 {
		answer, body := a.whole(http.MethodGet, fmt.Sprintf("%s?offset=%s&live=long-poll&cursor=%d", streamOf, next, cursor), "")
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", answer.Status, body)
		}
		for _, f := range a.frames(body) {
			reads.apply(f)
		}
		next = answer.Header.Get("Stream-Next-Offset")
		newer, err := strconv.ParseInt(answer.Header.Get("Stream-Cursor"), 10, 64)
		if err != nil || newer <= cursor {
			t.Fatalf("Stream-Cursor %q after %d", answer.Header.Get("Stream-Cursor"), cursor)
		}
		cursor = newer
	}
	if reads.text != reads.full || len(reads.full) != 100*18 {
		t.Errorf("read %d bytes in pieces, the answer has %d", len(reads.text), len(reads.full))
	}
	<-asked
}

// A reader that is cut off again and again goes on by Last-Event-ID, in the
// midst of an answer.
func TestHTTPEventsSSE(t *testing.T) {
	t.Parallel()
	a := serveAPI(t)
	_, _ = a.whole(http.MethodPost, "/frames", `{"type":"chat","message":"bench d=200 r=200","conversation_id":"c1"}`)
	reads, id := follows{T: t}, ""
	for connection := 0; reads.full == ""; connection++ {
		ctx, leave := context.WithCancel(t.Context())
		answer := a.ask(ctx, http.MethodGet, streamOf+"?offset=-1&live=sse", "", "Last-Event-ID", id)
		if got := answer.Header.Get("Content-Type"); got != "text/event-stream" {
			t.Errorf("Content-Type is %q", got)
		}
		read := readEvents(t, answer)
		for n := 0; n < 10 && reads.full == ""; n++ {
			e, ok := read.next()
			if !ok {
				t.Fatal("the stream ended")
			}
			if e.name == "control" {
				if c := a.control(e); c.Cursor == "" || id != "" && c.Next != id {
					t.Errorf("after %s: %s", id, e.data)
				}
				continue
			}
			if e.name != "data" || e.id == "" {
				t.Fatalf("came %+v", e)
			}
			for _, f := range a.frames(e.data) {
				reads.apply(f)
			}
			id = e.id
		}
		leave()
		_ = answer.Body.Close()
		if connection == 2000 {
			t.Fatal("no end is seen")
		}
	}
	if !strings.HasPrefix(reads.full, "00001 ") || !strings.HasSuffix(reads.full, reads.text[len(reads.text)-18:]) || len(reads.full) != 200*18 {
		t.Errorf("the answer is %q", reads.full)
	}
}

// now begins at the end, and says so at once; the end of the server ends it.
func TestHTTPEventsNow(t *testing.T) {
	t.Parallel()
	a := serveAPI(t)
	a.whole(http.MethodPost, "/chat", `{"message":"x","conversation_id":"c1"}`)
	head, _ := a.whole(http.MethodHead, streamOf, "")
	answer := a.ask(t.Context(), http.MethodGet, streamOf+"?offset=now&live=sse", "")
	defer func() { _ = answer.Body.Close() }()
	read := readEvents(t, answer)
	first, _ := read.next()
	if c := a.control(first); !c.UpToDate || c.Next != head.Header.Get("Stream-Next-Offset") {
		t.Errorf("first comes %s", first.data)
	}
	a.whole(http.MethodPost, "/chat", `{"message":"y","conversation_id":"c1"}`)
	if e, _ := read.next(); e.name != "data" || a.frames(e.data)[0].Message != "y" {
		t.Errorf("then %+v", e)
	}
	polled := make(chan int, 1)
	tail, _ := a.whole(http.MethodHead, streamOf, "")
	go func() {
		answer, _ := a.whole(http.MethodGet, streamOf+"?live=long-poll&offset="+tail.Header.Get("Stream-Next-Offset"), "")
		polled <- answer.StatusCode
	}()
	time.Sleep(50 * time.Millisecond)
	began := time.Now()
	a.stop()
	for {
		if _, ok := read.next(); !ok {
			break
		}
	}
	if status := <-polled; status != http.StatusNoContent {
		t.Errorf("the poll is answered %d", status)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("the server took %s to end its readers", took)
	}
}
