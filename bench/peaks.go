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

// multiplyAdds is the rate of chains of multiply-adds in GFLOP/s. The work grows
// until it takes a time that a clock can tell.
func multiplyAdds(ctx context.Context, dev *gpu.Device, e Effort, chains uint32) (float64, error) {
	const invocations, linksPerRound = 64 * 2048, 16 * 4
	store := gpu.NewStore()
	constants := store.New("constants", gpu.F32, 2)
	y := store.New("y", gpu.F32, invocations, 4)
	if err := store.Allocate(dev); err != nil {
		return 0, err
	}
	defer store.Close()
	if err := store.WriteF32(constants, []float32{0.5, 0.25}); err != nil {
		return 0, err
	}
	for rounds := uint32(1); ; rounds *= 4 {
		g := gpu.NewGraph(dev.Caps())
		shader := g.Pick(gpu.Plain("bench_fma"), nil).With("CHAINS", chains)
		g.Dispatch(shader, gpu.Groups{invocations / 64, 1, 1}, struct{ Rounds uint32 }{rounds}, constants, y)
		best, err := fastest(ctx, dev, g, e)
		if err != nil {
			return 0, err
		}
		if best[0] >= 10*time.Millisecond || rounds >= mostRounds {
			flops := 2 * float64(chains) * linksPerRound * float64(rounds) * invocations
			return flops / best[0].Seconds() / 1e9, nil
		}
	}
}

// copies are the rates of copying memory in GB/s, read and written bytes
// together.
func copies(ctx context.Context, dev *gpu.Device, e Effort) (shader, buffer float64, err error) {
	const bytes = 128 << 20 // beyond the caches, within what every device binds
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
