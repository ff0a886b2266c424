package bench

import (
	"context"
	"fmt"
	"time"

	"dino-vk/gpu"
)

// timed is a graph that runs with a timestamp behind every command.
type timed struct {
	program *gpu.Program
}

// timeGraph compiles a graph for timing and runs it once, so that drivers have
// compiled its pipelines and placed its memory. It returns the time of a second
// run, which tells how often to repeat it.
func timeGraph(ctx context.Context, dev *gpu.Device, g *gpu.Graph) (p timed, each time.Duration, err error) {
	if err := g.Err(); err != nil {
		return p, 0, err
	}
	programs, err := gpu.CompileTraced(dev, g)
	if err != nil {
		return p, 0, err
	}
	p.program = programs[0]
	begun := time.Now()
	for range 2 {
		begun = time.Now()
		if err := p.program.Run(ctx); err != nil {
			p.close()
			return p, 0, err
		}
	}
	return p, time.Since(begun), nil
}

// run is the device times of one run.
func (p timed) run(ctx context.Context) ([]gpu.Timing, error) {
	slot, err := p.program.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.program.Submit(slot); err != nil {
		return nil, err
	}
	if err := p.program.Wait(ctx, slot); err != nil {
		return nil, err
	}
	list, err := p.program.Timings(slot)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	return list, nil
}

func (p timed) close() { p.program.Close() }
