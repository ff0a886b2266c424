package main

import (
	"bytes"
	"path/filepath"
	"testing"

	"dino-vk/dino/data"
)

// What is written must be read back as the same pictures with the same classes.
func TestShapesAsFolders(t *testing.T) {
	dir := t.TempDir()
	a := app()
	a.Writer = &bytes.Buffer{}
	if err := a.Run([]string{"dino-vk", "data", "shapes", "--output", dir, "--train", "16", "--test", "8", "--size", "12", "--seed", "3"}); err != nil {
		t.Fatal(err)
	}
	want := data.NewShapes("train", 16, 12, 3)
	got, err := data.Open(t.Context(), filepath.Join(dir, "train"), data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	if got.Len() != 16 || len(got.Classes()) != len(want.Classes()) {
		t.Fatalf("%d pictures of classes %v", got.Len(), got.Classes())
	}
	pixels := map[string]string{} // class by pixels
	for i := range want.Len() {
		picture, err := want.Decode(t.Context(), i)
		if err != nil {
			t.Fatal(err)
		}
		pixels[string(picture.Pix)] = want.Classes()[want.Label(i)]
	}
	for i := range got.Len() {
		picture, err := got.Decode(t.Context(), i)
		if err != nil {
			t.Fatal(err)
		}
		if class := got.Classes()[got.Label(i)]; pixels[string(picture.Pix)] != class {
			t.Errorf("%s is of class %q, want %q", got.Name(i), class, pixels[string(picture.Pix)])
		}
	}
}
