package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// layers is the import order of the house: a package may import only from
// layers above its own line, or from its own. Tests may look further down.
var layers = [][]string{
	{"shaders", "internal/dylib"},
	{"gpu/internal/vk"},
	{"gpu"},
	{"gpu/gputest", "gpu/op", "gpu/ref"},
	{"vit", "resnet"},
	{"dino/safetensors", "dino/pth", "dino/data", "dino/eval"},
	{"dino/weights"},
	{"dino"},
	{"dino/onnx"},
	{"cmd", "bench"},
}

// layer is where a package stands: the longest path that it is in decides.
func layer(pkg string) int {
	depth, longest := -1, 0
	for i, paths := range layers {
		for _, p := range paths {
			if (pkg == p || strings.HasPrefix(pkg, p+"/")) && len(p) > longest {
				depth, longest = i, len(p)
			}
		}
	}
	return depth
}

// TestImportOrder keeps imports going one way only, as go/build's own test of
// the standard library does.
func TestImportOrder(t *testing.T) {
	root := filepath.Join("..", "..")
	seen := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if _, err := os.Stat(filepath.Join(path, "go.mod")); d.IsDir() && path != root && err == nil {
			return filepath.SkipDir // another module
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		from := layer(filepath.ToSlash(rel))
		if from < 0 {
			t.Errorf("%s: the package has no place in the import order", rel)
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if pkg, ours := strings.CutPrefix(imported, "dino-vk/"); ours {
				seen++
				if to := layer(pkg); to > from {
					t.Errorf("%s imports %s, which lies above it", rel, pkg)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen == 0 {
		t.Error("no import of the project was seen")
	}
}
