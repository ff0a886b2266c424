package op

import (
	"strings"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
)

// choosy are the kernels with more than one variant.
var choosy = []*gpu.Kernel{
	gemmKernel, gemmReduceKernel, convKernel, convDWKernel, colSumKernel, addKernel, multiplyKernel,
	attentionFwd, attentionBwdQ, attentionBwdKV,
	layerNormFwd, layerNormBwd, layerNormParams, rowNormFwd, rowNormBwd, dropPathFwd, dropPathBwd,
	batchNormStats, batchNormFwd, batchNormSums, batchNormBwd, maxPoolFwd, maxPoolBwd,
	dinoLossRows, dinoLoss, optimAdamW,
}

// Every module of every kernel is tested on some device.
func TestSamples(t *testing.T) {
	const uniform = gpu.OrderedSubgroups | gpu.UniformLoads | gpu.QuickBroadcasts
	processor, card := gpu.MinimalCaps, gpu.MinimalCaps
	processor.MaxTexels, card.MaxTexels = 1<<27, 1<<27
	processor.Kind = gpu.CPU
	processor.SubgroupSize, card.SubgroupSize = 8, 32
	processor.Features, processor.MaxPush = uniform|gpu.BufferDeviceAddress, 256
	card.Features, card.SharedBytes, card.MinSubgroup, card.MaxSubgroup = ^uniform, 64<<10, 32, 32
	for _, operands := range []gpu.Component{gpu.ComponentF16, gpu.ComponentBF16} {
		product := gpu.MatrixProduct{M: 16, N: 16, K: 16, Operands: operands, Sums: gpu.ComponentF32}
		card.Products = append(card.Products, product)
		card.WorkgroupProducts = append(card.WorkgroupProducts, shared(product)...)
	}
	rounded := gpu.MatrixProduct{M: 16, N: 16, K: 16, Operands: gpu.ComponentF16, Sums: gpu.ComponentF16}
	card.Products = append(card.Products, rounded)
	card.WorkgroupProducts = append(card.WorkgroupProducts, shared(rounded)...)
	card.MaxMatrix = 512
	tested := map[string]bool{} // kernel and module
	for name, caps := range map[string]gpu.Caps{"CPU": processor, "GPU": card} {
		tasks, err := gpu.Tasks(caps, func(caps gpu.Caps) ([]*gpu.Graph, error) {
			g := gpu.NewGraph(caps)
			Samples(g)
			return []*gpu.Graph{g}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		variants := 0
		for _, task := range tasks {
			kernel, _, _ := strings.Cut(task.Problem, " ")
			for _, v := range task.Variants {
				module, _, _ := strings.Cut(v, " ")
				tested[kernel+" "+module] = true
				variants++
			}
		}
		t.Logf("%s: %d problems, %d runs of variants", name, len(tasks), variants)
	}
	for _, k := range choosy {
		for _, v := range k.Variants {
			if !tested[k.Name+" "+v.Module] {
				t.Errorf("kernel %s: module %s is never tested", k.Name, v.Module)
			}
		}
	}
}

// Names tell a kernel's variants apart.
func TestVariantNames(t *testing.T) {
	for _, k := range choosy {
		seen := map[string]bool{}
		for i := range k.Variants {
			name := k.Variants[i].Name()
			if seen[name] {
				t.Errorf("kernel %s has two variants %s", k.Name, name)
			}
			seen[name] = true
		}
	}
}

// Of what a processor's first use tests, no variant is switched off.
func TestNothingSwitchedOff(t *testing.T) {
	if gputest.Open(t).Kind != gpu.CPU {
		t.Skip("a GPU tests all variants, which takes minutes")
	}
	t.Setenv("DINOVK_TUNE", "")
	t.Setenv("XDG_CACHE_HOME", t.TempDir()) // where it would be known from earlier runs
	dev, err := gpu.OpenTuned(t.Context(), gpu.Options{}, false, Samples)
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	for _, f := range dev.Faults() {
		t.Errorf("%s: %s", f.Variant, f.Reason)
	}
}
