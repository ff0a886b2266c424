package dino

import (
	"syscall"
	"time"
)

// threadTime is the time that processors spent on the calling thread.
func threadTime() time.Duration {
	var use syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_THREAD, &use) != nil {
		return 0
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
