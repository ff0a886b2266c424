package dino

import (
	"encoding/binary"
	"fmt"
	"slices"

	"dino-vk/gpu"
	"dino-vk/gpu/op"
)

// Precisions of --precision: in what matrix products and attention compute, and
// what is kept for them in. Sums, the residual stream, statistics, the loss, the
// weights themselves and their moments are float32 in all of them.
const (
	AutoPrecision = "auto" // BF16 or FP16 where the device has matrix units for it, else FP32
	FP32          = "fp32"
	FP16          = "fp16" // with a dynamic loss scale
	BF16          = "bf16"
)

// Precisions lists what --precision takes.
func Precisions() []string { return []string{AutoPrecision, FP32, FP16, BF16} }

// Precise is c with a precision of its own: what auto means on a device.
func (c Config) Precise(caps gpu.Caps) Config {
	if c.UseFP16 {
		c.UseFP16, c.Precision = false, FP16
	}
	if c.Precision != AutoPrecision {
		return c
	}
	c.Precision = FP32
	if caps.Features&gpu.SharedMemory == 0 || c.onlyFP32() != nil {
		return c
	}
	has := func(component gpu.Component) bool {
		return slices.ContainsFunc(caps.Products, func(p gpu.MatrixProduct) bool {
			return p.Operands == component && p.Sums == gpu.ComponentF32
		})
	}
	switch {
	case caps.Features&gpu.BFloat16 != 0 && has(gpu.ComponentBF16):
		c.Precision = BF16
	case has(gpu.ComponentF16):
		c.Precision = FP16
	}
	return c
}

// onlyFP32 says why a network can't be computed in 16 bits, nil if it can:
// tensors of 16 bits have rows of multiples of four elements.
func (c Config) onlyFP32() error {
	if _, ok := c.ResNet(); ok {
		return fmt.Errorf("--arch %s computes in %s alone", c.Arch, FP32)
	}
	if c.UseBNInHead {
		return fmt.Errorf("--use-bn-in-head computes in %s alone", FP32)
	}
	v := c.ViT()
	for _, w := range []struct {
		name  string
		width int
	}{
		{"--dim over --heads", v.Dim / max(v.Heads, 1)}, {"--head-hidden-dim", c.HeadHiddenDim},
		{"--head-bottleneck-dim", c.HeadBottleneckDim}, {"--out-dim", c.OutDim},
	} {
		if w.width%4 != 0 {
			return fmt.Errorf("%s %d is no multiple of 4, as 16 bits need", w.name, w.width)
		}
	}
	return nil
}

var scalerWords = binary.Size(op.Scaler{}) / 4

// elements is the type of what products read.
func (c Config) elements(caps gpu.Caps) gpu.Type {
	return map[string]gpu.Type{FP32: gpu.F32, FP16: gpu.F16, BF16: gpu.BF16}[c.Precise(caps).Precision]
}

// scale is the state of the loss scale between steps, zero without one.
func (s *Step) scale() (op.Scaler, error) {
	if s.scaler == nil {
		return op.Scaler{}, nil
	}
	v, err := s.store.ReadF32(s.scaler)
	if err != nil {
		return op.Scaler{}, err
	}
	return scalerOf(v), nil
}

func scalerOf(v []float32) op.Scaler {
	return op.Scaler{Scale: v[0], Good: v[1], Skipped: v[2], SkippedLast: v[3]}
}

// scale is the state of a run's loss scale, zero without one.
func (c *Checkpoint) scale() (op.Scaler, error) {
	if c.State.Config.Precision != FP16 {
		return op.Scaler{}, nil
	}
	v := make([]float32, scalerWords)
	err := c.ReadF32("scaler", v)
	return scalerOf(v), err
}

// readCopies lets products read the copies of the weights.
func (s *Step) readCopies(t *op.Tape) {
	for network, bank := range s.copies {
		for _, p := range bank.Params() {
			if len(p.Shape) > 1 && p.Len()/p.Shape[0]%4 == 0 {
				t.Copy(s.weights(network)(p.Name), bank.Tensor(p.Name))
			}
		}
	}
}

// refresh writes the copies of weights that the host has written.
func (s *Step) refresh() error {
	for network, copies := range s.copies {
		banks := s.bank(network).Banks()
		for i, c := range copies.Banks() {
			values, err := s.store.ReadF32(banks[i])
			if err == nil {
				err = s.store.Write(c, c.Type.Encode(values))
			}
			if err != nil {
				return fmt.Errorf("copies of the weights: %w", err)
			}
		}
	}
	return nil
}
