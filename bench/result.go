package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"dino-vk/dino"
	"dino-vk/gpu"
)

// Result is all that was measured of a device. What was not is nil or empty.
type Result struct {
	Device  Device    `json:"device"`
	Peaks   *Peaks    `json:"peaks,omitempty"`
	Steps   []Steps   `json:"steps,omitempty"`
	PyTorch []PyTorch `json:"pytorch,omitempty"`
	Goals   []Goal    `json:"goals,omitempty"`
	Pairs   []Pair    `json:"pairs,omitempty"`
	Host    []Host    `json:"host,omitempty"`
	Growth  []Growth  `json:"growth,omitempty"`
	Kernels []Kernel  `json:"kernels,omitempty"`

	Variants []Variant        `json:"variants,omitempty"`
	Shaders  []CompiledShader `json:"shaders,omitempty"`
}

// Device says what was measured.
type Device struct {
	Name          string `json:"name"`
	Kind          string `json:"kind"`
	Driver        string `json:"driver"`
	DriverVersion string `json:"driver_version"`
	Vulkan        string `json:"vulkan"`
	Features      string `json:"features"`
	SubgroupSize  uint32 `json:"subgroup_size"`
	HostThreads   int    `json:"host_threads"`           // that this process may use
	SwitchedOff   string `json:"switched_off,omitempty"` // variants, for their faults: such a kernel looks slow
}

// NewResult begins the result of a device with these faults.
func NewResult(info gpu.Info, faults []gpu.Fault) *Result {
	var off []string
	for _, f := range faults {
		off = append(off, f.Variant)
	}
	return &Result{Device: Device{
		Name: info.Name, Kind: info.Kind.String(), Driver: info.Driver, DriverVersion: info.DriverVersion,
		Vulkan: info.API, Features: info.Features.String(), SubgroupSize: info.SubgroupSize,
		HostThreads: runtime.GOMAXPROCS(0), SwitchedOff: strings.Join(off, ","),
	}}
}

// Slug is the device with its driver's version as the name of a file; a device
// that is a processor is named after its driver.
func (r *Result) Slug() string {
	name := r.Device.Name
	if r.Device.Kind == gpu.CPU.String() {
		name = r.Device.Driver
	}
	version, _, _ := strings.Cut(r.Device.DriverVersion, " (")
	words := strings.FieldsFunc(strings.ToLower(name+" "+version), func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9')
	})
	return strings.Join(words, "-")
}

// Write writes SLUG.json, SLUG.md and, if there are kernels and peaks, SLUG.svg
// into a folder, which it makes. What an
// earlier result of the same device and driver holds and this one lacks is
// kept. It returns the path of the readable one.
func (r *Result) Write(dir string) (path string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("bench: %w", err)
	}
	base := filepath.Join(dir, r.Slug())
	old, err := ReadResult(base + ".json")
	switch {
	case err == nil:
		r.keep(old)
	case !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return "", fmt.Errorf("bench: %w", err)
	}
	files := map[string][]byte{base + ".json": append(text, '\n'), base + ".md": []byte(r.Markdown())}
	if picture := r.Roofline(); picture != "" {
		files[base+".svg"] = []byte(picture)
	}
	for name, content := range files {
		err := dino.WriteFile(name, func(w io.Writer) error {
			_, err := w.Write(content)
			return err
		})
		if err != nil {
			return "", err
		}
	}
	return base + ".md", nil
}

// ReadResult reads SLUG.json.
func ReadResult(path string) (*Result, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	r := &Result{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("bench: %s: %w", path, err)
	}
	return r, nil
}

// keep takes what only an earlier result has. Kernels, steps and
// comparisons are replaced by recipe.
func (r *Result) keep(old *Result) {
	if old.Device != r.Device {
		return
	}
	if r.Peaks == nil {
		r.Peaks = old.Peaks
	}
	if r.Shaders == nil {
		r.Shaders = old.Shaders
	}
	r.PyTorch = merge(r.PyTorch, old.PyTorch, func(p PyTorch) string { return p.Recipe })
	r.Goals = merge(r.Goals, old.Goals, func(g Goal) string { return g.Name })
	r.Pairs = merge(r.Pairs, old.Pairs, func(p Pair) string { return p.Recipe })
	r.Variants = merge(r.Variants, old.Variants, func(v Variant) string { return v.Recipe })
	r.Host = merge(r.Host, old.Host, func(h Host) string { return h.Recipe + h.Precision })
	r.Growth = merge(r.Growth, old.Growth, func(g Growth) string { return g.Recipe + g.Precision })
	r.Steps = merge(r.Steps, old.Steps, func(s Steps) string { return s.Recipe + s.Precision })
	r.Kernels = merge(r.Kernels, old.Kernels, func(k Kernel) string { return k.Recipe })
}

// merge adds to list those of old whose key, a recipe mostly, does not occur in it.
func merge[T any](list, old []T, key func(T) string) []T {
	var all []T
	for _, x := range old {
		if !slices.ContainsFunc(list, func(y T) bool { return key(y) == key(x) }) {
			all = append(all, x)
		}
	}
	return append(all, list...)
}
