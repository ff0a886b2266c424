package dino

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"dino-vk/dino/data"
	"dino-vk/dino/safetensors"
	"dino-vk/dino/weights"
	"dino-vk/gpu"
	"dino-vk/gpu/op"
)

// ErrNoTraining says that a file of weights holds no run to go on with.
var ErrNoTraining = errors.New("not a training checkpoint of the reference")

// Import makes of a training checkpoint of the reference a run's folder,
// c.Output, with which a Trainer goes on. c is ConfigOf the file with the
// settings that shall differ, set what the run goes on with. A folder that holds
// a run is refused.
func Import(f *weights.File, c Config, set *data.Set) (s State, err error) {
	if err := c.Validate(); err != nil {
		return s, err
	}
	sampler, err := data.NewSampler(set.Len(), c.GlobalBatch(), c.Seed)
	if err != nil {
		return s, err
	}
	s, tensors, err := imported(f, c, sampler.Steps())
	if err != nil {
		return s, err
	}
	s.identify(set)
	o, err := openOutput(c.Output)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	if _, err := os.Stat(filepath.Join(c.Output, CheckpointName)); !errors.Is(err, os.ErrNotExist) {
		return s, fmt.Errorf("%s: %w; use another --output", c.Output, ErrOtherRun)
	}
	if err := o.begin(c, 0); err != nil {
		return s, err
	}
	return s, WriteCheckpoint(c.Output, s, tensors, false)
}

// imported is the state of a reference training checkpoint and its tensors, for
// a run whose epochs have so many steps. All are checked, none is read yet.
func imported(f *weights.File, c Config, epochSteps int) (State, []safetensors.Entry, error) {
	t := f.Training
	if t == nil {
		return State{}, nil, fmt.Errorf("%s: %w", f.Path, ErrNoTraining)
	}
	if t.Epoch > c.Epochs {
		return State{}, nil, fmt.Errorf("%s: it is after epoch %d of --epochs %d", f.Path, t.Epoch, c.Epochs)
	}
	net, err := NewNetwork(c)
	if err != nil {
		return State{}, nil, err
	}
	params := net.Params()
	center := op.Param{Name: "center", Shape: []int{c.OutDim}}
	if f.Center.Len() != c.OutDim {
		return State{}, nil, fmt.Errorf("%s: tensor %q is %v, the model needs [1 %d]", f.Path, "dino_loss/center", f.Center.Shape, c.OutDim)
	}
	list := []safetensors.Entry{importedTensor(center.Name, center, f.Center)}
	if c.Precision == FP16 {
		list = append(list, importedScaler(t))
	}
	var errs []error
	for _, network := range []string{"student", "teacher"} {
		n, err := f.Network(network)
		if err == nil {
			err = n.Check("", params)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", network, err))
			continue
		}
		for _, p := range params {
			list = append(list, importedTensor(network+"."+p.Name, p, n.Tensor(p.Name)))
		}
	}
	trained, _ := divide(params)
	for i, name := range c.momentNames() {
		for _, p := range trained {
			x, err := t.Moment(p.Name, referenceMoments[op.Rule(c.Optimizer)][i], p.Shape)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", f.Path, err))
			}
			list = append(list, importedTensor(name+"."+p.Name, p, x))
		}
	}
	updates, err := importedUpdates(t, c, trained, t.Epoch*epochSteps)
	if err := errors.Join(append(errs, err)...); err != nil {
		return State{}, nil, err
	}
	return State{Step: t.Epoch * epochSteps, Epoch: t.Epoch, Seed: c.Seed, Updates: updates, Config: c}, list, nil
}

// referenceMoments are PyTorch's names of the optimizers' states, in the order
// of momentNames.
var referenceMoments = map[op.Rule][]string{
	op.AdamW: {"exp_avg", "exp_avg_sq"},
	op.SGD:   {"momentum_buffer"},
	op.LARS:  {"mu"},
}

// importedTensor copies a tensor, or is zero where the file has none.
func importedTensor(name string, p op.Param, from *weights.Tensor) safetensors.Entry {
	return safetensors.Entry{Name: name, Type: safetensors.F32, Shape: p.Shape, Data: func(w io.Writer) error {
		values := make([]float32, p.Len())
		if from != nil {
			if err := from.ReadF32(values); err != nil {
				return err
			}
		}
		bytes := gpu.F32Bytes(values)
		if i := nonFinite(bytes); i >= 0 {
			return fmt.Errorf("%s: element %d is %w", from.Source(), i, ErrNonFinite)
		}
		_, err := w.Write(bytes)
		return err
	}}
}

// importedScaler goes on with the file's loss scale, or begins with the first.
// The updates that were skipped are left out of importedUpdates already.
func importedScaler(t *weights.Training) safetensors.Entry {
	s := op.FirstScaler
	if scale, good, ok := t.LossScale(); ok {
		s.Scale, s.Good = float32(scale), float32(good)
	}
	return safetensors.Values("scaler", []int{scalerWords}, []float32{s.Scale, s.Good, s.Skipped, s.SkippedLast})
}

// importedUpdates are the optimizer's own counts, which AdamW needs: those of
// the last layer begin after its freeze, and in half precision steps were left
// out.
func importedUpdates(t *weights.Training, c Config, trained []op.Param, step int) (Updates, error) {
	u := Updates{Step: step}
	if op.Rule(c.Optimizer) != op.AdamW {
		return u, nil
	}
	seen := map[bool]string{}
	for _, p := range trained {
		flags := c.flags(p)
		if flags&op.Frozen != 0 {
			continue
		}
		n, err := t.Steps(p.Name)
		if err != nil {
			return u, err
		}
		last := flags&op.LastLayer != 0
		count := &u.All
		if last {
			count = &u.LastLayer
		}
		if other, ok := seen[last]; ok && *count != n {
			return u, fmt.Errorf("optimizer: %d updates of %q, %d of %q", *count, other, n, p.Name)
		}
		*count, seen[last] = n, p.Name
	}
	return u, nil
}
