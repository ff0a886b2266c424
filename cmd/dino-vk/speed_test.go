//go:build unix

package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"dino-vk/dino/data/turbojpeg"
)

// TestSpeed reads the table: a row for each decoder that the pictures could be
// decoded by, and one where there is no choice.
func TestSpeed(t *testing.T) {
	jpegs := filepath.Join("..", "..", "dino", "data", "testdata")
	pack := filepath.Join(t.TempDir(), "pack")
	if _, _, err := execute(t, "data", "pack", "--data", jpegs, "--jpeg", "go", "--output", pack); err != nil {
		t.Fatal(err)
	}
	turbo := turbojpeg.Load() == nil
	for _, c := range []struct {
		args []string
		rows []string
	}{
		{[]string{"--data", jpegs, "--jpeg", "go"}, []string{"go"}},
		{[]string{"--data", pack}, []string{"go"}},
		{[]string{"--data", "shapes:n=9", "--pictures", "4"}, []string{"none"}},
		{[]string{"--data", jpegs}, map[bool][]string{true: {"turbo", "go"}, false: {"go"}}[turbo]},
	} {
		out, _, err := execute(t, append([]string{"data", "speed"}, c.args...)...)
		if err != nil {
			t.Fatal(err)
		}
		want := `^\S+: \d+ of \d+ pictures, 0\.00\d megapixels on average\nJPEG decoder  images/s per core  cores for 3000 images/s\n`
		for _, row := range c.rows {
			want += fmt.Sprintf(`%s +[1-9]\d* +\d+\.\d\d\n`, row)
		}
		if !regexp.MustCompile(want + "$").MatchString(out) {
			t.Errorf("%q: printed\n%s", c.args, out)
		}
		if c.args[1] == "shapes:n=9" && !strings.HasPrefix(out, "shapes:n=9: 4 of 9 pictures") {
			t.Errorf("printed\n%s", out)
		}
	}
	broken := photos(t, 2)
	cut(t, photo(broken, 0), 2)
	cut(t, photo(broken, 1), 2)
	if _, _, err := execute(t, "data", "speed", "--data", broken); err == nil || !strings.Contains(err.Error(), "no readable picture among 2 tried") {
		t.Errorf("broken pictures give %v", err)
	}
}
