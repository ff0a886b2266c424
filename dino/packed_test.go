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
	"testing"

	"dino-vk/dino/data"
	"dino-vk/gpu/gputest"
)

// TestPackedRun: a run on packed pictures writes the files of one on their
// source, a picture among them that can't be decoded.
func TestPackedRun(t *testing.T) {
	dev := gputest.Open(t)
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
	open := func(path string) *data.Set {
		set, err := data.Open(t.Context(), path, data.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { set.Close() })
		return set
	}
	source, pack := open(root), filepath.Join(t.TempDir(), "pack")
	err := WriteFile(pack, func(w io.Writer) error {
		return data.WritePack(t.Context(), w, source, 2, func(int, []error) {})
	})
	if err != nil {
		t.Fatal(err)
	}
	var outputs []string
	for _, set := range []*data.Set{source, open(pack)} {
		c := runSettings(t)
		o := &observed{}
		tr, err := NewTrainer(t.Context(), c, dev, set, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(tr.Run(t.Context()), tr.Close()); err != nil {
			t.Fatal(err)
		}
		if len(o.skipped) != 1 || len(o.measure) == 0 {
			t.Errorf("skipped %v, measured %d times", o.skipped, len(o.measure))
		}
		outputs = append(outputs, c.Output)
	}
	sameRun(t, outputs[0], outputs[1])
}
