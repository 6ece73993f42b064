package sqlite

import (
	"context"
	"errors"
	"syscall"

	"github.com/ncruces/go-sqlite3"

	"github.com/pam-assistant/pam"
)

// fault gives an error of SQLite's, or of a context, its code and its hint.
// What is a *pam.Error already stays as it is.
func fault(op string, err error) error {
	var known *pam.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	code, hint := classify(err)
	return &pam.Error{Code: code, Op: op, Hint: hint, Err: err}
}

func classify(err error) (code pam.Code, hint string) {
	switch {
	case isFull(err):
		return pam.CodeStoreFull, "free space on the disk that PAM_DATA lies on; PAM goes on by itself"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, sqlite3.INTERRUPT):
		return pam.CodeStoreUnavailable, "ask again"
	case errors.Is(err, sqlite3.BUSY), errors.Is(err, sqlite3.LOCKED):
		return pam.CodeStoreUnavailable, "another program holds the database in PAM_DATA: close it (a copy may be opened freely)"
	case errors.Is(err, sqlite3.READONLY), errors.Is(err, sqlite3.PERM),
		errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.EPERM):
		return pam.CodeStoreUnavailable, "let PAM's user write to the folder PAM_DATA and every file in it"
	case errors.Is(err, sqlite3.CANTOPEN):
		return pam.CodeStoreUnavailable, "see that the folder PAM_DATA exists and that PAM's user may write to it"
	case errors.Is(err, sqlite3.NOTADB), errors.Is(err, sqlite3.CORRUPT):
		return pam.CodeStoreUnavailable, "pam.db is damaged or no database of PAM's: put a backup in its place"
	case errors.Is(err, sqlite3.IOERR), errors.Is(err, sqlite3.PROTOCOL):
		return pam.CodeStoreUnavailable, "look at the disk that PAM_DATA lies on (dmesg); restart PAM when it is well"
	}
	return pam.CodeInternal, ""
}

// isFull reports whether err says that there is no room: for the database, or
// for the index of its write-ahead log.
func isFull(err error) bool {
	return errors.Is(err, sqlite3.FULL) || errors.Is(err, sqlite3.IOERR_SHMSIZE) ||
		errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// ofOneItem reports whether a transaction failed for what one of its items
// asked, not for the state of the disk or the database: then the others can
// be committed without it.
func ofOneItem(err error) bool {
	code, _ := classify(err)
	return code == pam.CodeInternal
}

func errStopped() error {
	return &pam.Error{Code: pam.CodeStoreUnavailable, Op: "store", Err: errors.New("the store is stopping")}
}

func errNotFound(op string) error { return &pam.Error{Code: pam.CodeNotFound, Op: op} }

func errDeleted(op string) error { return &pam.Error{Code: pam.CodeConversationDeleted, Op: op} }
