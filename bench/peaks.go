package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"dino-vk/gpu"
)

// Peaks are a device's limits as measured: what no kernel can exceed.
type Peaks struct {
	GFLOPs     float64 `json:"gflops"`      // 1e9 fp32 operations a second, a multiply-add being two
	GBs        float64 `json:"gb_per_s"`    // 1e9 bytes read and written a second by the faster of both below
	CopyShader float64 `json:"copy_shader"` // by a shader
	CopyBuffer float64 `json:"copy_buffer"` // by vkCmdCopyBuffer

	// 1e9 operations a second of products of 16 bits with sums of 32 on matrix
	// units, 0 without such units.
	MatrixFP16 float64 `json:"matrix_fp16,omitempty"`
	MatrixBF16 float64 `json:"matrix_bf16,omitempty"`
}

// MeasurePeaks takes the fastest of several runs of each kind.
func MeasurePeaks(ctx context.Context, dev *gpu.Device, e Effort) (Peaks, error) {
	var p Peaks
	for _, chains := range []uint32{2, 4, 8} {
		rate, err := multiplyAdds(ctx, dev, e, chains)
		if err != nil {
			return p, fmt.Errorf("bench: multiply-adds: %w", err)
		}
		p.GFLOPs = max(p.GFLOPs, rate)
	}
	for _, m := range []struct {
		rate     *float64
		operands gpu.Component
	}{{&p.MatrixFP16, gpu.ComponentF16}, {&p.MatrixBF16, gpu.ComponentBF16}} {
		for _, chains := range []uint32{2, 4, 8} {
			if dev.Info().Kind == gpu.CPU {
				continue // it has no such units, and a compiler that sees through the chains
			}
			rate, err := matrixProducts(ctx, dev, e, chains, m.operands)
			if err != nil {
				return p, fmt.Errorf("bench: products of %v: %w", m.operands, err)
			}
			*m.rate = max(*m.rate, rate)
		}
	}
	var err error
	if p.CopyShader, p.CopyBuffer, err = copies(ctx, dev, e); err != nil {
		return p, fmt.Errorf("bench: copies: %w", err)
	}
	p.GBs = max(p.CopyShader, p.CopyBuffer)
	return p, nil
}

// mostRounds bounds the shader's loop: Mesa's llvmpipe silently leaves loops
// after 65,535 iterations.
const mostRounds = 1 << 14

// multiplyAdds is the rate of chains of multiply-adds in GFLOP/s.
func multiplyAdds(ctx context.Context, dev *gpu.Device, e Effort, chains uint32) (float64, error) {
	const invocations, linksPerRound = 64 * 2048, 16 * 4
	shader := gpu.Shader{Kernel: "bench_fma", Module: "bench_fma"}.With("CHAINS", chains)
	return arithmetic(ctx, dev, e, shader, 2048, 4*invocations, 2*float64(chains)*linksPerRound*invocations)
}

var matrixKernels = map[gpu.Component]*gpu.Kernel{
	gpu.ComponentF16:  matrixKernel("bench_matrix", gpu.Float16),
	gpu.ComponentBF16: matrixKernel("bench_matrix_bf16", gpu.BFloat16),
}

func matrixKernel(module string, operands gpu.Features) *gpu.Kernel {
	return &gpu.Kernel{Name: module, Variants: []gpu.Variant{
		{Module: module, Needs: gpu.CoopMatrix | gpu.MemoryModel | gpu.SubgroupSizeControl | operands},
	}}
}

