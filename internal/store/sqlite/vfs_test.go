package sqlite_test

import (
	"strings"
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
	sync    atomic.Pointer[error]
	open    error // what every opening of a file fails with
}

func newDisk(t *testing.T, full error) *disk {
	t.Helper()
	system, ok := vfs.Find("os").(vfs.VFSFilename)
	if !ok {
		t.Fatal("the system's VFS opens no file names")
	}
	d := &disk{VFSFilename: system, name: strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-")), full: full}
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
		d.sync.Store(nil)
		return
	}
	d.sync.Store(&err)
}

func (d *disk) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	if d.open != nil {
		return nil, flags, d.open
	}
	f, flags, err := d.VFSFilename.OpenFilename(name, flags)
	if err != nil {
		return nil, flags, err
	}
	return &diskFile{File: f, disk: d}, flags, nil
}

type diskFile struct {
	vfs.File

	disk *disk
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
	if err := f.disk.sync.Load(); err != nil {
		return *err
	}
	return f.File.Sync(flags)
}
