package sqlite

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/store"
)

const (
	sqlContext    = "SELECT body, version FROM contexts WHERE user_id = ? AND session_id = ?"
	sqlPutContext = `INSERT INTO contexts (user_id, session_id, body, version, updated_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (user_id, session_id) DO UPDATE SET body = excluded.body, version = excluded.version, updated_at = excluded.updated_at`
	sqlMemories  = "SELECT key, value, updated_at FROM memories WHERE user_id = ? ORDER BY key"
	sqlOtherKeys = "SELECT count(*) FROM memories WHERE user_id = ? AND key <> ?"
	sqlPutMemory = `INSERT INTO memories (user_id, key, value, updated_at) VALUES (?, ?, ?, ?)
ON CONFLICT (user_id, key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at`
	sqlForget    = "DELETE FROM memories WHERE user_id = ? AND key = ?"
	sqlForgetAll = "DELETE FROM memories WHERE user_id = ?"
)

// Context implements [store.Sessions].
func (s *Store) Context(ctx context.Context, session pam.Session) (found pam.Context, err error) {
	err = s.pool.use(ctx, "store.context", func(r *conn) error {
		found, err = r.context(session)
		return err
	})
	return found, err
}

func (c *conn) context(session pam.Session) (pam.Context, error) {
	found := pam.Context{JSON: []byte("{}")}
	err := c.query(sqlContext, func(st *sqlite3.Stmt) bool {
		found = pam.Context{JSON: bytes.Clone(st.ColumnRawBlob(0)), Version: st.ColumnInt64(1)}
		return false
	}, string(session.User), string(session.ID))
	return found, err
}

// UpdateContext implements [store.Sessions].
func (s *Store) UpdateContext(ctx context.Context, session pam.Session,
	change func(old []byte) ([]byte, error),
) (updated pam.Context, err error) {
	err = s.ask(ctx, "store.update_context", func(w *writer) error {
		old, err := w.context(session)
		if err != nil {
			return err
		}
		json, err := guard(change, old.JSON)
		if err == nil {
			err = store.CheckContext(json)
		}
		if err != nil {
			return refusal{err}
		}
		updated = pam.Context{JSON: json, Version: old.Version + 1}
		return w.exec(sqlPutContext, string(session.User), string(session.ID), json, updated.Version,
			w.now().UnixMilli())
	})
	if err != nil {
		return pam.Context{}, err
	}
	return updated, nil
}

// guard calls change and makes an error of its panic: the writer is everyone's.
func guard(change func([]byte) ([]byte, error), old []byte) (json []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &pam.Error{Code: pam.CodeInternal, Op: "store.update_context", Err: fmt.Errorf("panic: %v", p)}
		}
	}()
	return change(old)
}

// Memories implements [store.Memories].
func (s *Store) Memories(ctx context.Context, user pam.UserID) ([]pam.Memory, error) {
	var list []pam.Memory
	err := s.pool.use(ctx, "store.memories", func(r *conn) error {
		return r.query(sqlMemories, func(st *sqlite3.Stmt) bool {
			list = append(list, pam.Memory{
				Key:     st.ColumnText(0),
				Value:   st.ColumnText(1),
				Updated: time.UnixMilli(st.ColumnInt64(2)).UTC(),
			})
			return true
		}, string(user))
	})
	return list, err
}

// Remember implements [store.Memories].
func (s *Store) Remember(ctx context.Context, user pam.UserID, key, value string) error {
	if err := store.CheckMemory(key, value); err != nil {
		return err
	}
	return s.ask(ctx, "store.remember", func(w *writer) error {
		var others int64
		err := w.query(sqlOtherKeys, func(st *sqlite3.Stmt) bool {
			others = st.ColumnInt64(0)
			return false
		}, string(user), key)
		if err != nil {
			return err
		}
		if others >= store.MaxMemories {
			return refusal{store.ErrTooManyMemories()}
		}
		return w.exec(sqlPutMemory, string(user), key, value, w.now().UnixMilli())
	})
}

// Forget implements [store.Memories].
func (s *Store) Forget(ctx context.Context, user pam.UserID, key string) (was bool, err error) {
	err = s.ask(ctx, "store.forget", func(w *writer) error {
		err := w.exec(sqlForget, string(user), key)
		was = w.Changes() > 0
		return err
	})
	return was && err == nil, err
}

// ForgetAll implements [store.Memories].
func (s *Store) ForgetAll(ctx context.Context, user pam.UserID) (n int, err error) {
	err = s.ask(ctx, "store.forget", func(w *writer) error {
		err := w.exec(sqlForgetAll, string(user))
		n = int(w.Changes())
		return err
	})
	if err != nil {
		n = 0
	}
	return n, err
}
