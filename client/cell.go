package client

import (
	"context"
	"iter"
	"sync"
)

// cell holds the newest of a row of values. One goroutine sets it; any may
// read and wait. It never blocks who sets it, and keeps one value only.
type cell[T any] struct {
	mu      sync.Mutex
	value   T
	err     error
	over    bool
	changed chan struct{} // closed at the next change; nil where nobody waits
}

// set replaces the value.
func (c *cell[T]) set(value T) { c.put(value, nil, false) }

// finish sets the last value.
func (c *cell[T]) finish(value T, err error) { c.put(value, err, true) }

// end finishes with the present value.
func (c *cell[T]) end(err error) {
	c.finish(c.load().value, err)
}

func (c *cell[T]) put(value T, err error, over bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return
	}
	c.value, c.err, c.over = value, err, over
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// loaded is what a cell has at one moment.
type loaded[T any] struct {
	value   T
	err     error
	over    bool            // it is the last
	changed <-chan struct{} // closed at the next change
}

// load returns what the cell has.
func (c *cell[T]) load() loaded[T] {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changed == nil && !c.over {
		c.changed = make(chan struct{})
	}
	return loaded[T]{c.value, c.err, c.over, c.changed}
}

// all yields the value and each later one up to the last. Where ctx ends first
// its cause comes with the newest value.
func (c *cell[T]) all(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			now := c.load()
			if !yield(now.value, now.err) || now.over {
				return
			}
			select {
			case <-now.changed:
			case <-ctx.Done():
				yield(c.load().value, context.Cause(ctx))
				return
			}
		}
	}
}
