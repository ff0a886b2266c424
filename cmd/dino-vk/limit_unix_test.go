//go:build unix

package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

// fileLimit in the environment bounds the size of files that the program may
// write, as a disk that is full.
const fileLimit = "DINOVK_TEST_FILE_LIMIT"

func limitFiles() {
	text := os.Getenv(fileLimit)
	if text == "" {
		return
	}
	signal.Ignore(syscall.SIGXFSZ)
	limit, err := strconv.ParseUint(text, 10, 64)
	if err == nil {
		err = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "limit:", err)
		os.Exit(2)
	}
}
