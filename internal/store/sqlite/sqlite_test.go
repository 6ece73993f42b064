package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/store"
	"github.com/pam-assistant/pam/internal/store/sqlite"
	"github.com/pam-assistant/pam/internal/store/storetest"
)

func TestEngine(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Opener{
		Open: func(t *testing.T, place string) store.Engine {
			t.Helper()
			return open(t, sqlite.Options{Path: filepath.Join(place, "pam.db")})
		},
		Delete: func(t *testing.T, place string, key pam.Key) {
			t.Helper()
			execute(t, filepath.Join(place, "pam.db"), "UPDATE conversations SET deleted = 1 WHERE user_id = '"+
				string(key.User)+"' AND conversation_id = '"+string(key.Conversation)+"'")
		},
	})
}

func open(t *testing.T, opts sqlite.Options) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), opts)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return s
}

// execute changes a database behind the store's back.
func execute(t *testing.T, path, sql string) {
	t.Helper()
	c, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() // the statement's error counts
	if err := c.Exec(sql); err != nil {
		t.Fatal(err)
	}
}

// count asks a database for one number.
func count(t *testing.T, path, sql string) int64 {
	t.Helper()
	c, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() // it only read
	st, _, err := c.Prepare(sql)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close() // it only read
	if !st.Step() {
		t.Fatal(st.Err())
	}
	return st.ColumnInt64(0)
}
