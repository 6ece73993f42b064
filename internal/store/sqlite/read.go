package sqlite

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/pam-assistant/pam"
)

// pool is the connections for reading: a few, opened when they are needed.
type pool struct {
	uri  string
	idle chan *conn // nil: one that is not open yet
}

func (p *pool) init(uri string) {
	p.uri = uri
	p.idle = make(chan *conn, readers)
	for range readers {
		p.idle <- nil
	}
}

// use calls f with a connection that reads what is committed, and interrupts
// it when ctx ends.
func (p *pool) use(ctx context.Context, op string, f func(*conn) error) error {
	var c *conn
	select {
	case got, open := <-p.idle:
		if !open {
			return errStopped()
		}
		c = got
	case <-ctx.Done():
		return fault(op, ctx.Err())
	}
	var err error
	if c == nil {
		if c, err = openReader(p.uri); err != nil {
			p.idle <- nil
			return fault(op, err)
		}
	}
	c.SetInterrupt(ctx)
	err = f(c)
	c.SetInterrupt(context.Background())
	p.idle <- c
	if err != nil && ctx.Err() != nil && errors.Is(err, sqlite3.INTERRUPT) {
		err = ctx.Err()
	}
	return fault(op, err)
}

// close waits for those who read, and closes every connection.
func (p *pool) close() {
	for range readers {
		if c := <-p.idle; c != nil {
			c.close() // it only read
		}
	}
	close(p.idle)
}

func openReader(uri string) (*conn, error) {
	c, err := openConn(uri)
	if err != nil {
		return nil, err
	}
	if err := c.Exec("PRAGMA query_only = ON; PRAGMA cache_size = -2048; PRAGMA temp_store = MEMORY;"); err != nil {
		c.close() // the first error counts
		return nil, err
	}
	return c, nil
}

// Load implements [store.Past]. A conversation with a live tail comes from
// memory: its tail is there, and nowhere else in this form.
func (s *Store) Load(ctx context.Context, key pam.Key) (*pam.Snapshot, error) {
	const op = "store.load"
	var snap *pam.Snapshot
	var id int64
	var waiting string
	s.mu.RLock()
	c := s.live[key]
	if c != nil {
		snap, id, waiting = c.snapshot(), c.id, c.now.waiting
	}
	s.mu.RUnlock()
	if c != nil && waiting == "" {
		return snap, nil
	}
	err := s.pool.use(ctx, op, func(r *conn) error {
		if snap == nil {
			c, err := r.findConv(op, key)
			if err != nil {
				return err
			}
			if c.now.head == 0 { // its first append is just being committed
				return errNotFound(op)
			}
			snap, id, waiting = c.snapshot(), c.id, c.now.waiting
		}
		var err error
		snap.Waiting, err = r.readWaiting(id, waiting)
		return err
	})
	if err != nil {
		return nil, err
	}
	return snap, nil
}

// readWaiting reads the messages of a conversation that wait.
func (c *conn) readWaiting(id int64, waiting string) ([]pam.Record, error) {
	var records []pam.Record
	for field := range strings.FieldsSeq(waiting) {
		seq, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return nil, err
		}
		err = c.query(sqlEvent, func(st *sqlite3.Stmt) bool {
			records = append(records, recordOf(st))
			return false
		}, id, seq)
		if err != nil {
			return nil, err
		}
	}
	return records, nil
}

// recordOf reads a row of events.
func recordOf(st *sqlite3.Stmt) pam.Record {
	return pam.Record{
		Seq:  st.ColumnInt64(0),
		From: st.ColumnInt64(1),
		Kind: pam.Kind(st.ColumnInt(2)), //nolint:gosec // it was one when it was written
		Turn: pam.TurnID(st.ColumnText(3)),
		JSON: bytes.Clone(st.ColumnRawBlob(4)),
	}
}

// findConv reads a conversation's row, which must be there and not deleted.
func (c *conn) findConv(op string, key pam.Key) (*conv, error) {
	found, err := c.readConv(sqlConv, string(key.User), string(key.Conversation))
	switch {
	case err != nil:
		return nil, err
	case found == nil:
		return nil, errNotFound(op)
	case found.deleted:
		return nil, errDeleted(op)
	}
	return found, nil
}

const (
	sqlEvent = "SELECT seq, from_seq, kind, turn, body FROM events WHERE conv = ? AND seq = ?"
	sqlTurn  = `SELECT c.user_id, c.conversation_id, e.seq FROM events e JOIN conversations c ON c.id = e.conv
WHERE e.turn = ? AND e.kind = 7 AND c.user_id = ? AND c.deleted = 0`
	sqlRead    = "SELECT seq, from_seq, kind, turn, body FROM events WHERE conv = ? AND seq > ? ORDER BY seq"
	sqlEarlier = "SELECT seq, from_seq, kind, turn, body FROM events WHERE conv = ? AND seq < ? ORDER BY seq DESC"
)

// Read implements [store.Past].
func (s *Store) Read(ctx context.Context, key pam.Key, after int64, maxBytes int) ([]pam.Record, error) {
	return s.page(ctx, sqlRead, key, after, maxBytes)
}

// Earlier implements [store.Past].
func (s *Store) Earlier(ctx context.Context, key pam.Key, before int64, maxBytes int) ([]pam.Record, error) {
	return s.page(ctx, sqlEarlier, key, before, maxBytes)
}

func (s *Store) page(ctx context.Context, sql string, key pam.Key, from int64, maxBytes int) ([]pam.Record, error) {
	const op = "store.read"
	var records []pam.Record
	err := s.pool.use(ctx, op, func(r *conn) error {
		c, err := r.findConv(op, key)
		if err != nil {
			return err
		}
		left := maxBytes
		return r.query(sql, func(st *sqlite3.Stmt) bool {
			if left -= len(st.ColumnRawBlob(4)); left < 0 && len(records) > 0 {
				return false
			}
			records = append(records, recordOf(st))
			return left > 0
		}, c.id, from)
	})
	if err != nil {
		return nil, err
	}
	return records, nil
}

// FindChat implements [store.Names].
func (s *Store) FindChat(ctx context.Context, user pam.UserID, id pam.ChatID) (chat pam.Chat, found bool, err error) {
	err = s.pool.use(ctx, "store.find_chat", func(r *conn) error {
		chat, found, err = r.findChat(user, id)
		return err
	})
	return chat, found, err
}

// FindTurn implements [store.Names].
func (s *Store) FindTurn(ctx context.Context, user pam.UserID, id pam.TurnID,
) (key pam.Key, final int64, found bool, err error) {
	err = s.pool.use(ctx, "store.find_turn", func(r *conn) error {
		return r.query(sqlTurn, func(st *sqlite3.Stmt) bool {
			key = pam.Key{User: pam.UserID(st.ColumnText(0)), Conversation: pam.ConversationID(st.ColumnText(1))}
			final, found = st.ColumnInt64(2), true
			return false
		}, string(id), string(user))
	})
	return key, final, found, err
}
