// Command compile turns shaders/*.comp into shaders/spv/*.spv and writes
// shaders/manifest: the compiler's version, then a line for each module with
// the SHA-256 of its source (includes expanded) and of its SPIR-V.
//
// Run it from the repository root (make shaders). A module whose two hashes
// stand in the manifest already is left alone. GLSLANG names another compiler.
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

func run(dir string) error {
	compiler := os.Getenv("GLSLANG")
	if compiler == "" {
		compiler = "glslangValidator"
	}
	version, err := exec.Command(compiler, "--version").Output()
	if err != nil {
		return fmt.Errorf("%s: %w (apt install glslang-tools)", compiler, err)
	}
	first, _, _ := strings.Cut(string(version), "\n")
	old, err := manifest.Read(dir)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	sources, err := filepath.Glob(filepath.Join(dir, "*.comp"))
	if err != nil {
		return err
	}
	m := manifest.Manifest{Compiler: strings.TrimSpace(first), Modules: map[string]manifest.Hashes{}}
	keep := map[string]bool{}
	for _, src := range sources {
		name := strings.TrimSuffix(filepath.Base(src), ".comp")
		out := filepath.Join(dir, "spv", name+".spv")
		keep[out] = true
		now, err := manifest.Hash(dir, name)
		if err != nil {
			return err
		}
		if old.Compiler == m.Compiler && now.SPIRV != "" && old.Modules[name] == now {
			m.Modules[name] = now
			continue
		}
		cmd := exec.Command(compiler, "-V", "--target-env", "vulkan1.1", "-I"+filepath.Join(dir, "include"), "-o", out, src)
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
	return m.Write(dir)
}
