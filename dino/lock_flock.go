//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package dino

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// lockFolder holds a folder against other processes until it is closed or the
// process ends, however it does.
func lockFolder(dir string) (io.Closer, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	// Some network file systems have no locks; a run there goes unguarded.
	if err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		d.Close()
		return nil, ErrInUse
	}
	return d, nil
}
