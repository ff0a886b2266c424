package data

import (
	"context"
	"strings"
	"testing"
)

func TestShapesNames(t *testing.T) {
	for path, want := range map[string]shapesSpec{
		"shapes":                           {"train", 10_000, 32, 0},
		"shapes:test":                      {"test", 2_000, 32, 0},
		"shapes:n=5:train:seed=7:size=64":  {"train", 5, 64, 7},
		"shapes:seed=18446744073709551615": {"train", 10_000, 32, 1<<64 - 1},
	} {
		if got, ok, err := parseShapes(path); !ok || err != nil || got != want {
			t.Errorf("%s: %+v %v %v, want %+v", path, got, ok, err, want)
		}
	}
	for _, path := range []string{"shapes:val", "shapes:n=0x", "shapes:n=-1", "shapes:size=0", "shapes:size=99999", "shapes:seed=-1:n=3", "shapes:"} {
		if _, ok, err := parseShapes(path); !ok || err == nil || !strings.Contains(err.Error(), "shapes[:train|:test]") {
			t.Errorf("%s: %v %v", path, ok, err)
		}
	}
	for _, path := range []string{"./shapes", "shapes/x", "shapes2"} {
		if _, ok, _ := parseShapes(path); ok {
			t.Errorf("%s is taken for the generated set", path)
		}
	}
}

func TestOpenShapes(t *testing.T) {
	s := mustOpen(t, "shapes:test:n=12:size=16")
	if s.Len() != 12 || s.Area != 256 || len(s.Classes()) < 2 {
		t.Errorf("%d pictures of %d pixels, classes %v", s.Len(), s.Area, s.Classes())
	}
	decodesAll(t, s)
	again, err := mustOpen(t, "shapes:test:n=12:size=16").Decode(context.Background(), 3)
	if err != nil {
		t.Fatal(err)
	}
	if first := decodesAll(t, s)[3]; string(first.Pix) != string(again.Pix) {
		t.Error("picture 3 differs between two openings")
	}
}
