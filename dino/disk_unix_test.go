//go:build unix

package dino

import (
	"bytes"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// TestFullDisk lets the system refuse to write on in the middle of a
// checkpoint, through the process's limit on the size of files.
func TestFullDisk(t *testing.T) {
	dir, s := t.TempDir(), testState()
	if err := WriteCheckpoint(dir, s, testTensors(1), true); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, CheckpointName)
	before, files := read(t, path), names(t, dir)

	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	small := old
	small.Cur = 50_000 // the checkpoint has 80 kB
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &small); err != nil {
		t.Fatal(err)
	}
	err := WriteCheckpoint(dir, s, testTensors(2), true)
	if back := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); back != nil {
		t.Fatal(back)
	}
	if err == nil {
		t.Fatal("nothing was refused")
	}
	if !bytes.Equal(before, read(t, path)) || !slices.Equal(files, names(t, dir)) {
		t.Errorf("the folder changed: %v", names(t, dir))
	}
}
