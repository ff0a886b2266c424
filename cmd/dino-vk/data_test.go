package main

import (
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dino-vk/gpu/gputest"
)

func TestInspect(t *testing.T) {
	root := t.TempDir()
	good, err := os.ReadFile(photo(photos(t, 1), 0))
	if err != nil {
		t.Fatal(err)
	}
	jpeg, err := os.ReadFile(filepath.Join("..", "..", "dino", "data", "testdata", "rgb.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"cat/1.png": good, "cat/2.png": good, "dog/3.jpg": jpeg, "loose.png": good,
		"cat/empty.png": nil, "dog/text.jpg": []byte("hello"), "dog/cut.png": good[:len(good)/2], "notes.txt": []byte("x"),
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args []string
		want string // up to what is left out, which is checked by itself
		left []string
	}{
		{[]string{"--jpeg", "go"}, "ROOT: 5 pictures in 2 classes\nsizes: smallest 7 x 5, median 20 x 17, largest 20 x 17\n" +
			"formats:\n       4  png\n       1  jpeg\nJPEG decoder: go\nclasses:\n       2  cat\n       2  dog\n       1  (no class)\nleft out: 2\n",
			[]string{"cat/empty.png", "dog/text.jpg"}},
		{[]string{"--jpeg", "go", "--decode"}, "ROOT: 4 pictures in 2 classes\nsizes: smallest 7 x 5, median 20 x 17, largest 20 x 17\n" +
			"formats:\n       3  png\n       1  jpeg\nJPEG decoder: go\nclasses:\n       2  cat\n       1  dog\n       1  (no class)\nleft out: 3\n",
			[]string{"cat/empty.png", "dog/text.jpg", "dog/cut.png"}},
	} {
		out, _, err := execute(t, append([]string{"data", "inspect", "--data", root}, c.args...)...)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.ReplaceAll(c.want, "ROOT", root)
		rest, ok := strings.CutPrefix(out, want)
		if !ok {
			t.Fatalf("%q: printed\n%s\nwant\n%s", c.args, out, want)
		}
		if lines := strings.Split(strings.TrimSpace(rest), "\n"); len(lines) != len(c.left) {
			t.Errorf("%q: left out %q, want %q", c.args, lines, c.left)
		}
		for _, name := range c.left {
			if !strings.Contains(rest, " "+name+": ") {
				t.Errorf("%q: no %s in %q", c.args, name, rest)
			}
		}
	}
}

// The sheet has the picture as high as a crop, its crops, and what the flags
// and the run's config.yaml say of them.
func TestCropsCommand(t *testing.T) {
	gputest.Open(t)
	pictures := photos(t, 4) // 20 x 17 pixels
	config := writeConfig(t, "image-size: 16\nlocal-size: 8\nlocal-crops-number: 3\n")
	const gap = 4
	for _, c := range []struct {
		args []string
		want image.Point
	}{
		// 16 pixels are shown 14 times as large, the picture at 18 x 16.
		{[]string{"--config", config}, image.Pt(gap+14*18+gap+2*(14*16+gap)+3*(14*8+gap), gap+4*(14*16+gap))},
		{[]string{"--config", config, "--pictures", "2", "--local-crops-number", "0"}, image.Pt(gap+14*18+gap+2*(14*16+gap), gap+2*(14*16+gap))},
		{[]string{"--image-size", "230", "--pictures", "1"}, image.Pt(gap+20+gap+2*(230+gap)+8*(96+gap), gap+230+gap)},
	} {
		file := filepath.Join(t.TempDir(), "crops.PNG")
		_, _, err := execute(t, append([]string{"data", "crops", "--data", pictures, "--output", file}, c.args...)...)
		if err != nil {
			t.Fatalf("%q: %v", c.args, err)
		}
		if got := pngSize(t, file); got != c.want {
			t.Errorf("%q: a sheet of %v, want %v", c.args, got, c.want)
		}
	}
	same := func(args ...string) string {
		file := filepath.Join(t.TempDir(), "crops.png")
		if _, _, err := execute(t, append([]string{"data", "crops", "--data", pictures, "--config", config, "--output", file}, args...)...); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	first := same()
	if first != same("--seed", "0", "--epoch", "0") {
		t.Error("the same seed and epoch give other crops")
	}
	if first == same("--seed", "1") || first == same("--epoch", "1") {
		t.Error("another seed or epoch gives the same crops")
	}
}
