package gpu

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"unsafe"

	vulkan "github.com/vulkan-go/vulkan"
)

// pipelines are the compute pipelines of a device, one per module and
// specialization, and the driver's cache of compiled code, which is kept on
// disk between runs.
type pipelines struct {
	sync.Mutex
	cache   vulkan.PipelineCache
	made    map[string]*pipeline
	unsaved int // made since the cache was read or written
}

// pipeline is a compute pipeline with its layouts.
type pipeline struct {
	handle vulkan.Pipeline
	layout vulkan.PipelineLayout
	set    vulkan.DescriptorSetLayout
}

// open reads the cache from disk. A cache that is missing, damaged or of
// another driver is only a slower start, so it is no error.
func (p *pipelines) open(d *Device) error {
	p.made = make(map[string]*pipeline)
	data, _ := os.ReadFile(d.cacheFile(".bin"))
	data = unseal(data)
	info := vulkan.PipelineCacheCreateInfo{SType: vulkan.StructureTypePipelineCacheCreateInfo}
	if len(data) > 0 {
		info.InitialDataSize = uint(len(data))
		info.PInitialData = unsafe.Pointer(&data[0])
	}
	defer info.Free()
	var cache vulkan.PipelineCache
	err := check("create pipeline cache", vulkan.CreatePipelineCache(d.handle, &info, nil, &cache))
	p.cache = cache
	return err
}

// cacheFile names a cache of the device; empty where the user has no cache
// directory.
func (d *Device) cacheFile(ending string) string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "dino-vk", d.DeviceUUID.String()+"_"+d.DriverUUID.String()+ending)
}

// seal puts a checksum before data: drivers check the header of a cache, but not
// all of them what follows it.
func seal(data []byte) []byte {
	sum := sha256.Sum256(data)
	return append(sum[:], data...)
}

// unseal returns the sealed data, or nil where it is not whole.
func unseal(file []byte) []byte {
	if len(file) <= sha256.Size {
		return nil
	}
	sum := sha256.Sum256(file[sha256.Size:])
	if !bytes.Equal(sum[:], file[:sha256.Size]) {
		return nil
	}
	return file[sha256.Size:]
}

// saveMost writes the cache where half of the pipelines are not in it yet: a run
// that is killed loses little, and few writes are made as they become many.
func (p *pipelines) saveMost(d *Device) {
	p.Lock()
	defer p.Unlock()
	if 2*p.unsaved >= len(p.made) {
		p.save(d)
	}
}

// save writes the cache.
func (p *pipelines) save(d *Device) {
	name := d.cacheFile(".bin")
	if p.unsaved == 0 || name == "" {
		return
	}
	p.unsaved = 0
	var n uint
	if vulkan.GetPipelineCacheData(d.handle, p.cache, &n, nil) != vulkan.Success || n == 0 {
		return
	}
	data := make([]byte, n)
	if vulkan.GetPipelineCacheData(d.handle, p.cache, &n, unsafe.Pointer(&data[0])) != vulkan.Success {
		return
	}
	writeSealed(name, data[:n])
}

// writeSealed writes a file of the cache, whole or not at all. One that cannot be
// written costs the next run some time and nothing else.
func writeSealed(name string, data []byte) {
	if os.MkdirAll(filepath.Dir(name), 0o755) != nil {
		return
	}
	f, err := os.CreateTemp(filepath.Dir(name), "cache-*")
	if err != nil {
		return
	}
	_, err = f.Write(seal(data))
	if closeErr := f.Close(); err != nil || closeErr != nil || os.Rename(f.Name(), name) != nil {
		os.Remove(f.Name())
	}
}

// close writes the cache and destroys the pipelines.
func (p *pipelines) close(d *Device) {
	p.save(d)
	for _, made := range p.made {
		made.destroy(d)
	}
	vulkan.DestroyPipelineCache(d.handle, p.cache, nil)
}

func (p *pipeline) destroy(d *Device) {
	vulkan.DestroyPipeline(d.handle, p.handle, nil)
	vulkan.DestroyPipelineLayout(d.handle, p.layout, nil)
	vulkan.DestroyDescriptorSetLayout(d.handle, p.set, nil)
}