// matrixProducts is the rate of chains of a device's largest products of these
// operands, with sums of 32 bits, in GFLOP/s; 0 where it makes none.
func matrixProducts(ctx context.Context, dev *gpu.Device, e Effort, chains uint32, operands gpu.Component) (float64, error) {
	caps, kernel := dev.Caps(), matrixKernels[operands]
	var p gpu.MatrixProduct
	for _, q := range caps.Products {
		if q.Operands == operands && q.Sums == gpu.ComponentF32 && q.M*q.N*q.K > p.M*p.N*p.K {
			p = q
		}
	}
	if p.K == 0 || kernel.Variants[0].Needs&^caps.Features != 0 {
		return 0, nil
	}
	const groups, subgroups = 2048, 4
	shader := gpu.NewGraph(caps).Pick(kernel, nil).With("CHAINS", chains).
		With("INVOCATIONS", subgroups*caps.SubgroupSize).With("SUBGROUP", caps.SubgroupSize).
		With("MATRIX_M", uint32(p.M)).With("MATRIX_N", uint32(p.N)).With("MATRIX_K", uint32(p.K))
	flops := product(p.M, p.N, p.K).flops * 16 * float64(chains) * groups * subgroups
	return arithmetic(ctx, dev, e, shader, groups, groups*subgroups*p.M*p.N, flops)
}

// arithmetic is the rate of a shader that reads 64 constants, writes so many
// elements and does so many operations a round, in GFLOP/s. The rounds grow
// until they take a time that a clock can tell.
func arithmetic(ctx context.Context, dev *gpu.Device, e Effort, shader gpu.Shader, groups, elements int, flops float64) (float64, error) {
	store := gpu.NewStore()
	constants := store.New("constants", gpu.F32, 64)
	y := store.New("y", gpu.F32, elements)
	if err := store.Allocate(dev); err != nil {
		return 0, err
	}
	defer store.Close()
	random := rand.New(rand.NewPCG(1, 0))
	values := make([]float32, constants.Len())
	for i := range values {
		values[i] = random.Float32()/2 - 0.25 // whose chains stay small
	}
	if err := store.WriteF32(constants, values); err != nil {
		return 0, err
	}
	for rounds := uint32(1); ; rounds *= 4 {
		g := gpu.NewGraph(dev.Caps())
		g.Dispatch(shader, gpu.Groups{groups, 1, 1}, struct{ Rounds uint32 }{rounds}, constants, y)
		best, err := fastest(ctx, dev, g, e)
		if err != nil {
			return 0, err
		}
		if best[0] >= 10*time.Millisecond || rounds >= mostRounds {
			return flops * float64(rounds) / best[0].Seconds() / 1e9, nil
		}
	}
}

// copies are the rates of copying memory in GB/s, read and written bytes
// together.
func copies(ctx context.Context, dev *gpu.Device, e Effort) (shader, buffer float64, err error) {
	const bytes = 256 << 20 // beyond the caches; some devices bind half of it
	n := int(min(bytes, dev.Caps().MaxBinding)) / 4 &^ 3
	store := gpu.NewStore()
	x, y := store.New("x", gpu.F32, n), store.New("y", gpu.F32, n)
	if err := store.Allocate(dev); err != nil {
		return 0, 0, err
	}
	defer store.Close()
	if err := store.WriteF32(x, normal(rand.New(rand.NewPCG(1, 0)), n)); err != nil {
		return 0, 0, err
	}
	g := gpu.NewGraph(dev.Caps())
	groups := n / 4 / 64
	wide := min(groups, int(dev.Caps().MaxGroups[0]))
	g.Dispatch(g.Pick(gpu.Plain("bench_copy"), nil), gpu.Groups{wide, (groups + wide - 1) / wide, 1},
		struct{ Quads uint32 }{uint32(n / 4)}, x, y)
	g.Copy(y, x)
	best, err := fastest(ctx, dev, g, e)
	if err != nil {
		return 0, 0, err
	}
	rate := func(d time.Duration) float64 { return 2 * 4 * float64(n) / d.Seconds() / 1e9 }
	return rate(best[0]), rate(best[1]), nil
}

// fastest runs a graph and gives the least time of each kernel.
func fastest(ctx context.Context, dev *gpu.Device, g *gpu.Graph, e Effort) ([]time.Duration, error) {
	p, each, err := timeGraph(ctx, dev, g)
	if err != nil {
		return nil, err
	}
	defer p.close()
	var best []time.Duration
	for range e.count(each) {
		list, err := p.run(ctx)
		if err != nil {
			return nil, err
		}
		for i, one := range list {
			if i == len(best) {
				best = append(best, one.Duration)
			}
			best[i] = min(best[i], one.Duration)
		}
	}
	return best, nil
}
