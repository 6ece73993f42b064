package sqlite

import (
	"slices"
	"strconv"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/pam-assistant/pam"
)

// conv is a conversation as the writer sees it. Those with a live tail stay in
// memory, for all that is known of the tail is there; others come from their
// row each time.
type conv struct {
	key     pam.Key
	id      int64 // of its row; 0 until there is one
	deleted bool

	// next is the writer's own: how the conversation will stand once the batch
	// that is being made is committed. now is how it stands.
	next, now convState
	pending   bool // next is of the batch that is being made

	// The live tail: events that are committed and not folded, without a
	// hole, and for each the row of the log that it lies in.
	tail []pam.Record
	rows []int64
}

// convState is what appends change.
type convState struct {
	head    int64
	folded  int64
	fence   int64
	turns   int64
	title   string
	created int64 // milliseconds
	updated int64
	waiting string // the row's: numbers between spaces
}

// waitingOf returns the numbers of records as a row keeps them.
func waitingOf(records []pam.Record) string {
	var b []byte
	for i, r := range records {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendInt(b, r.Seq, 10)
	}
	return string(b)
}

// fold drops the tail's events up to through.
func (c *conv) fold(through int64) {
	n := 0
	for n < len(c.tail) && c.tail[n].Seq <= through {
		n++
	}
	switch {
	case n == len(c.tail):
		c.tail, c.rows = nil, nil
	case n > 0:
		c.tail, c.rows = slices.Clone(c.tail[n:]), slices.Clone(c.rows[n:])
	}
}

// keep adds committed events to the tail.
func (c *conv) keep(events []pam.Record, row int64) {
	c.tail = append(c.tail, events...)
	for range events {
		c.rows = append(c.rows, row)
	}
}

// snapshot returns how the conversation stands.
func (c *conv) snapshot() *pam.Snapshot {
	return &pam.Snapshot{
		Head:    c.now.head,
		Folded:  c.now.folded,
		Fence:   c.now.fence,
		Turns:   int(c.now.turns),
		Title:   c.now.title,
		Created: time.UnixMilli(c.now.created).UTC(),
		Updated: time.UnixMilli(c.now.updated).UTC(),
		Live:    slices.Clone(c.tail),
	}
}

const (
	sqlConv = `SELECT id, folded, fence, turns, title, created_at, updated_at, deleted, user_id, conversation_id, waiting
FROM conversations WHERE user_id = ? AND conversation_id = ?`
	sqlConvByID = `SELECT id, folded, fence, turns, title, created_at, updated_at, deleted, user_id, conversation_id, waiting
FROM conversations WHERE id = ?`
)

// readConv reads a conversation's row, by [sqlConv] or [sqlConvByID]; it is
// nil where there is none.
func (c *conn) readConv(sql string, args ...any) (*conv, error) {
	var found *conv
	err := c.query(sql, func(st *sqlite3.Stmt) bool {
		found = &conv{
			key:     pam.Key{User: pam.UserID(st.ColumnText(8)), Conversation: pam.ConversationID(st.ColumnText(9))},
			id:      st.ColumnInt64(0),
			deleted: st.ColumnBool(7),
			now: convState{
				head:    st.ColumnInt64(1),
				folded:  st.ColumnInt64(1),
				fence:   st.ColumnInt64(2),
				turns:   st.ColumnInt64(3),
				title:   st.ColumnText(4),
				created: st.ColumnInt64(5),
				updated: st.ColumnInt64(6),
				waiting: st.ColumnText(10),
			},
		}
		return false
	}, args...)
	return found, err
}
