package gateway

import "sync"

// readSize is how much is read at once.
const readSize = 16 << 10

// buffer is a piece of memory that a reader has while bytes are there.
type buffer struct{ bytes []byte }

// buffers lends them.
type buffers struct{ pool sync.Pool }

func (p *buffers) take() *buffer {
	if b, ok := p.pool.Get().(*buffer); ok {
		return b
	}
	return &buffer{bytes: make([]byte, readSize)}
}

func (p *buffers) release(b *buffer) { p.pool.Put(b) }
