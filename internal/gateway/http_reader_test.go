package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/pam-assistant/pam"
)

const journalEpoch pam.Epoch = "0199f0c2-6c1e-7b55-9d0a-7a1d3c7b2f10"

// journal is one conversation whose watchers are delivered to as the test
// likes; its pages hold three events.
type journal struct {
	Turns

	mu      sync.Mutex
	records []pam.Record
	watcher Watcher
	live    bool
	closed  int
}

func (j *journal) Watch(_ context.Context, _ pam.Key, w Watcher, _ pam.Resume) (Watch, pam.Position, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.watcher, j.live = w, false
	return j, pam.Position{Epoch: journalEpoch, Head: int64(len(j.records)), From: 1}, nil
}

func (j *journal) Replay(_ context.Context, after int64) (bool, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	end := min(int(after)+3, len(j.records))
	j.live = end == len(j.records)
	if end > int(after) {
		j.watcher.Deliver(pam.Key{}, j.records[after:end])
	}
	return j.live, nil
}

func (j *journal) Close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed++
	j.live = false
}

// commit appends n events and delivers each to a watcher that is live.
func (j *journal) commit(n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for range n {
		seq := int64(len(j.records) + 1)
		j.records = append(j.records, pam.Record{From: seq, Seq: seq, Kind: pam.KindDelta, JSON: fmt.Appendf(nil, `{"seq":%10d}`, seq)})
		if j.live {
			j.watcher.Deliver(pam.Key{}, j.records[seq-1:])
		}
	}
}

// known lets everybody in, with a token that ends after 50 s.
type known struct{ ends time.Time }

func (known) Origin(*http.Request) error    { return nil }
func (known) Peer(*http.Request) netip.Addr { return netip.IPv6Loopback() }
func (k known) Credential(*http.Request) Credential {
	return func(context.Context) (pam.Principal, error) {
		return pam.Principal{User: "u", Role: pam.RoleUser, Expires: k.ends}, nil
	}
}

func (k known) Token(context.Context, string) (pam.Principal, error) {
	return pam.Principal{User: "u", Role: pam.RoleUser, Expires: k.ends}, nil
}

func readersOf(j *journal, outbox int) *Gateway {
	return New(Options{
		Conversations: j, Doorman: known{time.Now().Add(50 * time.Second)}, Limits: Limits{Outbox: outbox},
		Heartbeat: 25 * time.Second, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		NewID: func() [16]byte { return uuid.New() },
	})
}

// What nobody takes is dropped beyond the bound, and read again: nothing is
// missing, nothing comes twice.
func TestReaderIsBounded(t *testing.T) {
	t.Parallel()
	j := &journal{}
	j.commit(4)
	const bound = 100
	r, _, err := readersOf(j, bound).read(t.Context(), pam.Key{}, pam.Resume{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	last := int64(0)
	take := func() bool {
		records, live, err := r.take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i := range records {
			if records[i].From != last+1 {
				t.Errorf("after %d comes %d", last, records[i].From)
			}
			last = records[i].Seq
		}
		return live
	}
	for !take() {
	}
	for _, n := range []int{1, 3, 500, 2, 50} {
		j.commit(n)
		if r.bytes > bound {
			t.Errorf("%d bytes wait", r.bytes)
		}
		for more := 3; !take(); more-- {
			j.commit(max(0, more)) // while it catches up
		}
	}
	if want := int64(len(j.records)); last != want || want < 556 {
		t.Errorf("read up to %d of %d", last, want)
	}
	r.Deleted(pam.Key{})
	if _, _, err := r.take(t.Context()); pam.CodeOf(err) != pam.CodeConversationDeleted {
		t.Errorf("of a conversation that is deleted: %v", err)
	}
}

// askEvents has the gateway answer one request for events, in a bubble.
func askEvents(t *testing.T, g *Gateway, query string) (answer *httptest.ResponseRecorder, took func() time.Duration) {
	t.Helper()
	began, end := time.Now(), time.Time{}
	answer = httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/x"+query, http.NoBody)
	go func() {
		g.ServeEvents(answer, r, "c1")
		end = time.Now()
	}()
	return answer, func() time.Duration { return end.Sub(began) }
}

func TestLongPollTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		j.commit(5)
		g := readersOf(j, 1000)
		tail := formatOffset(journalEpoch, 5)
		answer, took := askEvents(t, g, "?live=long-poll&offset="+tail)
		time.Sleep(time.Hour)
		synctest.Wait()
		h := answer.Header()
		if answer.Code != http.StatusNoContent || took() != 25*time.Second || answer.Body.Len() > 0 {
			t.Errorf("answered %d after %s", answer.Code, took())
		}
		if h.Get("Stream-Next-Offset") != tail || h.Get("Stream-Up-To-Date") != "true" || h.Get("Stream-Cursor") == "" {
			t.Errorf("headers %v", h)
		}
	})
	synctest.Test(t, func(t *testing.T) { // now waits from the tail, and its answer has no tag
		j := &journal{}
		j.commit(5)
		answer, took := askEvents(t, readersOf(j, 1000), "?live=long-poll&offset=now")
		time.Sleep(time.Second)
		j.commit(1)
		synctest.Wait()
		if answer.Code != http.StatusOK || took() != time.Second || answer.Body.String() != `[{"seq":         6}]` || answer.Header().Get("ETag") != "" {
			t.Errorf("answered %d after %s: %s, %v", answer.Code, took(), answer.Body, answer.Header())
		}
	})
	synctest.Test(t, func(t *testing.T) { // deleted while it waits
		j := &journal{}
		j.commit(5)
		answer, _ := askEvents(t, readersOf(j, 1000), "?live=long-poll&offset=now")
		synctest.Wait()
		j.watcher.Deleted(pam.Key{})
		synctest.Wait()
		if answer.Code != http.StatusGone || !strings.Contains(answer.Body.String(), "conversation_deleted") {
			t.Errorf("answered %d: %s", answer.Code, answer.Body)
		}
	})
}

