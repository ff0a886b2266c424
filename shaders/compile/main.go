// Command compile turns shaders/*.comp into shaders/spv/*.spv and writes
// shaders/manifest: the compilers' versions, then a line for each module with
// the SHA-256 of its source (includes expanded) and of its SPIR-V.
//
// Run it from the repository root (make shaders). A module whose two hashes
// stand in the manifest already is left alone. GLSLANG names another compiler
// than glslangValidator; GLSLANG_COOP the newer one of the modules whose target
// is Vulkan 1.3, which have cooperative matrices or bfloat16. That one is missed
// only where such a module must be compiled. The SPIR-V is what the compiler
// gives: spirv-opt breaks cooperative matrices.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"dino-vk/shaders/internal/manifest"
)

func main() {
	if err := run("shaders"); err != nil {
		fmt.Fprintln(os.Stderr, "compile:", err)
		os.Exit(1)
	}
}

// compiler is what compiles for a target; err says why there is none.
type compiler struct {
	path    string
	version string
	err     error
}

// find asks the compiler that an environment variable names for its version.
func find(variable, otherwise, remedy string) compiler {
	c := compiler{path: os.Getenv(variable)}
	if c.path == "" {
		c.path = otherwise
	}
	text, err := exec.Command(c.path, "--version").Output()
	if err != nil {
		c.err = fmt.Errorf("%s: %w (%s)", c.path, err, remedy)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	c.version = strings.TrimSpace(first)
	return c
}

func run(dir string) error {
	compilers := map[string]compiler{
		manifest.Vulkan11: find("GLSLANG", "glslangValidator", "apt install glslang-tools"),
		manifest.Vulkan13: find("GLSLANG_COOP", filepath.Join(".tools", "glslang", "bin", "glslangValidator"),
			"set GLSLANG_COOP to glslang 16 or newer, such as glslang-tools of Debian sid; where its libc is too new, "+
				"unpack it and its dependencies with dpkg -x and run it through their ld-linux with --library-path"),
	}
	old, err := manifest.Read(dir)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	sources, err := filepath.Glob(filepath.Join(dir, "*.comp"))
	if err != nil {
		return err
	}
	m := manifest.Manifest{Compilers: map[string]string{}, Modules: map[string]manifest.Hashes{}}
	for target, c := range compilers {
		if m.Compilers[target] = c.version; c.err != nil {
			m.Compilers[target] = old.Compilers[target]
		}
	}
	keep := map[string]bool{}
	var missing error
	for _, src := range sources {
		name := strings.TrimSuffix(filepath.Base(src), ".comp")
		out := filepath.Join(dir, "spv", name+".spv")
		keep[out] = true
		target, err := manifest.Target(dir, name)
		if err != nil {
			return err
		}
		now, err := manifest.Hash(dir, name)
		if err != nil {
			return err
		}
		if old.Compilers[target] == m.Compilers[target] && now.SPIRV != "" && old.Modules[name] == now {
			m.Modules[name] = now
			continue
		}
		c := compilers[target]
		if c.err != nil { // the others can be compiled without it
			missing = fmt.Errorf("%s: %w", src, c.err)
			m.Modules[name] = old.Modules[name]
			continue
		}
		cmd := exec.Command(c.path, "-V", "--target-env", target, "-I"+filepath.Join(dir, "include"), "-o", out, src)
		if msg, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", src, err, msg)
		}
		if m.Modules[name], err = manifest.Hash(dir, name); err != nil {
			return err
		}
		fmt.Println("compiled", name)
	}
	stale, err := filepath.Glob(filepath.Join(dir, "spv", "*.spv"))
	if err != nil {
		return err
	}
	for _, f := range stale {
		if !keep[f] {
			if err := os.Remove(f); err != nil {
				return err
			}
		}
	}
	if err := m.Write(dir); err != nil {
		return err
	}
	return missing
}
