// Package again lets a test start its own binary once more, as a process that
// may die.
package again

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"slices"
	"testing"
)

// Command starts the running test binary with other arguments. Where another
// program runs the binary, as a dynamic linker with the libraries of another
// system does under go test -exec, so it does here.
func Command(ctx context.Context, t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	start := []string{self}
	if line, err := os.ReadFile("/proc/self/cmdline"); err == nil {
		start = starter(self, bytes.Split(bytes.TrimSuffix(line, []byte{0}), []byte{0}), len(os.Args)-1)
	}
	return exec.CommandContext(ctx, start[0], slices.Concat(start[1:], args)...)
}

// starter is how a process was started, without its own arguments, the last
// `own` of its command line: its binary, or what runs that, and how.
func starter(binary string, line [][]byte, own int) []string {
	start := []string{binary}
	for i := 1; i < len(line)-own; i++ {
		start = append(start, string(line[i]))
	}
	return start
}
