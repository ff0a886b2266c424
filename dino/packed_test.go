package dino

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dino-vk/dino/data"
	"dino-vk/gpu/gputest"
)

// jpegFolder is a folder of the camera's pictures as JPEG files, of which one
// can't be decoded.
func jpegFolder(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for i := range runPictures {
		picture, err := camera{n: runPictures}.Decode(t.Context(), i)
		if err != nil {
			t.Fatal(err)
		}
		m := image.NewRGBA(image.Rect(0, 0, picture.W, picture.H))
		for p := range picture.W * picture.H {
			copy(m.Pix[4*p:], picture.Pix[3*p:3*p+3])
		}
		var file bytes.Buffer
		if err := jpeg.Encode(&file, m, nil); err != nil {
			t.Fatal(err)
		}
		if i == 7 {
			file.Truncate(file.Len() - 40)
		}
		path := filepath.Join(root, []string{"even", "odd"}[i%2], fmt.Sprintf("%02d.jpg", i))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, file.Bytes(), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func openSet(t *testing.T, path string) *data.Set {
	t.Helper()
	set, err := data.Open(t.Context(), path, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close() })
	return set
}

func packOf(t *testing.T, source string) string {
	t.Helper()
	set := openSet(t, source)
	return saveFile(t, "pack", func(w io.Writer) error {
		return data.WritePack(t.Context(), w, set, 2, func(int, []error) {})
	})
}

// runOn carries out a run, or goes on with it, on the pictures at path.
func runOn(t *testing.T, c Config, path string) (*observed, error) {
	t.Helper()
	c.Data = path
	o := &observed{}
	tr, err := NewTrainer(t.Context(), c, gputest.Open(t), openSet(t, path), o)
	if err != nil {
		return o, err
	}
	return o, errors.Join(tr.Run(t.Context()), tr.Close())
}

// TestPackedRun: a run on packed pictures writes the files of one on their
// source, and so does one that goes on with either in turn.
func TestPackedRun(t *testing.T) {
	source := jpegFolder(t)
	pack := packOf(t, source)
	whole, packed, mixed := runSettings(t), runSettings(t), runSettings(t)
	for _, part := range []struct {
		c     Config
		data  string
		steps int
	}{
		{whole, source, 10}, {packed, pack, 10},
		{mixed, source, 3}, {mixed, pack, 7}, {mixed, packOf(t, pack), 8}, {mixed, source, 10},
	} {
		part.c.MaxSteps = part.steps
		o, err := runOn(t, part.c, part.data)
		if err != nil {
			t.Fatal(err)
		}
		if len(o.skipped) != 1 || part.c.Output != mixed.Output && len(o.measure) == 0 {
			t.Errorf("skipped %v, measured %d times", o.skipped, len(o.measure))
		}
	}
	sameRun(t, whole.Output, packed.Output)
	sameRun(t, whole.Output, mixed.Output)
}

// TestOtherPack: a run does not go on with a pack of other pictures, though
// their names and number are the same, and says what the pack is of.
func TestOtherPack(t *testing.T) {
	source, other := jpegFolder(t), jpegFolder(t)
	c := runSettings(t)
	c.MaxSteps = 3
	if _, err := runOn(t, c, source); err != nil {
		t.Fatal(err)
	}
	before, pack := latest(t, c), packOf(t, other)
	c.MaxSteps = 7
	_, err := runOn(t, c, pack)
	if want := fmt.Sprintf("--data %s (was %s); use another --output, or the old settings to go on (%s is a pack of %s)", other, source, pack, other); !errors.Is(err, ErrOtherRun) || !strings.Contains(err.Error(), want) {
		t.Errorf("no %q in %v", want, err)
	}
	if !bytes.Equal(before, latest(t, c)) {
		t.Error("the refused run changed the checkpoint")
	}
}
