package dino

import (
	"fmt"
	"strings"
	"testing"

	"dino-vk/gpu"
)

// gpuCaps are what kinds of GPUs report.
func gpuCaps() map[string]gpu.Caps {
	base := gpu.MinimalCaps
	base.Features = gpu.SharedMemory | gpu.SubgroupSizeControl | gpu.MemoryModel | gpu.Float16 | gpu.Storage16 | gpu.BufferDeviceAddress
	base.MaxBinding, base.MaxBuffer, base.MaxTexels = 4<<30-1, 1<<40, 1<<27
	base.MaxGroups = [3]uint32{1<<31 - 1, 65535, 65535}
	base.MaxInvocations, base.MaxSize = 1024, [3]uint32{1024, 1024, 64}
	base.SharedBytes, base.MaxPush = 48<<10, 256
	base.SubgroupSize, base.MinSubgroup, base.MaxSubgroup = 32, 32, 32
	product := func(m, n, k int, operands gpu.Component) gpu.MatrixProduct {
		return gpu.MatrixProduct{M: m, N: n, K: k, Operands: operands, Sums: gpu.ComponentF32}
	}
	nvidia := base
	nvidia.Features |= gpu.BFloat16 | gpu.CoopMatrix | gpu.CoopMatrix2 | gpu.CoopConversions | gpu.TransferQueue
	nvidia.Products = []gpu.MatrixProduct{
		product(16, 16, 16, gpu.ComponentF16), product(16, 8, 16, gpu.ComponentF16), product(16, 8, 8, gpu.ComponentF16),
		product(16, 16, 16, gpu.ComponentBF16), product(16, 8, 16, gpu.ComponentBF16),
	}
	rounded := gpu.MatrixProduct{M: 16, N: 16, K: 16, Operands: gpu.ComponentF16, Sums: gpu.ComponentF16}
	for _, n := range []int{128, 256} {
		for _, p := range []gpu.MatrixProduct{product(16, 16, 16, gpu.ComponentF16), product(16, 16, 16, gpu.ComponentBF16), rounded} {
			nvidia.WorkgroupProducts = append(nvidia.WorkgroupProducts, gpu.WorkgroupProduct{MatrixProduct: p, Invocations: n})
		}
	}
	nvidia.MaxMatrix, nvidia.ReservedShared = 512, 16<<10
	rdna2, rdna3 := base, base
	rdna2.SubgroupSize, rdna2.MaxSubgroup, rdna2.SharedBytes = 64, 64, 64<<10
	rdna3 = rdna2
	rdna3.Features |= gpu.CoopMatrix
	rdna3.Products = []gpu.MatrixProduct{
		product(16, 16, 16, gpu.ComponentF16), {M: 16, N: 16, K: 16, Operands: gpu.ComponentF16, Sums: gpu.ComponentF16},
	}
	xe2 := base
	xe2.Features |= gpu.CoopMatrix
	xe2.MinSubgroup, xe2.SharedBytes = 16, 64<<10
	xe2.Products = []gpu.MatrixProduct{product(8, 16, 16, gpu.ComponentF16)}
	apple := base
	apple.SharedBytes = 32 << 10
	least := gpu.MinimalCaps
	least.Features |= gpu.SharedMemory
	least.SubgroupSize = 16
	return map[string]gpu.Caps{"NVIDIA": nvidia, "RDNA 2": rdna2, "RDNA 3": rdna3, "Xe 2": xe2, "Apple": apple, "least": least}
}

// paperModules are some that a device picks for ViT-S/16.
var paperModules = map[string][]string{
	"NVIDIA auto": {"gemm_coop2_bf16", "attention_fwd_coop2_bf16", "attention_bwd_kv_coop2_bf16"},
	"NVIDIA fp16": {"gemm_coop2 ", "attention_fwd_coop2 "},
	"NVIDIA fp32": {"gemm_shared_vec4", "attention_fwd_shared"},
	"RDNA 3 auto": {"gemm_coop ", "attention_fwd_coop "},
	"RDNA 3 bf16": {"gemm_shared_vec4", "attention_fwd_shared"},
	"RDNA 2 fp32": {"gemm_shared_vec4", "attention_fwd_shared"},
	"Xe 2 auto":   {"gemm_coop "},
	"Apple fp32":  {"gemm_shared_vec4", "attention_fwd_shared"},
}

// Whole steps can be recorded for GPUs that are not here: kernels are picked that
// take what they are given.
func TestRecordsForGPUs(t *testing.T) {
	paper := DefaultConfig()
	paper.BatchSize = 8
	small := runSettings(t)
	odd := small
	odd.Dim, odd.Heads, odd.OutDim, odd.HeadHiddenDim, odd.HeadBottleneckDim = 15, 3, 31, 23, 17
	conv := small
	convNet(&conv)
	for device, caps := range gpuCaps() {
		for name, c := range map[string]Config{"paper": paper, "small": small, "odd": odd, "ResNet": conv} {
			for _, precision := range Precisions() {
				for _, recompute := range []bool{false, true} {
					c.Precision, c.Recompute = precision, recompute
					if c.Validate() != nil {
						continue
					}
					t.Run(fmt.Sprintf("%s/%s/%s/%v", device, name, precision, recompute), func(t *testing.T) {
						store := gpu.NewStore()
						views := c.Views(store)
						s, err := NewStep(c, caps, store, func(*gpu.Graph, *gpu.Tensor) Views { return views })
						if err != nil {
							t.Error(err)
							return
						}
						if name == "paper" {
							for _, module := range paperModules[device+" "+precision] {
								if !strings.Contains(fmt.Sprintln(s.Graphs()[0].Shaders()), module) {
									t.Errorf("%s is not picked", module)
								}
							}
						}
					})
				}
			}
		}
	}
}