// A stream shows every 15 s that it lives, and ends with its token.
func TestEventStreamTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		j.commit(2)
		answer, took := askEvents(t, readersOf(j, 1000), "?live=sse&offset=-1")
		time.Sleep(time.Hour)
		synctest.Wait()
		body := answer.Body.String()
		id := formatOffset(journalEpoch, 2)
		if !strings.HasPrefix(body, "event: data\nid: "+id+"\ndata: [{\"seq\":         1},\ndata: {\"seq\":         2}]\n\nevent: control\ndata: {\"streamNextOffset\":\""+id+`","streamCursor":"`) {
			t.Errorf("the stream is %q", body)
		}
		if n := strings.Count(body, "\n:\n"); n != 3 || took() != 50*time.Second {
			t.Errorf("%d comments in %s", n, took())
		}
		if j.closed != 1 {
			t.Errorf("its watch was closed %d times", j.closed)
		}
	})
}

// Cursors do not go back, nor stay at what a client has.
func TestStreamCursor(t *testing.T) {
	t.Parallel()
	at := time.Unix(cursorStart+1000*cursorInterval, 0)
	cursor := func(echo string) string {
		g := &Gateway{Options: Options{Now: func() time.Time { return at }}}
		return (&eventReader{gateway: g, reading: reading{cursor: echo}}).nextCursor()
	}
	for _, echo := range []string{"", "999", "-1", "x", "99999999999999999999", "9223372036854775807"} {
		if got := cursor(echo); got != "1000" {
			t.Errorf("%q is answered by %s", echo, got)
		}
	}
	for _, echo := range []string{"1000", "1100"} {
		if got := cursor(echo); got <= echo || len(got) != 4 {
			t.Errorf("%q is answered by %s", echo, got)
		}
	}
}

// A page is cut at 1 MiB, and says that there is more.
func TestEventsArePaged(t *testing.T) {
	t.Parallel()
	e := &eventReader{}
	large := []pam.Record{{Seq: 1, JSON: make([]byte, 2*pageBytes)}, {Seq: 2, JSON: make([]byte, 10)}}
	if e.add(large, true) || e.end != 1 || e.whole {
		t.Errorf("ends at %d, whole %v", e.end, e.whole)
	}
	e = &eventReader{}
	half := make([]byte, pageBytes/2-2)
	if e.add([]pam.Record{{Seq: 1, JSON: half}, {Seq: 2, JSON: half}, {Seq: 3, JSON: half}}, true) || e.end != 2 || len(e.body)+1 > pageBytes {
		t.Errorf("ends at %d with %d bytes", e.end, len(e.body))
	}
}
