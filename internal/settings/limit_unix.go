//go:build unix

package settings

import "syscall"

// descriptors is how many files this process may open, 0 where that is not
// known. The runtime has raised the limit to the most that is allowed.
func descriptors() uint64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return uint64(limit.Cur) //nolint:unconvert // signed on some systems.
}
