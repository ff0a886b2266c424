// Package reference gives tests the numbers of the reference implementation:
// sets of tensors that the official DINO code computed, with the limits within
// which another implementation must agree.
//
// A set is a folder with an index.json and one folder per family; a family has
// a manifest.json and safetensors files. Everything a test needs (sizes,
// hyperparameters, file names, limits) is in the manifests, so the same tests
// run on any set of this layout. DINOVK_REFERENCE names the set, the default
// is the small one kept in dino/testdata/reference.
package reference

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"dino-vk/dino/safetensors"
)

// Env is the environment variable that names the set to test against.
const Env = "DINOVK_REFERENCE"

// Set is a folder of families.
type Set struct{ Dir string }

// Default returns the set that Env names, or the one kept with the tests of
// package dino and those below it.
func Default() Set {
	if dir := os.Getenv(Env); dir != "" {
		return Set{dir}
	}
	// Tests run in their packages' folders, compiled ones also where the
	// sources were never.
	dir, err := os.Getwd()
	for err == nil && filepath.Base(dir) != "dino" && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
	}
	return Set{filepath.Join(dir, "testdata", "reference")}
}

// Family is one folder of a set.
type Family struct {
	Name  string
	Dir   string
	Files []*File // by name

	fields map[string]json.RawMessage
}

// File is one file of a family.
type File struct {
	Name   string // without the extension
	Family *Family

	fields  map[string]json.RawMessage
	tensors map[string]*Tensor
	order   []*Tensor
	path    string
}

// Tensor is one tensor of a file.
type Tensor struct {
	Name        string
	Shape       []int
	DType       safetensors.Type
	Kind        string             // what it is, for computed tensors
	Tol         map[string]float64 // limits by measure, empty for inputs
	TolOfChange map[string]float64 `json:"tol_of_change"`
	file        *File
}

// Whole reports whether the set is one that Env names; the one kept with the
// tests lacks some families.
func (s Set) Whole() bool { return os.Getenv(Env) != "" }

// Family reads a family's manifest.
func (s Set) Family(t testing.TB, name string) *Family {
	t.Helper()
	dir := filepath.Join(s.Dir, name)
	f := &Family{Name: name, Dir: dir}
	b, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatalf("reference set (%s): %v", Env, err)
	}
	decode(t, b, &f.fields, dir)
	var files map[string]json.RawMessage
	f.Decode(t, "files", &files)
	for path, raw := range files {
		if filepath.Ext(path) != ".safetensors" {
			continue
		}
		file := &File{Name: path[:len(path)-len(".safetensors")], Family: f, path: filepath.Join(dir, path), tensors: map[string]*Tensor{}}
		decode(t, raw, &file.fields, path)
		file.Decode(t, "tensors", &file.order)
		for _, x := range file.order {
			x.file = file
			file.tensors[x.Name] = x
		}
		f.Files = append(f.Files, file)
	}
	slices.SortFunc(f.Files, func(a, b *File) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return f
}

func decode(t testing.TB, b []byte, into any, place string) {
	t.Helper()
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatalf("manifest of %s: %v", place, err)
	}
}

// Decode reads a field of the family's manifest, such as "config".
func (f *Family) Decode(t testing.TB, key string, into any) {
	t.Helper()
	raw, ok := f.fields[key]
	if !ok {
		t.Fatalf("manifest of %s has no %q", f.Name, key)
	}
	decode(t, raw, into, f.Name)
}

// File returns the file of that name, without extension, nil if the set has none.
func (f *Family) File(name string) *File {
	for _, file := range f.Files {
		if file.Name == name {
			return file
		}
	}
	return nil
}

// Has reports whether the manifest says something under key about the file.
func (f *File) Has(key string) bool { return f.fields[key] != nil }

// Decode reads a field of what the manifest says about the file.
func (f *File) Decode(t testing.TB, key string, into any) {
	t.Helper()
	raw, ok := f.fields[key]
	if !ok {
		t.Fatalf("manifest of %s: file %s has no %q", f.Family.Name, f.Name, key)
	}
	decode(t, raw, into, f.Family.Name+"/"+f.Name)
}

// Text reads a string field, "" where there is none.
func (f *File) Text(t testing.TB, key string) string {
	t.Helper()
	var s string
	if f.Has(key) {
		f.Decode(t, key, &s)
	}
	return s
}

// Tensors lists the file's tensors in the manifest's order.
func (f *File) Tensors() []*Tensor { return f.order }

// Lookup returns the tensor of that name, nil if there is none.
func (f *File) Lookup(name string) *Tensor { return f.tensors[name] }

// Tensor returns the tensor of that name, which must be there.
func (f *File) Tensor(t testing.TB, name string) *Tensor {
	t.Helper()
	x := f.tensors[name]
	if x == nil {
		t.Fatalf("manifest of %s: file %s has no tensor %q", f.Family.Name, f.Name, name)
	}
	return x
}

// F32 returns the named tensor's values.
func (f *File) F32(t testing.TB, name string) []float32 { return values[float32](t, f, name) }

// F64 returns the named tensor's values.
func (f *File) F64(t testing.TB, name string) []float64 { return values[float64](t, f, name) }

// I64 returns the named tensor's values.
func (f *File) I64(t testing.TB, name string) []int64 { return values[int64](t, f, name) }

// U8 returns the named tensor's values.
func (f *File) U8(t testing.TB, name string) []uint8 { return values[uint8](t, f, name) }

func values[T safetensors.Element](t testing.TB, f *File, name string) []T {
	t.Helper()
	x := f.Tensor(t, name)
	file, err := safetensors.Open(f.path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	stored, _ := file.Tensor(name)
	if stored.Type != x.DType || !slices.Equal(stored.Shape, x.Shape) {
		t.Fatalf("%s: %q is %s %v, the manifest says %s %v", f.path, name, stored.Type, stored.Shape, x.DType, x.Shape)
	}
	v := make([]T, x.Len())
	if err := safetensors.Read(file, name, v); err != nil {
		t.Fatal(err)
	}
	return v
}

// Len returns the tensor's elements.
func (x *Tensor) Len() int {
	n := 1
	for _, d := range x.Shape {
		n *= d
	}
	return n
}
