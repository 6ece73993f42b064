package client

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/wire"
)

// conn is the newest connection, as the loop sees it. Its two goroutines read
// and write, and know nothing else.
type conn struct {
	link   link
	frames chan []byte   // what was read; closed at the end, then err is set
	out    chan []byte   // what is to be written
	err    error         // why it ended
	heard  *atomic.Int64 // nanoseconds since epoch, of the last sign of life
	epoch  time.Time
	cancel context.CancelFunc
	wait   sync.WaitGroup

	live      bool // `connected` has come
	greeting  wire.Greeting
	greeted   time.Time
	pinged    time.Time
	refusal   *pam.Error // the last `error` of a kind that ends connections
	refusedAt time.Time
	leaving   bool // `goaway` has come
	leaveFor  time.Duration
	contextUp bool // a context_update is out
}

// open starts the goroutines of a connection that was made.
func open(ctx context.Context, d dialled) *conn {
	ctx, cancel := context.WithCancel(ctx)
	c := &conn{
		link: d.link, heard: d.heard, epoch: d.epoch, cancel: cancel,
		frames: make(chan []byte), out: make(chan []byte, maxPending),
	}
	c.wait.Go(func() { c.read(ctx) })
	c.wait.Go(func() { c.write(ctx) })
	return c
}

func (c *conn) read(ctx context.Context) {
	defer close(c.frames)
	for {
		frame, err := c.link.receive(ctx)
		if err != nil {
			c.err = err
			return
		}
		c.heard.Store(int64(time.Since(c.epoch)))
		select {
		case c.frames <- frame:
		case <-ctx.Done():
			c.err = ctx.Err()
			return
		}
	}
}

func (c *conn) write(ctx context.Context) {
	for {
		select {
		case frame := <-c.out:
			if !c.writeOne(ctx, frame) {
				c.cancel() // the reader ends, and with it the connection
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

func (c *conn) writeOne(ctx context.Context, frame []byte) bool {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return c.link.send(ctx, frame) == nil
}

// send queues a frame. Where the server does not read, the connection ends.
func (c *conn) send(r wire.Request) {
	select {
	case c.out <- wire.AppendRequest(nil, r):
	default:
		c.cancel()
	}
}

// lastHeard is the time of the last sign of life.
func (c *conn) lastHeard() time.Time { return c.epoch.Add(time.Duration(c.heard.Load())) }

// heartbeat is the server's, within reason.
func (c *conn) heartbeat() time.Duration {
	if c.greeting.Heartbeat <= 0 {
		return defaultHeartbeat
	}
	return min(max(c.greeting.Heartbeat, 20*time.Millisecond), time.Hour)
}

// end closes the connection and waits for its goroutines.
func (c *conn) end(polite bool) {
	if polite {
		stop := time.AfterFunc(closeTimeout, c.cancel)
		defer stop.Stop()
	} else {
		c.cancel()
	}
	drained := make(chan struct{})
	go func() { // to the end: the reader may hold a frame that nobody wants any more
		defer close(drained)
		for range c.frames {
		}
	}()
	c.link.close(polite)
	c.cancel()
	c.wait.Wait()
	<-drained
}
