package identity

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	pam "github.com/pam-assistant/pam"
)

// SecretFile is the file in the data folder that holds the secret of
// development mode.
const SecretFile = "dev-secret"

// DevelopmentUser is whom development mode's tokens speak for.
const DevelopmentUser pam.UserID = "dev"

// maxSecretFile bounds what is read of the file, in bytes.
const maxSecretFile = 4 << 10

// DevelopmentSecret returns the secret of development mode: made once, kept in
// dataDir (which is made where it is missing) with mode 0600, and read again
// later. Where others may read the file, that is mended and log told so: they
// may have. Two processes that make it at once get the same one.
func DevelopmentSecret(dataDir string, log *slog.Logger) ([]byte, error) {
	secret, err := ReadDevelopmentSecret(dataDir)
	if err == nil {
		return secret, closeToOthers(filepath.Join(dataDir, SecretFile), log)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return nil, secretError(dataDir, "make the folder writable, or set PAM_DATA to another", err)
	}
	if err := makeSecret(dataDir); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, secretError(dataDir, "make the folder writable, or set PAM_DATA to another", err)
	}
	return ReadDevelopmentSecret(dataDir)
}

// ReadDevelopmentSecret returns the secret that a server made, as `pam chat`
// needs it. Where there is none the error is fs.ErrNotExist.
func ReadDevelopmentSecret(dataDir string) ([]byte, error) {
	path := filepath.Join(dataDir, SecretFile)
	info, err := os.Lstat(path)
	if err != nil {
		return nil, secretError(path, "start pam serve with the same PAM_DATA; it makes the file", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxSecretFile {
		return nil, secretError(path, "remove it; pam serve makes a new one",
			errors.New("it is not a plain file with a secret"))
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, secretError(path, "let the user that runs PAM read it", err)
	}
	secret := strings.TrimSpace(string(raw))
	if len(secret) < MinSecretLength {
		return nil, secretError(path, "remove it; pam serve makes a new one",
			fmt.Errorf("it holds %d bytes, at least %d are due", len(secret), MinSecretLength))
	}
	return []byte(secret), nil
}

// makeSecret writes the file whole or not at all, and never over another: a
// hard link fails where the name is taken.
func makeSecret(dataDir string) error {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails: it ends the process instead
	tmp, err := os.CreateTemp(dataDir, SecretFile+".*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.WriteString(base64.RawURLEncoding.EncodeToString(random[:]) + "\n")
	if err == nil {
		err = tmp.Chmod(0o600)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if closed := tmp.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	path := filepath.Join(dataDir, SecretFile)
	err = os.Link(tmp.Name(), path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	// A file system without hard links: the second of two that start at once
	// wins, and the first has a secret that is not in the file.
	return os.Rename(tmp.Name(), path)
}

// closeToOthers gives the file the mode 0600 where it has another. A file
// system that knows no modes is none to fail on.
func closeToOthers(path string, log *slog.Logger) error {
	info, err := os.Lstat(path)
	if err != nil {
		return secretError(path, "start again", err)
	}
	if runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	mended := "its mode is 0600 now"
	if err := os.Chmod(path, 0o600); err != nil {
		mended = "its mode could not be changed"
	}
	log.Warn("others could read the secret of development mode; remove the file to get a new one",
		"file", path, "mode", info.Mode().Perm().String(), "done", mended)
	return nil
}

func secretError(path, hint string, err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathErr.Err
	}
	return &pam.Error{
		Code: pam.CodeStoreUnavailable, Op: opSecret, Detail: path,
		Message: "The secret of development mode cannot be read or made.",
		Hint:    hint, Err: err,
	}
}
