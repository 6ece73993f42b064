package identity_test

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	pam "github.com/pam-assistant/pam"
	"github.com/pam-assistant/pam/internal/identity"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestDevelopmentSecret(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	_, err := identity.ReadDevelopmentSecret(dir)
	if !errors.Is(err, fs.ErrNotExist) || pam.CodeOf(err) == pam.CodeInternal {
		t.Errorf("where there is none: %v", err)
	}
	first, err := identity.DevelopmentSecret(dir, quiet())
	if err != nil {
		t.Fatal(err)
	}
	again, err := identity.DevelopmentSecret(dir, quiet())
	if err != nil || !bytes.Equal(first, again) {
		t.Errorf("read again it is another, %v", err)
	}
	read, err := identity.ReadDevelopmentSecret(dir)
	if err != nil || !bytes.Equal(first, read) || len(read) < identity.MinSecretLength {
		t.Errorf("a reader gets %d bytes, %v", len(read), err)
	}
	info, err := os.Stat(filepath.Join(dir, identity.SecretFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("the folder holds %v, %v", files, err)
	}
	other, err := identity.DevelopmentSecret(t.TempDir(), quiet())
	if err != nil || bytes.Equal(first, other) {
		t.Errorf("two folders share a secret, %v", err)
	}
	verifier(t, identity.Options{Secrets: [][]byte{first}})
}

func TestDevelopmentSecretMadeByMany(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	all := make([][]byte, 16)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() {
			secret, err := identity.DevelopmentSecret(dir, quiet())
			if err != nil {
				t.Error(err)
			}
			all[i] = secret
		})
	}
	wg.Wait()
	for _, secret := range all {
		if !bytes.Equal(secret, all[0]) {
			t.Fatal("two of them have different secrets")
		}
	}
}

func TestDevelopmentSecretThatOthersRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secret, err := identity.DevelopmentSecret(dir, quiet())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, identity.SecretFile)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	again, err := identity.DevelopmentSecret(dir, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil || !bytes.Equal(secret, again) {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	if !strings.Contains(log.String(), "others could read") || strings.Contains(log.String(), string(secret)) {
		t.Errorf("log is %q", log.String())
	}
}

func TestBadDevelopmentSecrets(t *testing.T) {
	t.Parallel()
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.WriteFile(elsewhere, bytes.Repeat([]byte("canary"), 10), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, make := range map[string]func(path string) error{
		"empty":       func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"short":       func(path string) error { return os.WriteFile(path, []byte("canary\n"), 0o600) },
		"huge":        func(path string) error { return os.WriteFile(path, bytes.Repeat([]byte("canary"), 1<<20), 0o600) },
		"a folder":    func(path string) error { return os.Mkdir(path, 0o700) },
		"a link":      func(path string) error { return os.Symlink(elsewhere, path) },
		"a dead link": func(path string) error { return os.Symlink("/nonexistent/x", path) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := make(filepath.Join(dir, identity.SecretFile)); err != nil {
				t.Fatal(err)
			}
			_, err := identity.DevelopmentSecret(dir, quiet())
			if e := wantCode(t, err, pam.CodeStoreUnavailable); strings.Contains(e.Error(), "canary") {
				t.Errorf("the file is quoted: %v", e)
			}
		})
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := identity.DevelopmentSecret(filepath.Join(file, "data"), quiet())
	wantCode(t, err, pam.CodeStoreUnavailable)
}
