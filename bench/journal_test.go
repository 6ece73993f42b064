// Package bench_test measures PAM beside bare floors, in the same run: only
// the ratio of the two says something about PAM (docs/architecture.md,
// "Speed"). Nothing here is a test of time: a figure is printed, never judged.
package bench_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/store/sqlite"
)

const (
	eventBytes = 200
	turnEvents = 200 // events of a turn; the last one folds it

	streamSpacing = 5 * time.Millisecond // between the beginnings of commits
)

// journal is what is measured: append returns once the event is durable.
type journal interface {
	append(producer int, seq int64, body []byte)
	close()
}

// BenchmarkJournal has producers append 200-byte events and wait for each one's
// commit: to a bare file, written and fdatasynced by one goroutine that takes
// whatever waits, and to PAM's store, synchronous=FULL, with a fold every 200
// events. Each iteration is a round of both; the medians are printed.
func BenchmarkJournal(b *testing.B) {
	for _, c := range []struct{ producers, events int }{{1, 2_000}, {10, 20_000}, {100, 100_000}} {
		b.Run("producers="+strconv.Itoa(c.producers), func(b *testing.B) {
			var floor, ours []figures
			for b.Loop() {
				floor = append(floor, measure(openFile(b, 0), c.producers, c.events))
				ours = append(ours, measure(openStore(b, sqlite.SyncFull), c.producers, c.events))
			}
			report(b, median(floor), median(ours))
		})
	}
}

// BenchmarkStreams is the shape of real answers: 500 streams of 20 deltas a
// second, in turns of 200, committed at most every 5 ms by both. It prints the
// processor time of a delta; the rate is given, and the waiting is the 5 ms.
func BenchmarkStreams(b *testing.B) {
	const streams, rate, seconds = 500, 20, 5
	var floor, ours []figures
	for b.Loop() {
		floor = append(floor, stream(openFile(b, streamSpacing), streams, rate, seconds))
		ours = append(ours, stream(openStore(b, sqlite.SyncFull), streams, rate, seconds))
	}
	report(b, median(floor), median(ours))
}

// figures are what a round came to.
type figures struct {
	rate float64       // events a second
	cpu  time.Duration // of an event, user and system, of the whole process
	p50  time.Duration // from append to durable
	p99  time.Duration
}

func report(b *testing.B, floor, ours figures) {
	b.Helper()
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
	ms := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(floor.rate, "file-events/s")
	b.ReportMetric(ours.rate, "pam-events/s")
	b.ReportMetric(ours.rate/floor.rate, "rate-ratio")
	b.ReportMetric(us(floor.cpu), "file-cpu-µs/event")
	b.ReportMetric(us(ours.cpu), "pam-cpu-µs/event")
	b.ReportMetric(us(ours.cpu)/us(floor.cpu), "cpu-ratio")
	b.ReportMetric(ms(floor.p50), "file-p50-ms")
	b.ReportMetric(ms(ours.p50), "pam-p50-ms")
	b.ReportMetric(ms(ours.p50)/ms(floor.p50), "p50-ratio")
	b.ReportMetric(ms(floor.p99), "file-p99-ms")
	b.ReportMetric(ms(ours.p99), "pam-p99-ms")
}

// median returns the round whose processor time is in the middle.
func median(rounds []figures) figures {
	slices.SortFunc(rounds, func(a, b figures) int { return int(a.cpu - b.cpu) })
	return rounds[len(rounds)/2]
}

// measure has each producer wait for its event before it sends the next one.
func measure(j journal, producers, events int) figures {
	defer j.close()
	body := eventBody()
	each := events / producers
	warm := min(each/10, 100)
	waits := make([][]time.Duration, producers)
	var ready, all sync.WaitGroup
	start := make(chan struct{})
	ready.Add(producers)
	for p := range producers {
		all.Go(func() {
			mine := make([]time.Duration, 0, each)
			for seq := range int64(warm) {
				j.append(p, seq+1, body)
			}
			ready.Done()
			<-start
			for seq := range int64(each) {
				asked := time.Now()
				j.append(p, seq+1+int64(warm), body)
				mine = append(mine, time.Since(asked))
			}
			waits[p] = mine
		})
	}
	ready.Wait()
	began, cpu := time.Now(), processorTime()
	close(start)
	all.Wait()
	return figuresOf(waits, time.Since(began), processorTime()-cpu)
}

// stream has each stream send at its rate, whatever has become of the last one.
func stream(j journal, streams, rate, seconds int) figures {
	defer j.close()
	body := eventBody()
	tick := time.Second / time.Duration(rate)
	waits := make([][]time.Duration, streams)
	var all sync.WaitGroup
	began, cpu := time.Now(), processorTime()
	for p := range streams {
		all.Go(func() {
			next := time.Now().Add(tick * time.Duration(p) / time.Duration(streams))
			mine := make([]time.Duration, 0, rate*seconds)
			for seq := range int64(rate * seconds) {
				time.Sleep(time.Until(next))
				asked := time.Now()
				j.append(p, seq+1, body)
				mine = append(mine, time.Since(asked))
				next = next.Add(tick)
			}
			waits[p] = mine
		})
	}
	all.Wait()
	return figuresOf(waits, time.Since(began), processorTime()-cpu)
}

