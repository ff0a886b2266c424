//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPackCommand packs pictures of which two can't be read, and opens the pack
// as other commands do.
func TestPackCommand(t *testing.T) {
	pictures, dir := photos(t, 6), t.TempDir()
	cut(t, photo(pictures, 1), 2)     // found when it is decoded
	cut(t, photo(pictures, 4), 1<<20) // found when the set is opened
	output := filepath.Join(dir, "pictures.pack")
	out, _, err := execute(t, "data", "pack", "--data", pictures, "--output", output)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"skipped: cat/04.png: ", "skipped: dog/01.png: ",
		output + ": 5 pictures, ", "; 1 of them could not be decoded and only keep their places\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	out, _, err = execute(t, "data", "inspect", "--data", output, "--decode")
	want := output + ": 4 pictures in 2 classes\nsizes: smallest 20 x 17, median 20 x 17, largest 20 x 17\n" +
		"formats:\n       4  packed RGB\nclasses:\n       2  cat\n       2  dog\nleft out: 1\n          dog/01.png: "
	if err != nil || !strings.HasPrefix(out, want) {
		t.Errorf("%v, printed\n%s\nwant\n%s", err, out, want)
	}

	before, err := os.ReadFile(output)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--data", output, "--output", output}, "another file"},
		{[]string{"--data", pictures}, "--output is missing"},
		{[]string{"--data", pictures, "--output", filepath.Join(dir, "none", "p")}, "no such file"},
		{[]string{"--data", filepath.Join(dir, "none"), "--output", output}, "does not exist"},
	} {
		if _, _, err := execute(t, append([]string{"data", "pack"}, c.args...)...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.args, err)
		}
	}
	// A disk that gets full leaves the old pack, and no part of the new one.
	p := start(t, []string{fileLimit + "=1000"}, "data", "pack", "--data", pictures, "--output", output)
	if code := p.wait(t); code != 1 || !strings.Contains(p.stderr.String(), "write "+output) {
		t.Errorf("exit code %d\n%s", code, p.stderr.String())
	}
	after, err := os.ReadFile(output)
	if left, _ := os.ReadDir(dir); err != nil || string(after) != string(before) || len(left) != 1 {
		t.Errorf("the pack changed, or more is left: %v, %v", left, err)
	}
}
