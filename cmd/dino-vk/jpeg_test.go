//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWithoutTurbo hides libjpeg-turbo: the pictures are decoded by image/jpeg,
// and who insists is told what to install.
func TestWithoutTurbo(t *testing.T) {
	hidden := t.TempDir()
	for _, name := range []string{"libturbojpeg.so.0", "libturbojpeg.so"} {
		if err := os.WriteFile(filepath.Join(hidden, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	environment := []string{"LD_LIBRARY_PATH=" + hidden}
	pictures, err := filepath.Abs(filepath.Join("..", "..", "dino", "data", "testdata"))
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"data", "inspect", "--data", pictures, "--decode"}
	p := start(t, environment, args...)
	if len(p.Args) > 1+len(args) {
		t.Skipf("%s chooses the libraries, whatever LD_LIBRARY_PATH says", p.Path)
	}
	p.succeed(t)
	if out := p.stdout.String(); !strings.Contains(out, "JPEG decoder: go\n") || strings.Contains(out, "left out") {
		t.Errorf("printed\n%s", out)
	}
	p = start(t, environment, append(args, "--jpeg", "turbo")...)
	if code := p.wait(t); code != 1 || !strings.Contains(p.stderr.String(), "apt install libturbojpeg0") || !strings.Contains(p.stderr.String(), "use the decoder go") {
		t.Errorf("exit code %d\n%s", code, p.stderr.String())
	}
}
