package sqlite

import (
	"errors"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/store"
)

// writer is what only the goroutine of Run touches, and Open before it.
type writer struct {
	*conn
	insert *sqlite3.Stmt // of a row of the log
	now    func() time.Time

	row      rowEncoder
	nextRow  int64             // id of the next row of the log
	fresh    map[pam.Key]*conv // of the batch, beside those with a live tail
	accepted []accepted        // of the batch
	pending  []*conv           // of the batch

	pages     int   // of the write-ahead log, after the last commit
	commits   int64 // since the log was trimmed
	oldestRow int64 // that the log may still hold
	inTx      bool
}

// accepted is an append that will be committed with the batch.
type accepted struct {
	conv   *conv
	append *pam.Append
	logged []pam.Record // its events that went to the log
}

const (
	sqlBegin     = "BEGIN IMMEDIATE"
	sqlCommit    = "COMMIT"
	sqlRollback  = "ROLLBACK"
	sqlInsertLog = "INSERT INTO log (id, body) VALUES (?, ?)"
	sqlTrim      = "DELETE FROM log WHERE id < ?"
	sqlFindChat  = "SELECT conversation_id, turn, seq, content FROM chats WHERE key = ?"
	sqlPutChat   = "INSERT INTO chats (key, conversation_id, turn, seq, content) VALUES (?, ?, ?, ?, ?)"
	sqlPutConv   = `INSERT INTO conversations (user_id, conversation_id, created_at, updated_at, fence)
VALUES (?, ?, ?, ?, ?)`
	sqlFold = `UPDATE conversations SET folded = ?, fence = ?, turns = ?, title = ?, updated_at = ?, waiting = nullif(?, '')
WHERE id = ?`
	sqlKeep = "INSERT INTO events (conv, seq, from_seq, kind, turn, body) VALUES (?, ?, ?, ?, ?, ?)"
)

// commit commits b and gives each of its items its outcome.
func (s *Store) commit(b *batch) {
	began := s.now()
	err := s.try(b.items)
	if err != nil && len(b.items) > 1 && ofOneItem(err) {
		// One of them cannot be written, whatever is right with the disk: find
		// out which, for the others must not suffer.
		s.log.Error("a batch is committed one by one", "items", len(b.items), "error", err)
		for i := range b.items {
			if one := b.items[i : i+1]; !one[0].over {
				if e := s.try(one); e != nil {
					s.refuse(one, e)
				}
			}
		}
		err = nil
	} else if err != nil {
		s.refuse(b.items, err)
	}
	s.account(b, began, err)
}

// try commits items in one transaction. An error says that none of them was;
// otherwise each has its outcome.
func (s *Store) try(items []item) (err error) {
	w := &s.write
	w.begin()
	defer func() {
		if err != nil {
			w.undo()
		}
	}()
	if s.needsTransaction(items) {
		if err := w.exec(sqlBegin); err != nil {
			return err
		}
		w.inTx = true
	}
	for i := range items {
		if err := s.stage(&items[i]); err != nil {
			return err
		}
	}
	if err := w.finish(); err != nil {
		return err
	}
	s.apply()
	return nil
}

// needsTransaction reports whether items are more than one row of the log. It
// finds their conversations on the way.
func (s *Store) needsTransaction(items []item) bool {
	need := false
	for i := range items {
		it := &items[i]
		it.conv, it.err = nil, nil
		switch {
		case it.over:
		case it.ask != nil:
			need = true
		default:
			it.conv = s.live[it.append.Key]
			need = need || it.conv == nil || it.append.Chat != nil || it.append.Fold != nil
		}
	}
	return need
}

// stage decides on one item and writes what it asks for. An error is one of
// the transaction; a refusal is only noted in the item.
func (s *Store) stage(it *item) error {
	w := &s.write
	switch {
	case it.over:
		it.err = &pam.Error{Code: pam.CodeOverloaded, Op: "store.append", RetryAfter: time.Second}
		return nil
	case it.ask != nil:
		if !it.ask.take() {
			return nil
		}
		return it.note(it.ask.run(w))
	}
	a := it.append
	if it.conv == nil {
		c, err := w.find(a.Key)
		if err != nil {
			return err
		}
		it.conv = c
	}
	if !it.conv.pending {
		it.conv.next = it.conv.now
	}
	if err := w.judge(a, it.conv); err != nil {
		return it.note(err)
	}
	return w.write(a, it.conv)
}

