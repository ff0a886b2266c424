package main

import (
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dino-vk/gpu/gputest"
)

// pngSize is the size of a PNG file.
func pngSize(t *testing.T, path string) image.Point {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, format, err := image.Decode(f)
	if err != nil || format != "png" {
		t.Fatalf("%s: %s, error %v", path, format, err)
	}
	return m.Bounds().Size()
}

func TestAttentionCommand(t *testing.T) {
	gputest.Open(t)
	pictures, run := photos(t, 5), filepath.Join(t.TempDir(), "run")
	if _, _, err := execute(t, small(pictures, "--max-steps", "1", "--output", run)...); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(pictures, "bad.png"), []byte("no picture"), 0o644); err != nil {
		t.Fatal(err)
	}
	one, two := photo(pictures, 1), photo(pictures, 2)
	for _, c := range []struct {
		name  string
		args  []string
		names []string
		side  int // of a picture as it is shown
	}{
		{"a set", []string{"--data", pictures, "--limit", "3"}, []string{"cat-00", "cat-02", "dog-01"}, 14 * 16},
		{"all", []string{"--data", pictures, "--limit", "0", "--image-size", "300"}, []string{"cat-00", "cat-02", "cat-04", "dog-01", "dog-03"}, 296},
		{"a folder", []string{"--limit", "1", pictures}, []string{"cat-00"}, 14 * 16},
		{"a file", []string{one}, []string{"01"}, 14 * 16},
		{"files", []string{"--image-size", "45", one, two, one}, []string{"01", "02", "01-2"}, 6 * 40},
	} {
		t.Run(c.name, func(t *testing.T) {
			output := filepath.Join(t.TempDir(), "new", "folder")
			args := append([]string{"attention", "--checkpoint", run, "--output", output}, c.args...)
			stdout, stderr, err := execute(t, args...)
			if err != nil {
				t.Fatal(err)
			}
			if bad := !strings.Contains(c.name, "file"); strings.Contains(stderr, "skipped: bad.png") != bad {
				t.Errorf("the bad picture should be named: %v, stderr %q", bad, stderr)
			}
			if !strings.Contains(stdout, "attention.png") {
				t.Errorf("printed %q", stdout)
			}
			want := []string{"attention.png"}
			for _, name := range c.names {
				want = append(want, name+"-head0.png", name+"-head1.png", name+"-mean.png")
			}
			slices.Sort(want)
			var got []string
			files, err := os.ReadDir(output)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				got = append(got, f.Name())
				size := image.Pt(c.side, c.side)
				if f.Name() == "attention.png" { // picture, two heads, mean
					size = image.Pt(4+4*(c.side+4), 4+len(c.names)*(c.side+4))
				}
				if s := pngSize(t, filepath.Join(output, f.Name())); s != size {
					t.Errorf("%s is of %v, want %v", f.Name(), s, size)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("files %v, want %v", got, want)
			}
		})
	}
}

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		n, limit int
		want     []int
	}{
		{3, 0, []int{0, 1, 2}}, {3, 5, []int{0, 1, 2}}, {10, 1, []int{0}}, {10, 4, []int{0, 2, 5, 7}}, {4, 2, []int{0, 2}},
	} {
		if got := spread(c.n, c.limit); !slices.Equal(got, c.want) {
			t.Errorf("%d of %d: %v, want %v", c.limit, c.n, got, c.want)
		}
	}
}

func TestFileNames(t *testing.T) {
	var names fileNames
	for _, c := range []struct{ name, want string }{
		{"dog/a b.jpg", "dog-a_b"},
		{"dog/a b.png", "dog-a_b-2"},
		{"DOG/A?B.JPEG", "DOG-A_B-3"},
		{"data_batch_1.bin[7]", "data_batch_1.bin_7_"},
		{"../../etc/passwd", "etc-passwd"},
		{`C:\photos\x.tif`, "C_-photos-x"},
		{".hidden.png", "hidden"},
		{"...", "picture"},
		{"größe/日本.webp", "größe-日本"},
		{"bad\xffname.gif", "bad_name"},
		{strings.Repeat("é", 100) + "-end.png", strings.Repeat("é", 58) + "-end"},
	} {
		if got := names.unique(c.name); got != c.want {
			t.Errorf("%q: %q, want %q", c.name, got, c.want)
		}
	}
}
