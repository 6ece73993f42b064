package sqlite

import (
	"errors"
	"syscall"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

// registerVFS makes the VFS that the store works through, over the one named
// base, and returns its name. It exists for one thing: the driver's own VFS
// reports a full disk as any other I/O error and SQLite then forgets the
// system's number, so that nobody could say "free some space".
func registerVFS(base string) (string, error) {
	below := vfs.Find(base)
	if below == nil {
		return "", errors.New("sqlite: there is no VFS " + base)
	}
	name := "pam" + base
	vfs.Register(name, fullVFS{below})
	return name, nil
}

type fullVFS struct{ vfs.VFS }

// OpenFilename implements [vfs.VFSFilename].
func (v fullVFS) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	var f vfs.File
	var err error
	if below, ok := v.VFS.(vfs.VFSFilename); ok {
		f, flags, err = below.OpenFilename(name, flags)
	} else {
		f, flags, err = v.Open(name.String(), flags)
	}
	if err != nil {
		return nil, flags, full(err)
	}
	return &fullFile{File: f}, flags, nil
}

// fullFile is a file whose errors say that the disk is full where it is.
type fullFile struct{ vfs.File }

var _ vfs.FileSharedMemory = (*fullFile)(nil)

// SharedMemory hands on the write-ahead log's index.
func (f *fullFile) SharedMemory() vfs.SharedMemory {
	if below, ok := f.File.(vfs.FileSharedMemory); ok {
		return below.SharedMemory()
	}
	return nil
}

// WriteAt implements [vfs.File].
func (f *fullFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(p, off)
	return n, full(err)
}

// Sync implements [vfs.File].
func (f *fullFile) Sync(flags vfs.SyncFlag) error { return full(f.File.Sync(flags)) }

// Truncate implements [vfs.File].
func (f *fullFile) Truncate(size int64) error { return full(f.File.Truncate(size)) }

// DeviceCharacteristics leaves out what this file does not hand on.
func (f *fullFile) DeviceCharacteristics() vfs.DeviceCharacteristic {
	return f.File.DeviceCharacteristics() &^ vfs.IOCAP_BATCH_ATOMIC
}

// full turns the system's numbers for a full disk into SQLite's.
func full(err error) error {
	if err != nil && (errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)) {
		return vfs.SystemError(err, sqlite3.FULL)
	}
	return err
}