// note keeps a refusal in its item and hands on any other error.
func (it *item) note(err error) error {
	if refused, ok := errors.AsType[refusal](err); ok {
		it.err = refused.error
		return nil
	}
	return err
}

// refusal is an error of what was asked, not of the transaction.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

// find returns a conversation that has no live tail; a new one where there is
// none.
func (w *writer) find(key pam.Key) (*conv, error) {
	if c := w.fresh[key]; c != nil {
		return c, nil
	}
	c, err := w.readConv(sqlConv, string(key.User), string(key.Conversation))
	if err != nil {
		return nil, err
	}
	if c == nil {
		c = &conv{key: key}
	}
	w.fresh[key] = c
	return c, nil
}

// judge decides on a, as the conversation will stand by then. The idempotency
// key is looked at before all else (docs/protocol.md, "Client to server").
func (w *writer) judge(a *pam.Append, c *conv) error {
	if a.Chat != nil {
		known, found, err := w.findChat(a.Chat.User, a.Chat.ID)
		if err != nil {
			return err
		}
		if found {
			return refusal{&pam.ChatKnownError{Chat: known}}
		}
	}
	switch {
	case c.deleted:
		return refusal{errDeleted("store.append")}
	case c.id == 0 && len(a.Events) == 0:
		return refusal{errNotFound("store.append")}
	case a.Fence < 0 || a.Fence != 0 && a.Fence < c.next.fence:
		return refusal{pam.ErrSuperseded}
	}
	if err := store.CheckEvents(a.Events, c.next.head); err != nil {
		return refusal{err}
	}
	if a.Fold != nil {
		if err := store.CheckFold(a.Fold, c.next.folded, c.next.head+int64(len(a.Events))); err != nil {
			return refusal{err}
		}
	}
	return nil
}

// write puts an append that was judged well into the transaction.
func (w *writer) write(a *pam.Append, c *conv) error {
	n := &c.next
	n.head += int64(len(a.Events))
	n.fence = max(n.fence, a.Fence)
	if c.id == 0 {
		if err := w.create(c); err != nil {
			return err
		}
	}
	if a.Chat != nil {
		key := store.KeyOf(a.Chat.User, a.Chat.ID)
		if err := w.exec(sqlPutChat, key[:], string(a.Chat.Conversation), string(a.Chat.Turn),
			a.Chat.Seq, a.Chat.Content[:]); err != nil {
			return err
		}
	}
	logged := a.Events
	if a.Fold != nil {
		if err := w.fold(a.Fold, c); err != nil {
			return err
		}
		for len(logged) > 0 && logged[0].Seq <= a.Fold.Through {
			logged = logged[1:]
		}
	}
	if len(logged) > 0 {
		w.row.add(c.id, n.fence, logged)
	}
	if !c.pending {
		c.pending = true
		w.pending = append(w.pending, c)
	}
	w.accepted = append(w.accepted, accepted{conv: c, append: a, logged: logged})
	return nil
}

// create makes a conversation's row.
func (w *writer) create(c *conv) error {
	ms := w.now().UnixMilli()
	c.next.created, c.next.updated = ms, ms
	if err := w.exec(sqlPutConv, string(c.key.User), string(c.key.Conversation), ms, ms, c.next.fence); err != nil {
		return err
	}
	c.id = w.LastInsertRowID()
	return nil
}

// fold writes what is kept of a conversation's past.
func (w *writer) fold(f *pam.Fold, c *conv) error {
	for i := range f.Keep {
		r := &f.Keep[i]
		if err := w.exec(sqlKeep, c.id, r.Seq, r.From, int64(r.Kind), string(r.Turn), r.JSON); err != nil {
			return err
		}
	}
	n := &c.next
	n.folded, n.turns, n.title = f.Through, int64(f.Turns), f.Title
	n.updated, n.waiting = w.now().UnixMilli(), waitingOf(f.Waiting)
	return w.exec(sqlFold, n.folded, n.fence, n.turns, n.title, n.updated, n.waiting, c.id)
}

// findChat returns what an idempotency key remembers.
func (c *conn) findChat(user pam.UserID, id pam.ChatID) (chat pam.Chat, found bool, err error) {
	key := store.KeyOf(user, id)
	err = c.query(sqlFindChat, func(st *sqlite3.Stmt) bool {
		found = true
		chat = pam.Chat{
			User:         user,
			ID:           id,
			Conversation: pam.ConversationID(st.ColumnText(0)),
			Turn:         pam.TurnID(st.ColumnText(1)),
			Seq:          st.ColumnInt64(2),
		}
		copy(chat.Content[:], st.ColumnRawBlob(3))
		return false
	}, key[:])
	return chat, found, err
}

