package shaders

import (
	"path/filepath"
	"strings"
	"testing"

	"dino-vk/shaders/internal/manifest"
)

// The committed SPIR-V must be what the sources beside it compile to.
func TestManifest(t *testing.T) {
	m, err := manifest.Read(".")
	if err != nil {
		t.Fatal(err)
	}
	sources, err := filepath.Glob("*.comp")
	if err != nil {
		t.Fatal(err)
	}
	for _, src := range sources {
		name := strings.TrimSuffix(src, ".comp")
		now, err := manifest.Hash(".", name)
		if err != nil {
			t.Fatal(err)
		}
		if m.Modules[name] != now {
			t.Errorf("%s: source or SPIR-V is not what the manifest says: run make shaders", name)
		}
		delete(m.Modules, name)
	}
	for name := range m.Modules {
		t.Errorf("manifest lists %s, which has no source", name)
	}
	if got, want := len(Names()), len(sources); got != want {
		t.Errorf("%d modules embedded, %d sources", got, want)
	}
}