// subgroupConstant names the specialization constant of modules whose
// subgroups must be full and of a size that they are told.
const subgroupConstant = "SUBGROUP"

// get returns the pipeline of a shader, made on first use.
func (p *pipelines) get(d *Device, m *module, s Shader) (*pipeline, error) {
	key := s.String()
	p.Lock()
	made, ok := p.made[key]
	p.Unlock()
	if ok {
		return made, nil
	}
	made, err := d.build(p.cache, m, s, 0) // others may be made meanwhile
	if err != nil {
		return nil, fmt.Errorf("kernel %s: module %s: %w", s.Kernel, s.Module, err)
	}
	p.Lock()
	defer p.Unlock()
	if other, ok := p.made[key]; ok {
		made.destroy(d)
		return other, nil
	}
	p.made[key] = made
	p.unsaved++
	return made, nil
}

// prepare makes the nodes' pipelines on all cores. What can't be made is told
// where it is used.
func (p *pipelines) prepare(d *Device, nodes []node) {
	var all sync.WaitGroup
	free := make(chan struct{}, runtime.NumCPU())
	seen := map[string]bool{}
	for _, n := range nodes {
		key := n.shader.String()
		if n.kind != dispatchNode || seen[key] {
			continue
		}
		seen[key] = true
		free <- struct{}{}
		all.Go(func() {
			_, _ = p.get(d, n.module, n.shader)
			<-free
		})
	}
	all.Wait()
}

// String is the module with its specialization constants, which identify a pipeline.
func (s Shader) String() string {
	var b strings.Builder
	b.WriteString(s.Module)
	for _, name := range slices.Sorted(maps.Keys(s.Spec)) {
		fmt.Fprintf(&b, " %s=%d", name, s.Spec[name])
	}
	return b.String()
}

// build compiles a shader. flags are VkPipelineCreateFlags.
func (d *Device) build(cache vulkan.PipelineCache, m *module, s Shader, flags uint32) (*pipeline, error) {
	code := make([]uint32, len(m.code)/4)
	for i := range code {
		code[i] = binary.LittleEndian.Uint32(m.code[4*i:])
	}
	info := vulkan.ShaderModuleCreateInfo{
		SType:    vulkan.StructureTypeShaderModuleCreateInfo,
		CodeSize: uint(len(m.code)),
		PCode:    code,
	}
	defer info.Free()
	var shader vulkan.ShaderModule
	if err := check("create shader module", vulkan.CreateShaderModule(d.handle, &info, nil, &shader)); err != nil {
		return nil, err
	}
	defer vulkan.DestroyShaderModule(d.handle, shader, nil)

	bindings := make([]vulkan.DescriptorType, len(m.bindings))
	for i, b := range m.bindings {
		bindings[i] = vulkan.DescriptorTypeStorageBuffer
		if b.texels {
			bindings[i] = vulkan.DescriptorTypeUniformTexelBuffer
		}
	}
	spec := make(map[uint32]uint32, len(s.Spec))
	for name, value := range s.Spec {
		spec[m.specIDs[name]] = value
	}
	made := &pipeline{}
	var r vulkan.Result
	made.set, r = d.api.CreateDescriptorSetLayout(d.handle, bindings)
	err := check("create descriptor set layout", r)
	if err == nil {
		made.layout, r = d.api.CreatePipelineLayout(d.handle, made.set, pushBytes(m))
		err = check("create pipeline layout", r)
	}
	if err == nil {
		made.handle, r = d.api.CreateComputePipeline(d.handle, cache, shader, "main", made.layout, spec, s.Spec[subgroupConstant], flags)
		if err = check("create pipeline", r); err != nil {
			err = fmt.Errorf("%w: %w", ErrRefused, err)
		}
	}
	if err != nil {
		made.destroy(d)
		return nil, err
	}
	return made, nil
}

// pushBytes is the size of a module's push-constant block.
func pushBytes(m *module) int {
	if len(m.push) == 0 {
		return 0
	}
	return int(m.push[len(m.push)-1].offset) + wordBytes
}
