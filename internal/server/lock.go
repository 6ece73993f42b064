package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/pam-assistant/pam"
)

const (
	lockFile  = "pam.lock"
	lockEvery = 50 * time.Millisecond
	// holderGrace is how long a holder that has just started may take to
	// write its process id.
	holderGrace = time.Second
	drainWord   = "draining"
)

// dataLock is the exclusive use of a data folder. Its file names the holder and
// whether it drains; it is never deleted, for who deletes a lock file takes the
// lock from who waits for it.
type dataLock struct {
	*flock.Flock
	waited bool // for a holder that drained
}

// lockData takes the data folder, which is made where it is missing. It waits
// for a holder that drains, and refuses to start beside any other.
func lockData(ctx context.Context, folder string, log *slog.Logger) (*dataLock, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, dataError(folder, err)
	}
	l := &dataLock{Flock: flock.New(filepath.Join(folder, lockFile), flock.SetPermissions(0o600))}
	var unknown time.Duration
	for {
		ok, err := l.TryLock()
		switch {
		case err != nil:
			return nil, dataError(folder, err)
		case ok:
			return l, l.write("")
		}
		pid, draining := l.holder()
		switch {
		case draining:
			if !l.waited {
				log.Info("waiting for the process that drains", "pid", pid, "data", folder)
			}
			l.waited = true
		case pid == 0 && unknown < holderGrace:
			unknown += lockEvery
		default:
			return nil, &pam.Error{
				Code: pam.CodeInvalid, Op: "server.lock",
				Message: fmt.Sprintf("The data folder %s is in use by another PAM, process %d.", folder, pid),
				Hint:    fmt.Sprintf("Stop that one (kill %d), or choose another folder: PAM_DATA=./other-data.", pid),
			}
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(lockEvery):
		}
	}
}

// draining tells a successor that it may wait.
func (l *dataLock) draining() { _ = l.write(drainWord) }

// release gives the folder back.
func (l *dataLock) release() error { return l.Unlock() }

func (l *dataLock) write(state string) error {
	text := strconv.Itoa(os.Getpid()) + "\n" + state + "\n"
	if err := os.WriteFile(l.Path(), []byte(text), 0o600); err != nil {
		return dataError(filepath.Dir(l.Path()), err)
	}
	return nil
}

// holder reads who has the folder.
func (l *dataLock) holder() (pid int, draining bool) {
	text, err := os.ReadFile(l.Path())
	if err != nil {
		return 0, false
	}
	first, rest, _ := strings.Cut(string(text), "\n")
	pid, err = strconv.Atoi(first)
	if err != nil {
		return 0, false
	}
	return pid, strings.TrimSpace(rest) == drainWord
}

func dataError(folder string, err error) error {
	hint := "Make the folder writable for the user that runs PAM, or set PAM_DATA to another."
	if errors.Is(err, fs.ErrNotExist) {
		hint = "Set PAM_DATA to a folder on a disk that is there."
	}
	return &pam.Error{Code: pam.CodeStoreUnavailable, Op: "server.lock", Message: "The data folder " + folder + " cannot be used.", Hint: hint, Err: err}
}
