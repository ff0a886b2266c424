// Package manifest reads and writes shaders/manifest, which ties the
// committed SPIR-V to the sources and the compiler that it came from.
package manifest

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
)

// Hashes are the SHA-256 of a module's source, includes expanded, and of its
// SPIR-V ("" where it is not compiled).
type Hashes struct{ Source, SPIRV string }

// Manifest says what the committed SPIR-V was made from.
type Manifest struct {
	Compiler string
	Modules  map[string]Hashes
}

// Read reads DIR/manifest.
func Read(dir string) (Manifest, error) {
	m := Manifest{Modules: map[string]Hashes{}}
	f, err := os.Open(filepath.Join(dir, "manifest"))
	if err != nil {
		return m, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if v, ok := strings.CutPrefix(s.Text(), "compiler "); ok {
			m.Compiler = v
		} else if w := strings.Fields(s.Text()); len(w) == 3 {
			m.Modules[w[0]] = Hashes{w[1], w[2]}
		}
	}
	return m, nil
}

// Write writes DIR/manifest, modules in order of name.
func (m Manifest) Write(dir string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "compiler %s\n", m.Compiler)
	names := make([]string, 0, len(m.Modules))
	for n := range m.Modules {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		fmt.Fprintf(&b, "%s %s %s\n", n, m.Modules[n].Source, m.Modules[n].SPIRV)
	}
	return os.WriteFile(filepath.Join(dir, "manifest"), []byte(b.String()), 0o644)
}

var include = regexp.MustCompile(`(?m)^\s*#include\s+"([^"]+)".*$`)

// Hash hashes DIR/NAME.comp with its includes and DIR/spv/NAME.spv.
func Hash(dir, name string) (Hashes, error) {
	src, err := expand(dir, filepath.Join(dir, name+".comp"), 0)
	if err != nil {
		return Hashes{}, err
	}
	h := Hashes{Source: sum(src)}
	if spv, err := os.ReadFile(filepath.Join(dir, "spv", name+".spv")); err == nil {
		h.SPIRV = sum(spv)
	} else if !os.IsNotExist(err) {
		return Hashes{}, err
	}
	return h, nil
}

func expand(dir, file string, depth int) ([]byte, error) {
	if depth > 8 {
		return nil, fmt.Errorf("%s: includes nest too deep", file)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var failed error
	out := include.ReplaceAllFunc(b, func(line []byte) []byte {
		text, err := expand(dir, filepath.Join(dir, "include", string(include.FindSubmatch(line)[1])), depth+1)
		if err != nil {
			failed = err
		}
		return text
	})
	return out, failed
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}
