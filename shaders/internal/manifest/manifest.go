// Package manifest reads and writes shaders/manifest, which ties the
// committed SPIR-V to the sources and the compiler that it came from.
package manifest

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Hashes are the SHA-256 of a module's source, includes expanded, and of its
// SPIR-V ("" where it is not compiled).
type Hashes struct{ Source, SPIRV string }

// Manifest says what the committed SPIR-V was made from.
type Manifest struct {
	Compilers map[string]string // versions, by the target that they compile for
	Modules   map[string]Hashes
}

// Read reads DIR/manifest.
func Read(dir string) (Manifest, error) {
	m := Manifest{Compilers: map[string]string{}, Modules: map[string]Hashes{}}
	f, err := os.Open(filepath.Join(dir, "manifest"))
	if err != nil {
		return m, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if v, ok := strings.CutPrefix(s.Text(), "compiler "); ok {
			target, version, _ := strings.Cut(v, " ")
			m.Compilers[target] = version
		} else if w := strings.Fields(s.Text()); len(w) == 3 {
			m.Modules[w[0]] = Hashes{w[1], w[2]}
		}
	}
	return m, nil
}

// Write writes DIR/manifest, modules in order of name.
func (m Manifest) Write(dir string) error {
	var b strings.Builder
	for _, target := range slices.Sorted(maps.Keys(m.Compilers)) {
		fmt.Fprintf(&b, "compiler %s %s\n", target, m.Compilers[target])
	}
	for _, n := range slices.Sorted(maps.Keys(m.Modules)) {
		fmt.Fprintf(&b, "%s %s %s\n", n, m.Modules[n].Source, m.Modules[n].SPIRV)
	}
	return os.WriteFile(filepath.Join(dir, "manifest"), []byte(b.String()), 0o644)
}

// Targets that modules are compiled for: the environment that most need, and the
// one of a source that says `#pragma target vulkan1.3`.
const (
	Vulkan11 = "vulkan1.1"
	Vulkan13 = "vulkan1.3"
)

var target = regexp.MustCompile(`(?m)^#pragma target (\S+)$`)

// Target is what DIR/NAME.comp is compiled for.
func Target(dir, name string) (string, error) {
	src, err := os.ReadFile(filepath.Join(dir, name+".comp"))
	if err != nil {
		return "", err
	}
	switch m := target.FindSubmatch(src); {
	case m == nil:
		return Vulkan11, nil
	case string(m[1]) == Vulkan13:
		return Vulkan13, nil
	default:
		return "", fmt.Errorf("%s: unknown target %s", name, m[1])
	}
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
