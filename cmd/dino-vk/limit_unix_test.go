//go:build unix

package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
)

// fileLimit in the environment bounds the size of files that the program may
// write, as a disk that is full does.
const fileLimit = "DINOVK_TEST_FILE_LIMIT"

// limitingFiles is w, the first line to which sets the limit of fileLimit, if
// there is one. A run says its first line when the driver has made the files in
// memory that some keep memory and code in.
func limitingFiles(w *os.File) io.Writer {
	text := os.Getenv(fileLimit)
	if text == "" {
		return w
	}
	return &limiter{w: w, limit: text}
}

type limiter struct {
	w     io.Writer
	limit string
	once  sync.Once
}

func (l *limiter) Write(b []byte) (int, error) {
	l.once.Do(func() {
		signal.Ignore(syscall.SIGXFSZ)
		limit, err := strconv.ParseUint(l.limit, 10, 64)
		if err == nil {
			err = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit})
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "limit:", err)
			os.Exit(2)
		}
	})
	return l.w.Write(b)
}