// begin makes the writer ready for a batch.
func (w *writer) begin() {
	w.row.reset()
	clear(w.fresh)
	clear(w.accepted)
	clear(w.pending)
	w.accepted, w.pending = w.accepted[:0], w.pending[:0]
	w.inTx = false
}

// finish writes the batch's row and commits.
func (w *writer) finish() error {
	if !w.row.empty() {
		if err := w.insert.BindInt64(1, w.nextRow); err != nil {
			return err
		}
		if err := w.insert.BindBlob(2, w.row.finish()); err != nil {
			return err
		}
		if err := w.insert.Exec(); err != nil {
			return err
		}
	}
	if w.inTx {
		if err := w.exec(sqlCommit); err != nil {
			return err
		}
		w.inTx = false
	}
	return nil
}

// undo takes back a batch whose transaction failed: in the database, where
// SQLite has not done so itself, and in memory.
func (w *writer) undo() {
	if !w.GetAutocommit() {
		w.exec(sqlRollback) //nolint:errcheck // the next BEGIN will say so
	}
	w.inTx = false
	for _, c := range w.pending {
		c.pending = false
	}
}

// apply makes the batch's changes those of the store. It is called after the
// commit.
func (s *Store) apply() {
	w := &s.write
	row := w.nextRow
	if !w.row.empty() {
		w.nextRow++
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range w.accepted {
		a := &w.accepted[i]
		if a.append.Fold != nil {
			a.conv.fold(a.append.Fold.Through)
		}
		a.conv.keep(a.logged, row)
	}
	for _, c := range w.pending {
		c.now, c.pending = c.next, false
		if len(c.tail) == 0 {
			delete(s.live, c.key)
		} else {
			s.live[c.key] = c
		}
	}
}

// refuse gives items a failure of their transaction.
func (s *Store) refuse(items []item, err error) {
	failure := fault("store.commit", err)
	for i := range items {
		if !items[i].over {
			items[i].err = failure
		}
	}
}

// account counts a batch, and says in the log when commits begin to fail and
// when they succeed again.
func (s *Store) account(b *batch, began time.Time, err error) {
	end := s.now()
	s.mu.Lock()
	st := &s.stats
	was := st.Err
	if err != nil {
		st.Failures++
		if was == nil {
			st.ErrSince = end
		}
		st.Err = fault("store.commit", err)
	} else {
		st.Commits++
		st.Batch, st.Latency, st.Committed = 0, end.Sub(began), end
		st.Err, st.ErrSince = nil, time.Time{}
	}
	for i := range b.items {
		switch it := &b.items[i]; {
		case it.ask != nil:
		case it.err != nil:
			st.Refused++
		default:
			st.Appends++
			st.Events += int64(len(it.append.Events))
			st.Batch += len(it.append.Events)
		}
	}
	now := st.Err
	s.mu.Unlock()
	switch {
	case was == nil && now != nil:
		s.log.Error("nothing can be stored", "error", now)
	case was != nil && now == nil:
		s.log.Info("storing again", "after", fmt.Sprint(was))
	}
}

// tend does what may wait until the batch has been handed on: it copies the
// write-ahead log into the database, and deletes rows of the log that nobody
// needs. Both are tried again later where they fail.
func (s *Store) tend() {
	w := &s.write
	if w.commits++; w.commits >= trimEvery {
		w.commits = 0
		if err := s.trim(); err != nil {
			s.log.Warn("the log was not trimmed", "error", err)
		}
	}
	if w.pages >= checkpointPages {
		w.pages = 0
		if _, _, err := w.WALCheckpoint("main", sqlite3.CHECKPOINT_PASSIVE); err != nil {
			s.log.Warn("the write-ahead log was not copied", "error", err)
		}
	}
}

// trim deletes the rows of the log that no live tail reaches into. Their pages
// are used again.
func (s *Store) trim() error {
	w := &s.write
	oldest := w.nextRow
	for _, c := range s.live {
		oldest = min(oldest, c.rows[0])
	}
	if oldest <= w.oldestRow {
		return nil
	}
	if err := w.exec(sqlTrim, oldest); err != nil {
		return err
	}
	w.oldestRow = oldest
	return nil
}
