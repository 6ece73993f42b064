package bench_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The benchmarks of this file run the real server and the bare floor as
// processes of their own, in turns, and print the medians of the rounds and
// their ratios (x-floor). They last as long as their loads, whatever b.N says.
const rounds = 3

// aside ends the name of a figure whose ratio to the floor's says nothing.
const aside = " (aside)"

// round is what one round came to, by the name of the figure.
type round map[string]float64

// versus runs the rounds: floor, PAM, PAM, floor, …, so that neither always
// comes after the other's caches. A figure's name ends with its unit.
func versus(b *testing.B, run func(c *child) round) {
	b.Helper()
	got := map[string][]round{}
	for b.Loop() {
		for i := range rounds {
			order := []string{roleFloor, rolePAM}
			if i%2 == 1 {
				slices.Reverse(order)
			}
			for _, role := range order {
				c := spawn(b, role)
				got[role] = append(got[role], run(c))
				c.stop()
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	for figure := range got[rolePAM][0] {
		f, p := middle(got[roleFloor], figure), middle(got[rolePAM], figure)
		name, noRatio := strings.CutSuffix(figure, aside)
		b.ReportMetric(f, "floor-"+name)
		b.ReportMetric(p, "pam-"+name)
		if !noRatio {
			b.ReportMetric(p/f, name+"-x-floor")
		}
	}
}

func middle(all []round, figure string) float64 {
	values := make([]float64, len(all))
	for i, r := range all {
		values[i] = r[figure]
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func micros(d time.Duration, n int) float64 { return float64(d.Nanoseconds()) / 1e3 / float64(n) }
func millis(d time.Duration) float64        { return micros(d, 1000) }

// BenchmarkIdle is the memory of 5,000 connections that have said who they are
// and say nothing more: as it is, and after a collection.
func BenchmarkIdle(b *testing.B) {
	const conns = 5_000
	versus(b, func(c *child) round {
		closeAll(dialAll(c, "/ping", 100, false)) // what the first connections make once
		time.Sleep(200 * time.Millisecond)
		c.tell("gc")
		before := c.rss()
		peers := dialAll(c, "/ping", conns, false)
		defer closeAll(peers)
		time.Sleep(500 * time.Millisecond)
		open := c.rss()
		c.tell("gc")
		collected := c.rss()
		if folder := os.Getenv(profileName); folder != "" && c.role == rolePAM {
			c.tell("heap " + filepath.Join(folder, b.Name()+".heap"))
		}
		return round{"KiB/conn": (collected - before) / conns, "fresh-KiB/conn": (open - before) / conns}
	})
}

// BenchmarkPing is 200 connections that ask 3,000 times a second.
func BenchmarkPing(b *testing.B) {
	const conns, rate = 200, 3_000
	versus(b, func(c *child) round {
		peers := dialAll(c, "/ping", conns, false)
		defer closeAll(peers)
		var w waits
		readAll(peers, func(_ *peer, in []byte) {
			if ns, err := strconv.ParseInt(string(between(in, `"timestamp":`, `,`)), 10, 64); err == nil {
				w.add(time.Since(time.Unix(0, ns)))
			}
		})
		return load(c, &w, rate, func(i int, due time.Time) error {
			return peers[i%conns].send(fmt.Appendf(nil, `{"type":"ping","timestamp":%d}`, due.UnixNano()))
		})
	})
}

// BenchmarkFirstFrame is from a question to its user_message, which is in the
// journal by then. PAM also answers it, at the same time; the floor does not, so
// the processor times do not compare and only the latencies are judged.
func BenchmarkFirstFrame(b *testing.B) {
	const conns = 200
	for _, rate := range []int{100, 500} {
		b.Run("rate="+strconv.Itoa(rate), func(b *testing.B) {
			versus(b, func(c *child) round {
				peers := dialAll(c, "/first", conns, false)
				defer closeAll(peers)
				var w waits
				readAll(peers, func(_ *peer, in []byte) {
					if !bytes.HasPrefix(in, []byte(`{"type":"user_message"`)) {
						return
					}
					if ns, err := strconv.ParseInt(string(between(in, `"id":"`, `"`)), 10, 64); err == nil {
						w.add(time.Since(time.Unix(0, ns)))
					}
				})
				r := load(c, &w, rate, func(i int, due time.Time) error {
					p := peers[i%conns]
					return p.send(fmt.Appendf(nil, `{"type":"chat","id":"%d","conversation_id":"c%d","message":"Hello PAM, are you working?"}`, due.UnixNano(), p.n))
				})
				r["cpu-µs/message"+aside] = r["cpu-µs/message"]
				delete(r, "cpu-µs/message")
				return r
			})
		})
	}
}

// load sends for a second to warm up and for three to measure.
func load(c *child, w *waits, rate int, send func(i int, due time.Time) error) round {
	c.b.Helper()
	each := func(i int, due time.Time) {
		if err := send(i, due); err != nil {
			c.b.Error(err)
		}
	}
	openLoop(rate, time.Second, each)
	for patience := time.Now(); w.len() < rate && time.Since(patience) < 10*time.Second; {
		time.Sleep(50 * time.Millisecond)
	}
	w.take()
	profiled := c.profile()
	before := c.cpu()
	late := openLoop(rate, 3*time.Second, each)
	for patience := time.Now(); w.len() < 3*rate && time.Since(patience) < 10*time.Second; {
		time.Sleep(50 * time.Millisecond)
	}
	cpu := c.cpu() - before
	profiled()
	all := w.take()
	if len(all) != 3*rate {
		c.b.Errorf("%s: %d answers to %d messages", c.role, len(all), 3*rate)
	}
	return round{
		"p50-ms": millis(at(all, 50)), "p99-ms": millis(at(all, 99)), "cpu-µs/message": micros(cpu, 3*rate),
		"sender-late-p99-ms" + aside: millis(late),
	}
}

// BenchmarkAnswers is 500 answers at once, of 200 deltas at 20 a second: the
// processor time of a delta that is committed, at most every 5 ms, and written.
func BenchmarkAnswers(b *testing.B) {
	const conns, deltas, rate = 500, 200, 20
	versus(b, func(c *child) round {
		peers := dialAll(c, "/stream", conns, false)
		defer closeAll(peers)
		var got atomic.Int64
		var over sync.WaitGroup
		over.Add(conns)
		readAll(peers, func(_ *peer, in []byte) {
			switch {
			case bytes.HasPrefix(in, []byte(`{"type":"chat_response_delta"`)):
				got.Add(1)
			case bytes.HasPrefix(in, []byte(`{"type":"chat_response_complete"`)):
				over.Done()
			}
		})
		profiled := c.profile()
		before := c.cpu()
		openLoop(conns, time.Second, func(i int, _ time.Time) { ask(c, peers[i], deltas, rate) })
		over.Wait()
		cpu := c.cpu() - before
		profiled()
		if got.Load() != conns*deltas {
			b.Errorf("%s: %d deltas of %d", c.role, got.Load(), conns*deltas)
		}
		return round{"cpu-µs/delta": micros(cpu, conns*deltas)}
	})
}

// ask begins an answer; both servers understand what is said.
func ask(c *child, p *peer, deltas, rate int) {
	c.b.Helper()
	err := p.send(fmt.Appendf(nil, `{"type":"chat","conversation_id":"c","message":"bench d=%d r=%d","count":%d,"rate":%d}`, deltas, rate, deltas, rate))
	if err != nil {
		c.b.Error(err)
	}
}

// BenchmarkFanout is one answer of 20 deltas a second that 1,000 watch: the
// processor time of a frame that came. PAM's deltas are durable; the floor's not.
func BenchmarkFanout(b *testing.B) {
	const conns, deltas, rate = 1_000, 60, 20
	versus(b, func(c *child) round {
		peers := dialAll(c, "/fan", conns, true)
		defer closeAll(peers)
		var got, frames atomic.Int64
		var watching, over sync.WaitGroup
		readAll(peers, func(p *peer, in []byte) {
			frames.Add(1)
			switch {
			case bytes.HasPrefix(in, []byte(`{"type":"chat_response_delta"`)):
				got.Add(1)
			case bytes.HasPrefix(in, []byte(`{"type":"chat_response_complete"`)):
				over.Done()
			case bytes.HasPrefix(in, []byte(`{"type":"subscribed"`)) && p.n > 0:
				watching.Done()
			}
		})
		if c.role == rolePAM {
			over.Add(1) // the conversation has to be, before others can watch it
			ask(c, peers[0], 1, rate)
			over.Wait()
			watching.Add(conns - 1)
			over.Add(conns - 1) // of the replay
			for _, p := range peers[1:] {
				if err := p.send([]byte(`{"type":"subscribe","conversation_id":"c"}`)); err != nil {
					b.Error(err)
				}
			}
			watching.Wait()
			over.Wait()
		}
		time.Sleep(50 * time.Millisecond)
		got.Store(0)
		frames.Store(0)
		over.Add(conns)
		profiled := c.profile()
		before := c.cpu()
		ask(c, peers[0], deltas, rate)
		over.Wait()
		cpu := c.cpu() - before
		profiled()
		if got.Load() != conns*deltas {
			b.Errorf("%s: %d deliveries of %d", c.role, got.Load(), conns*deltas)
		}
		return round{"cpu-µs/delivery": micros(cpu, int(frames.Load()))}
	})
}

// BenchmarkHandshake is 16 who dial, show their token, and hang up.
func BenchmarkHandshake(b *testing.B) {
	const dialling, each = 16, 600
	versus(b, func(c *child) round {
		dials := func() {
			var all sync.WaitGroup
			for range dialling {
				all.Go(func() {
					t := token("bench")
					for range each {
						p, err := dial(c, "/ping", t)
						if err != nil {
							c.b.Error(err)
							return
						}
						p.hangUp()
					}
				})
			}
			all.Wait()
		}
		dials()
		profiled := c.profile()
		before := c.cpu()
		dials()
		time.Sleep(50 * time.Millisecond)
		cpu := c.cpu() - before
		profiled()
		return round{"cpu-µs/dial": micros(cpu, dialling*each), "dials/core-s" + aside: 1e6 / micros(cpu, dialling*each)}
	})
}