func figuresOf(waits [][]time.Duration, wall, cpu time.Duration) figures {
	all := slices.Concat(waits...)
	slices.Sort(all)
	return figures{
		rate: float64(len(all)) / wall.Seconds(),
		cpu:  cpu / time.Duration(len(all)),
		p50:  all[len(all)/2],
		p99:  all[len(all)*99/100],
	}
}

func eventBody() []byte {
	body := []byte(`{"type":"chat_response_delta","conversation_id":"0198c0de-7000-7000-8000-000000000001",` +
		`"seq":1,"turn_id":"0198c0de-7000-7000-8000-000000000002","at":"2026-11-25T10:00:00.000Z","content":"`)
	for len(body) < eventBytes-2 {
		body = append(body, 'x')
	}
	return append(body, `"}`...)
}

func processorTime() time.Duration {
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		panic(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// file is the floor: what waits is written at the end of a file and synced.
type file struct {
	f     *os.File
	mu    sync.Mutex
	some  sync.Cond
	queue []*line
	over  bool
	ended chan struct{}
	lines sync.Pool

	spacing time.Duration // between the beginnings of two writes
}

type line struct {
	producer, seq int64
	body          []byte
	done          chan struct{}
}

func openFile(b *testing.B, spacing time.Duration) journal {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "floor"))
	if err != nil {
		b.Fatal(err)
	}
	j := &file{f: f, ended: make(chan struct{}), spacing: spacing}
	j.some.L = &j.mu
	j.lines.New = func() any { return &line{done: make(chan struct{}, 1)} }
	go j.run()
	return j
}

func (j *file) append(producer int, seq int64, body []byte) {
	l, ok := j.lines.Get().(*line)
	if !ok {
		panic("no line")
	}
	l.producer, l.seq, l.body = int64(producer), seq, body
	j.mu.Lock()
	j.queue = append(j.queue, l)
	if len(j.queue) == 1 {
		j.some.Signal()
	}
	j.mu.Unlock()
	<-l.done
	j.lines.Put(l)
}

func (j *file) run() {
	defer close(j.ended)
	var batch []*line
	var buf []byte
	var began time.Time
	for {
		time.Sleep(j.spacing - time.Since(began))
		j.mu.Lock()
		for len(j.queue) == 0 && !j.over {
			j.some.Wait()
		}
		if len(j.queue) == 0 {
			j.mu.Unlock()
			return
		}
		began = time.Now()
		batch, j.queue = j.queue, batch[:0]
		j.mu.Unlock()
		buf = buf[:0]
		for _, l := range batch {
			buf = binary.AppendVarint(buf, l.producer)
			buf = binary.AppendVarint(buf, l.seq)
			buf = binary.AppendUvarint(buf, uint64(len(l.body)))
			buf = append(buf, l.body...)
		}
		if _, err := j.f.Write(buf); err != nil {
			panic(err)
		}
		if err := unix.Fdatasync(int(j.f.Fd())); err != nil {
			panic(err)
		}
		for _, l := range batch {
			l.done <- struct{}{}
		}
	}
}

func (j *file) close() {
	j.mu.Lock()
	j.over = true
	j.some.Signal()
	j.mu.Unlock()
	<-j.ended
	j.f.Close() // a measurement's file
}

// stored is PAM's own store, used as a conversation uses it.
type stored struct {
	s      *sqlite.Store
	cancel context.CancelFunc
	ended  chan error
	urgent bool
	done   sync.Pool
}

func openStore(b *testing.B, mode sqlite.Sync) journal {
	b.Helper()
	s, err := sqlite.Open(b.Context(), sqlite.Options{Path: filepath.Join(b.TempDir(), "pam.db"), Sync: mode})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.Context()))
	j := &stored{s: s, cancel: cancel, ended: make(chan error, 1), urgent: b.Name() != "BenchmarkStreams"}
	j.done.New = func() any { return make(chan error, 1) }
	go func() { j.ended <- s.Run(ctx) }()
	return j
}

func (j *stored) append(producer int, seq int64, body []byte) {
	done, ok := j.done.Get().(chan error)
	if !ok {
		panic("no channel")
	}
	a := &pam.Append{
		Key:    pam.Key{User: "bench", Conversation: pam.ConversationID(strconv.Itoa(producer))},
		Urgent: j.urgent,
		Events: []pam.Record{{
			From: seq, Seq: seq, Kind: pam.KindDelta, Turn: "0198c0de-7000-7000-8000-000000000002", JSON: body,
		}},
		Done: func(err error) { done <- err },
	}
	if seq%turnEvents == 0 {
		kept := a.Events[0]
		kept.From, kept.Kind = seq-turnEvents+1, pam.KindComplete
		a.Fold = &pam.Fold{Through: seq, Keep: []pam.Record{kept}, Turns: int(seq / turnEvents)}
	}
	j.s.Append(a)
	if err := <-done; err != nil {
		panic(fmt.Sprintf("append: %v", err))
	}
	j.done.Put(done)
}

func (j *stored) close() {
	j.cancel()
	if err := <-j.ended; err != nil {
		panic(err)
	}
	if err := j.s.Close(); err != nil {
		panic(err)
	}
}
