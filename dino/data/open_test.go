package data

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// write makes files below a new folder and returns it. A name ending in a
// slash is a folder.
func write(t testing.TB, files map[string][]byte) string {
	t.Helper()
	root := t.TempDir()
	for name, contents := range files {
		full := filepath.Join(root, name)
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(full, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, contents, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// tarOf packs name, contents pairs.
func tarOf(t testing.TB, members ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		h := &tar.Header{Name: members[i], Mode: 0o644, Size: int64(len(members[i+1])), Typeflag: tar.TypeReg}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(members[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipOf(t testing.TB, b []byte) []byte {
	t.Helper()
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return z.Bytes()
}

func mustOpen(t testing.TB, path string) *Set {
	t.Helper()
	s, err := Open(context.Background(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// join joins a path that may begin with a part, as in ":test".
func join(root, path string) string {
	if strings.HasPrefix(path, ":") {
		return root + path
	}
	return filepath.Join(root, path)
}

// describe lists a set as name=class.
func describe(s *Set) string {
	var b strings.Builder
	for i := range s.Len() {
		class := "-"
		if l := s.Label(i); l >= 0 {
			class = s.Classes()[l]
		}
		fmt.Fprintf(&b, "%s=%s ", s.Name(i), class)
	}
	return strings.TrimSpace(b.String())
}

// decodesAll decodes every picture and holds its size against s.Area.
func decodesAll(t testing.TB, s *Set) []Image {
	t.Helper()
	var all []Image
	largest := 0
	for i := range s.Len() {
		img, err := s.Decode(context.Background(), i)
		if err != nil {
			t.Fatal(err)
		}
		if len(img.Pix) != 3*img.W*img.H {
			t.Fatalf("%s: %d x %d with %d bytes", s.Name(i), img.W, img.H, len(img.Pix))
		}
		largest = max(largest, img.W*img.H)
		all = append(all, img)
	}
	if largest != s.Area {
		t.Errorf("the largest picture has %d pixels, Area is %d", largest, s.Area)
	}
	return all
}

// TestOpen opens sources of every kind that holds picture files.
func TestOpen(t *testing.T) {
	p := encodePNG(t, gradient(6, 4))
	q := encodePNG(t, gradient(5, 9))
	ps, qs := string(p), string(q)
	for _, c := range []struct {
		name  string
		files map[string][]byte
		path  string
		want  string
	}{
		{"flat folder", map[string][]byte{"b.png": p, "a.PNG": q, "notes.txt": []byte("x"), ".hidden.png": p}, "",
			"a.PNG=- b.png=-"},
		{"class folders", map[string][]byte{"dog/1.png": p, "cat/deep/2.png": q, "cat/1.png": p}, "",
			"cat/1.png=cat cat/deep/2.png=cat dog/1.png=dog"},
		{"one folder down", map[string][]byte{"set/dog/1.png": p, "set/cat/1.png": q}, "",
			"set/cat/1.png=cat set/dog/1.png=dog"},
		{"splits are no classes", map[string][]byte{"train/dog/1.png": p, "val/cat/1.png": q}, "",
			"train/dog/1.png=dog val/cat/1.png=cat"},
		{"a folder named train", map[string][]byte{"train/dog/1.png": p, "train/cat/1.png": q}, "train",
			"cat/1.png=cat dog/1.png=dog"},
		{"part of a folder", map[string][]byte{"train/dog/1.png": p, "train/cat/1.png": q, "test/cat/2.png": q, "test/dog/2.png": q}, ":test",
			"cat/2.png=cat dog/2.png=dog"},
		{"numbers as classes", map[string][]byte{"10/1.png": p, "9/1.png": q}, "",
			"10/1.png=10 9/1.png=9"},
		{"loose beside folders", map[string][]byte{"1.png": p, "cat/1.png": q}, "",
			"1.png=- cat/1.png=cat"},
		{"contents over endings", map[string][]byte{"a.jpg": p}, "", "a.jpg=-"},
		{"one picture", map[string][]byte{"a.png": p}, "a.png", "a.png=-"},
		{"one picture without ending", map[string][]byte{"a": p}, "a", "a=-"},
		{"list", map[string][]byte{"l.txt": []byte("\ufeffx y.png\r\n\n# no\nsub/b.png dog\na.png\tbig cat\n"), "a.png": p, "sub/b.png": q, "x y.png": p}, "l.txt",
			"x y.png=- sub/b.png=dog a.png=big cat"},
		{"tar", map[string][]byte{"t.tar": tarOf(t, "dog/2.png", ps, "cat/1.png", qs, "dog/2.png", qs, "README", "r")}, "t.tar",
			"cat/1.png=cat dog/2.png=dog"},
		{"tar with a long name", map[string][]byte{"t.tar": tarOf(t, "dog/"+strings.Repeat("n", 300)+".png", ps, "cat/é.png", qs)}, "t.tar",
			"cat/é.png=cat dog/" + strings.Repeat("n", 300) + ".png=dog"},
		{"tar with absolute names", map[string][]byte{"t.tar": tarOf(t, "/x/dog/1.png", ps, "/y/../z/1.png", qs)}, "t.tar",
			"x/dog/1.png=x z/1.png=z"},
		{"tar by contents, zipped", map[string][]byte{"t": gzipOf(t, tarOf(t, "./dog/1.png", ps, "./cat/1.png", qs))}, "t",
			"cat/1.png=cat dog/1.png=dog"},
		{"WebDataset", map[string][]byte{"t.tar": tarOf(t, "k/2.png", ps, "k/2.cls", "10\n", "k/1.json", `{"label": 9}`, "k/1.png", qs, "k/3.png", qs)}, "t.tar",
			"k/1.png=9 k/2.png=10 k/3.png=-"},
		{"shards", map[string][]byte{"s-1.tar": tarOf(t, "2.png", ps, "2.cls", "b"), "s-0.tar": tarOf(t, "1.png", qs, "1.cls", "a")}, "",
			"s-0.tar/1.png=a s-1.tar/2.png=b"},
		{"shards of class folders", map[string][]byte{"s-1.tar": tarOf(t, "b/2.png", ps, "b/3.png", ps), "s-0.tar": tarOf(t, "a/1.png", qs)}, "",
			"s-0.tar/a/1.png=a s-1.tar/b/2.png=b s-1.tar/b/3.png=b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := mustOpen(t, join(write(t, c.files), c.path))
			if got := describe(s); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if len(s.Skipped) > 0 {
				t.Errorf("skipped %v", s.Skipped)
			}
			decodesAll(t, s)
		})
	}
}

func TestClassOrder(t *testing.T) {
	p := encodePNG(t, gradient(2, 2))
	for _, c := range []struct{ dirs, want []string }{
		{[]string{"10", "9", "100"}, []string{"9", "10", "100"}},
		{[]string{"10", "9", "x"}, []string{"10", "9", "x"}},
	} {
		files := map[string][]byte{}
		for _, d := range c.dirs {
			files[d+"/1.png"] = p
		}
		if got := mustOpen(t, write(t, files)).Classes(); !slices.Equal(got, c.want) {
			t.Errorf("classes %v, want %v", got, c.want)
		}
	}
}

func TestLabelsIn(t *testing.T) {
	p := encodePNG(t, gradient(2, 2))
	s := mustOpen(t, write(t, map[string][]byte{"1.png": p, "dog/1.png": p, "emu/1.png": p}))
	if got, want := LabelsIn(s, []string{"cat", "dog"}), []int{-1, 1, -1}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestSkipped has a folder and a list full of obstacles around one picture:
// each is reported by name, with what would help.
func TestSkipped(t *testing.T) {
	p := encodePNG(t, gradient(6, 4))
	root := write(t, map[string][]byte{
		"good.png":          p,
		"empty.png":         nil,
		"cut.png":           p[:20],
		"text.png":          []byte("no picture"),
		"huge.png":          setPNGSize(p, 60000, 60000),
		"phone.heic":        []byte("x"),
		"folder.png/x":      []byte("x"),
		"folder2.png/x.png": p,
	})
	if err := os.Symlink(root, filepath.Join(root, "loop")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(root, "dangling.png")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(root, "pipe.png"), 0o644); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"empty.png": "empty file", "cut.png": "cut short", "text.png": "convert", "huge.png": "60000 x 60000",
		"phone.heic": "convert", "folder.png": "a folder", "loop": "symbolic link", "dangling.png": "no such file", "pipe.png": "special file",
	}
	s := mustOpen(t, root)
	if got := describe(s); got != "folder2.png/x.png=folder2.png good.png=-" {
		t.Errorf("read %s", got)
	}
	checkSkipped(t, s, want)

	delete(want, "loop")
	delete(want, "phone.heic")
	var list []byte
	for name := range want {
		list = append(list, name+"\n"...)
	}
	list = append(list, "good.png\n"...)
	if err := os.WriteFile(filepath.Join(root, "list"), list, 0o644); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, filepath.Join(root, "list"))
	checkSkipped(t, s, want)
}

func checkSkipped(t *testing.T, s *Set, want map[string]string) {
	t.Helper()
	if len(s.Skipped) != len(want) {
		t.Errorf("%d skipped, want %d: %v", len(s.Skipped), len(want), s.Skipped)
	}
	for name, why := range want {
		found := slices.ContainsFunc(s.Skipped, func(err error) bool {
			return strings.HasPrefix(err.Error(), name+": ") && strings.Contains(err.Error(), why)
		})
		if !found {
			t.Errorf("%s is not reported with %q: %v", name, why, s.Skipped)
		}
	}
}

func TestUnreadableFile(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	p := encodePNG(t, gradient(6, 4))
	root := write(t, map[string][]byte{"a.png": p, "b.png": p})
	if err := os.Chmod(filepath.Join(root, "b.png"), 0); err != nil {
		t.Fatal(err)
	}
	checkSkipped(t, mustOpen(t, root), map[string]string{"b.png": "permission denied"})
}

func TestTarLink(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "l.png", Typeflag: tar.TypeSymlink, Linkname: "a.png"}); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	b.Write(tarOf(t, "a.png", string(encodePNG(t, gradient(3, 3)))))
	s := mustOpen(t, filepath.Join(write(t, map[string][]byte{"t.tar": b.Bytes()}), "t.tar"))
	checkSkipped(t, s, map[string]string{"l.png": "a link"})
}

// TestOpenErrors: what cannot be opened says which path and what would do.
func TestOpenErrors(t *testing.T) {
	good := tarOf(t, "a.png", strings.Repeat("x", 1000), "b.png", strings.Repeat("x", 1000))
	root := write(t, map[string][]byte{
		"nothing/":               nil,
		"bad/a.png":              []byte("x"),
		"other/a.doc":            []byte("x"),
		"empty":                  nil,
		"empty.tar":              nil,
		"binary":                 {0, 1, 2, 3, 0xff},
		"good.tar":               good,
		"cut.tar":                good[:700],
		"cut2.tar":               good[:2100],
		"cut.gz":                 gzipOf(t, good)[:60],
		"zip.zip":                []byte("PK\x03\x04........"),
		"bad.bin":                make([]byte, 3072),
		"badlabel.bin":           cifarOf(1, 77),
		"idx":                    idxOf(3, 2, 2)[:20],
		"idxdims":                append([]byte{0, 0, 8, 3}, bytes.Repeat([]byte{0xff}, 12)...),
		"idxzero":                {0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1},
		"x-images-idx3":          idxOf(3, 2, 2),
		"x-labels-idx1":          idxOf(2),
		"list":                   []byte("missing.png\n"),
		"mixed/data_batch_1.bin": cifarOf(1, 1),
		"mixed/data_batch_2.bin": cifarOf(2, 1),
	})
	if err := syscall.Mkfifo(filepath.Join(root, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path   string
		none   bool // wraps ErrNoImages
		remedy string
	}{
		{"list:test", false, "leave \":test\" away"},
		{"bad:test", false, "leave \":test\" away"},
		{"good.tar:test", false, "leave \":test\" away"},
		{"absent", false, "folder or tar of pictures"},
		{"nothing", true, "JPEG, PNG"},
		{"bad", true, "a.png"},
		{"other", true, "JPEG, PNG"},
		{"empty", false, "is empty"},
		{"empty.tar", true, "JPEG, PNG"},
		{"binary", false, "unpack other archives"},
		{"cut.tar", false, "copy it again"},
		{"cut2.tar", false, "copy it again"},
		{"cut.gz", false, "gunzip"},
		{"zip.zip", false, "unpack other archives"},
		{"bad.bin", false, "copy the file again"},
		{"badlabel.bin", false, "label 77"},
		{"idx", false, "copy it again"},
		{"idxdims", false, "copy it again"},
		{"idxzero", true, "dimensions"},
		{"x-images-idx3", false, "x-images-idx3"},
		{"list", true, "missing.png"},
		{"mixed", false, "part them"},
		{"pipe", false, "special file"},
	} {
		s, err := Open(context.Background(), filepath.Join(root, c.path), Options{})
		if err == nil {
			t.Errorf("%s opened with %d pictures", c.path, s.Len())
			continue
		}
		if errors.Is(err, ErrNoImages) != c.none {
			t.Errorf("%s: ErrNoImages is %v: %v", c.path, !c.none, err)
		}
		if text := err.Error(); !strings.Contains(text, strings.TrimSuffix(c.path, ":test")) || !strings.Contains(text, c.remedy) {
			t.Errorf("%s: error %q does not name the path and %q", c.path, text, c.remedy)
		}
	}
}

// TestChangedFiles: after Open, a file may vanish, be damaged or grow; none of
// these goes unsaid, and no picture is larger than Area.
func TestChangedFiles(t *testing.T) {
	p := encodePNG(t, gradient(30, 20))
	root := write(t, map[string][]byte{"a.png": p, "b.png": p, "c.png": p, "d.png": p})
	s, err := Open(context.Background(), root, Options{Area: 150})
	if err != nil {
		t.Fatal(err)
	}
	if s.Area != 150 { // 15 x 10
		t.Errorf("Area is %d, want 150", s.Area)
	}
	s.Close()
	s = mustOpen(t, root)
	decodesAll(t, s)
	if err := os.Remove(filepath.Join(root, "a.png")); err != nil {
		t.Fatal(err)
	}
	for name, contents := range map[string][]byte{"b.png": p[:len(p)-30], "c.png": encodePNG(t, gradient(40, 40))} {
		if err := os.WriteFile(filepath.Join(root, name), contents, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []string{"a.png: no such file", "b.png: png: invalid format", "c.png: 40 x 40 pixels: it has grown", ""} {
		_, err := s.Decode(context.Background(), i)
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("picture %d: error %v, want %q", i, err, want)
		}
	}
}

func TestOpenCancelled(t *testing.T) {
	root := write(t, map[string][]byte{"a.png": encodePNG(t, gradient(2, 2))})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Open(ctx, root, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Open after cancel: %v", err)
	}
}
