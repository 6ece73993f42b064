package sqlite

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/ncruces/go-sqlite3"
)

// conn is a connection that keeps its statements. One goroutine at a time may
// use it.
type conn struct {
	*sqlite3.Conn
	stmts map[string]*sqlite3.Stmt
}

// dsn returns the URI of a database.
func dsn(path, vfs string, pragmas ...string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	abs = filepath.ToSlash(abs)
	if !strings.HasPrefix(abs, "/") { // a drive letter
		abs = "/" + abs
	}
	escape := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23", " ", "%20", "&", "%26")
	var uri strings.Builder
	uri.WriteString("file://" + escape.Replace(abs) + "?vfs=" + vfs)
	for _, p := range pragmas {
		uri.WriteString("&_pragma=" + p)
	}
	return uri.String(), nil
}

func openConn(uri string) (*conn, error) {
	c, err := sqlite3.OpenFlags(uri, sqlite3.OPEN_READWRITE|sqlite3.OPEN_CREATE|sqlite3.OPEN_URI)
	if err != nil {
		return nil, err
	}
	if err := c.BusyTimeout(busyTimeout); err != nil {
		c.Close() // the first error counts
		return nil, err
	}
	return &conn{Conn: c, stmts: map[string]*sqlite3.Stmt{}}, nil
}

// prepare returns the statement of sql, made once.
func (c *conn) prepare(sql string) (*sqlite3.Stmt, error) {
	if st := c.stmts[sql]; st != nil {
		return st, nil
	}
	st, _, err := c.PrepareFlags(sql, sqlite3.PREPARE_PERSISTENT)
	if err != nil {
		return nil, err
	}
	c.stmts[sql] = st
	return st, nil
}

// exec runs a statement that returns nothing.
func (c *conn) exec(sql string, args ...any) error {
	st, err := c.prepare(sql)
	if err != nil {
		return err
	}
	if err := bind(st, args); err != nil {
		return err
	}
	return st.Exec()
}

// query calls row for each row until it returns false or there are no more.
func (c *conn) query(sql string, row func(*sqlite3.Stmt) bool, args ...any) error {
	st, err := c.prepare(sql)
	if err != nil {
		return err
	}
	if err := bind(st, args); err != nil {
		return err
	}
	for st.Step() {
		if !row(st) {
			break
		}
	}
	err = st.Err()
	if e := st.Reset(); err == nil {
		err = e
	}
	return err
}

func bind(st *sqlite3.Stmt, args []any) error {
	for i, arg := range args {
		var err error
		switch v := arg.(type) {
		case int64:
			err = st.BindInt64(i+1, v)
		case string:
			err = st.BindText(i+1, v)
		case []byte:
			err = st.BindBlob(i+1, v)
		default:
			err = fmt.Errorf("sqlite: a %T is never bound", arg)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *conn) close() error {
	for _, st := range c.stmts {
		st.Close() // it repeats the error of the last use
	}
	return c.Close()
}
