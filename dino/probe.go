package dino

import (
	"context"

	"dino-vk/gpu"
)

type probe struct{}

func newProbe(ctx context.Context, t *Trainer, c Config) (*probe, error) { return nil, nil }
func (p *probe) graphs() []*gpu.Graph                                    { return nil }
func (p *probe) start([]*gpu.Program)                                    {}
func (p *probe) memory() int64                                           { return 0 }
func (p *probe) due(epoch int, last bool) bool                           { return false }
func (p *probe) measure(ctx context.Context) (float64, error)            { return 0, nil }
func (p *probe) close()                                                  {}
