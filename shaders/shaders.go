// Package shaders holds the GLSL compute shaders and their compiled SPIR-V.
//
// Every NAME.comp is one module; include/ holds what they share. The SPIR-V
// in spv/ is committed, so that building the program needs no compiler;
// `make shaders` makes it anew and writes the manifest, whose hashes a test
// compares with the sources.
//
// No loop may be long. Mesa's llvmpipe silently leaves every loop of an
// invocation, and so computes something wrong, once all of them together have
// gone round 65,535 times (LP_MAX_TGSI_LOOP_ITERATIONS in its source). Loops that
// it unrolls don't count: those of constant length up to 32 with a small body.
// The length of all others must be bounded by the host, which divides them over
// invocations or dispatches (package op, mostIterations) and tests sizes that
// would go wrong (gpu/op/loops_test.go).
package shaders

import (
	"embed"
	"fmt"
)

//go:embed spv
var spv embed.FS

// Module returns the SPIR-V of NAME.comp.
func Module(name string) ([]byte, error) {
	b, err := spv.ReadFile("spv/" + name + ".spv")
	if err != nil {
		return nil, fmt.Errorf("shaders: no module %q: is %s.comp compiled? (make shaders)", name, name)
	}
	return b, nil
}

// Names lists the modules.
func Names() []string {
	entries, _ := spv.ReadDir("spv") // the folder is embedded, so it can be read
	var names []string
	for _, e := range entries {
		if n := e.Name(); len(n) > 4 && n[len(n)-4:] == ".spv" {
			names = append(names, n[:len(n)-4])
		}
	}
	return names
}
