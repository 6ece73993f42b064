package sqlite_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ncruces/go-sqlite3/vfs"
)

// disk is a VFS whose writes and syncs can be made to fail, for one test.
type disk struct {
	vfs.VFSFilename

	name    string
	limited atomic.Bool
	left    atomic.Int64 // bytes that may still be written, where limited
	full    error        // what a write fails with then
	broken  atomic.Pointer[error]
	open    error // what every opening of a file fails with

	mu     sync.Mutex
	synced map[string][]byte // what a power cut leaves of each file
}

func newDisk(t *testing.T, full error) *disk {
	t.Helper()
	system, ok := vfs.Find("os").(vfs.VFSFilename)
	if !ok {
		t.Fatal("the system's VFS opens no file names")
	}
	d := &disk{
		VFSFilename: system, name: strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-")), full: full,
		synced: map[string][]byte{},
	}
	vfs.Register(d.name, d)
	t.Cleanup(func() { vfs.Unregister(d.name) })
	return d
}

// fill leaves room for so many bytes.
func (d *disk) fill(left int64) {
	d.left.Store(left)
	d.limited.Store(true)
}

func (d *disk) free() { d.limited.Store(false) }

// failSync makes every sync fail with err; nil mends it.
func (d *disk) failSync(err error) {
	if err == nil {
		d.broken.Store(nil)
		return
	}
	d.broken.Store(&err)
}

func (d *disk) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	if d.open != nil {
		return nil, flags, d.open
	}
	f, flags, err := d.VFSFilename.OpenFilename(name, flags)
	if err != nil {
		return nil, flags, err
	}
	return &diskFile{File: f, disk: d, name: name.String()}, flags, nil
}

func (d *disk) Delete(name string, syncDir bool) error {
	d.mu.Lock()
	delete(d.synced, name)
	d.mu.Unlock()
	return d.VFSFilename.Delete(name, syncDir)
}

// cut returns what a power cut would leave of the files now: of each what it
// held when it was synced last.
func (d *disk) cut() map[string][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.synced)
}

// put lays out files in a folder of their own, and returns it.
func put(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

type diskFile struct {
	vfs.File

	disk *disk
	name string
}

func (f *diskFile) SharedMemory() vfs.SharedMemory {
	if shared, ok := f.File.(vfs.FileSharedMemory); ok {
		return shared.SharedMemory()
	}
	return nil
}

func (f *diskFile) WriteAt(p []byte, off int64) (int, error) {
	if f.disk.limited.Load() && f.disk.left.Add(-int64(len(p))) < 0 {
		return 0, f.disk.full
	}
	return f.File.WriteAt(p, off)
}

func (f *diskFile) Sync(flags vfs.SyncFlag) error {
	if err := f.disk.broken.Load(); err != nil {
		return *err
	}
	if err := f.File.Sync(flags); err != nil {
		return err
	}
	content, err := os.ReadFile(f.name)
	if err != nil {
		return err
	}
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.disk.synced[f.name] = content
	return nil
}
