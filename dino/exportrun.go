package dino

import (
	"errors"
	"fmt"
	"io"

	"dino-vk/dino/data"
	"dino-vk/dino/pth"
	"dino-vk/dino/safetensors"
	"dino-vk/gpu/op"
)

// ErrMidEpoch says that a run stands within an epoch.
var ErrMidEpoch = errors.New("the reference goes on from the end of an epoch only")

// WriteReference writes a run's checkpoint as the reference's trainer does
// (main_dino.py, save_dict), so that it can go on with it: student, teacher,
// optimizer, epoch, arguments and center.
func WriteReference(w io.Writer, ck *Checkpoint) error {
	if err := writeReference(w, ck); err != nil {
		return fmt.Errorf("%s: %w", ck.Path, err)
	}
	return nil
}

func writeReference(w io.Writer, ck *Checkpoint) error {
	s := ck.State
	if s.Images != 0 {
		return fmt.Errorf("the run stands %d pictures into epoch %d: %w; numbered checkpoints (--saveckp-freq) are of epochs' ends", s.Images, s.Epoch, ErrMidEpoch)
	}
	net, err := NewNetwork(s.Config)
	if err != nil {
		return err
	}
	params := net.Params()
	trained, buffers := divide(params)
	root := &pth.Dict{}
	var errs []error
	add := func(key string, v any, err error) { errs = append(errs, err, root.Set(key, v)) }

	// Student and, with batch norm, teacher are wrapped for several processes.
	const wrapped = "module."
	teacher := ""
	if len(buffers) > 0 {
		teacher = wrapped
	}
	d, err := stateDict(wrapped, ck.entries(studentPrefix, params))
	add("student", d, err)
	d, err = stateDict(teacher, ck.entries(teacherPrefix, params))
	add("teacher", d, err)
	optimizer, err := ck.optimizer(trained)
	add("optimizer", optimizer, err)
	add("epoch", s.Epoch, nil)
	args, err := s.Config.namespace()
	add("args", args, err)
	center := op.Param{Name: "center", Shape: []int{1, s.Config.OutDim}}
	d, err = stateDict("", ck.entries("", []op.Param{center}))
	add("dino_loss", d, err)
	if s.Config.Precision == FP16 {
		d, err = ck.gradScaler()
		add("fp16_scaler", d, err)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return pth.Write(w, root)
}

// entries are tensors of the checkpoint, whose names there have a prefix.
func (c *Checkpoint) entries(prefix string, params []op.Param) []safetensors.Entry {
	var list []safetensors.Entry
	for _, p := range params {
		list = append(list, exported(safetensors.Entry{Name: p.Name, Type: safetensors.F32, Shape: p.Shape}, p, func() ([]float32, error) {
			values := make([]float32, p.Len())
			return values, c.ReadF32(prefix+p.Name, values)
		}))
	}
	return list
}

// updates are the optimizer's counts after the checkpoint's last step: of all
// weights and of the last layer.
func (s State) updates(schedule Schedule) (all, last int) {
	u := s.Updates
	return u.All + s.Step - u.Step, u.LastLayer + max(s.Step-max(u.Step, schedule.FrozenSteps), 0)
}

// optimizer is the state dict of the reference's optimizer: two groups, of what
// is decayed and what is not (utils.get_params_groups), and the moments of each
// parameter that was ever updated, by its number.
func (c *Checkpoint) optimizer(trained []op.Param) (*pth.Dict, error) {
	s := c.State
	sampler, err := data.NewSampler(s.Data, s.Config.GlobalBatch(), s.Seed)
	if err != nil {
		return nil, err
	}
	schedule := NewSchedule(s.Config, sampler.Steps())
	all, last := s.updates(schedule)
	scale, err := c.scale()
	if err != nil {
		return nil, err
	}
	all, last = all-int(scale.Skipped), last-int(scale.SkippedLast)
	step := max(s.Step-1, 0)
	states, groups := &pth.Dict{}, &pth.List{}
	number := 0
	for _, decay := range []op.ParamFlags{op.Decay, 0} {
		numbers := &pth.List{}
		for _, p := range trained {
			flags := s.Config.flags(p)
			if flags&op.Frozen != 0 || flags&op.Decay != decay {
				continue
			}
			updates := all
			if flags&op.LastLayer != 0 {
				updates = last
			}
			if updates > 0 {
				state, err := c.moments(p, updates)
				if err := errors.Join(err, states.Set(number, state)); err != nil {
					return nil, err
				}
			}
			numbers.Items = append(numbers.Items, number)
			number++
		}
		group, err := s.Config.group(schedule.LR.At(step), schedule.WeightDecay.At(step)*float64(decay/op.Decay))
		if err := errors.Join(err, group.Set("params", numbers)); err != nil {
			return nil, err
		}
		groups.Items = append(groups.Items, group)
	}
	d := &pth.Dict{}
	return d, errors.Join(d.Set("state", states), d.Set("param_groups", groups))
}

// gradScaler is the state dict of PyTorch's GradScaler.
func (c *Checkpoint) gradScaler() (*pth.Dict, error) {
	scale, err := c.scale()
	d := &pth.Dict{}
	for _, item := range []pth.Item{
		{Key: "scale", Value: float64(scale.Scale)}, {Key: "growth_factor", Value: 2.0}, {Key: "backoff_factor", Value: 0.5},
		{Key: "growth_interval", Value: 2000}, {Key: "_growth_tracker", Value: int(scale.Good)},
	} {
		err = errors.Join(err, d.Set(item.Key, item.Value))
	}
	return d, err
}

// moments is a parameter's state after so many updates.
func (c *Checkpoint) moments(p op.Param, updates int) (*pth.Dict, error) {
	rule := op.Rule(c.State.Config.Optimizer)
	d := &pth.Dict{}
	if rule == op.AdamW {
		if err := d.Set("step", updates); err != nil {
			return nil, err
		}
	}
	for i, name := range c.State.Config.momentNames() {
		e := c.entries(name+".", []op.Param{p})[0]
		if err := d.Set(referenceMoments[rule][i], &e); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// group is a group's settings, by PyTorch's names.
func (c Config) group(lr, decay float64) (*pth.Dict, error) {
	items := []pth.Item{{Key: "lr", Value: lr}, {Key: "weight_decay", Value: decay}}
	switch op.Rule(c.Optimizer) {
	case op.AdamW:
		items = append(items, pth.Item{Key: "betas", Value: pth.Tuple{adamBeta1, adamBeta2}}, pth.Item{Key: "eps", Value: adamEps},
			pth.Item{Key: "amsgrad", Value: false})
	case op.SGD:
		items = append(items, pth.Item{Key: "momentum", Value: adamBeta1}, pth.Item{Key: "dampening", Value: 0.0}, pth.Item{Key: "nesterov", Value: false})
	case op.LARS:
		items = append(items, pth.Item{Key: "momentum", Value: adamBeta1}, pth.Item{Key: "eta", Value: op.LARSEta},
			pth.Item{Key: "weight_decay_filter"}, pth.Item{Key: "lars_adaptation_filter"})
	}
	d := &pth.Dict{}
	for _, item := range items {
		if err := d.Set(item.Key, item.Value); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// namespace are the settings as the arguments of the reference's trainer; one
// process takes the batches that are here one step's.
func (c Config) namespace() (*pth.Object, error) {
	c.UseFP16 = c.Precision == FP16
	o := &pth.Object{Class: pth.Namespace}
	var errs []error
	for _, f := range Flags {
		if f.Reference == "" {
			continue
		}
		var v any
		switch x := f.Value(&c).Get().(type) {
		case uint64:
			v = int(x)
		case Scale:
			v = pth.Tuple{x.Min, x.Max}
		default:
			v = x
		}
		errs = append(errs, o.Attrs.Set(f.Reference, v))
	}
	for _, item := range []pth.Item{
		{Key: "batch_size_per_gpu", Value: c.GlobalBatch()}, {Key: "world_size", Value: 1},
		{Key: "dist_url", Value: "env://"}, {Key: "local_rank", Value: 0}, {Key: "rank", Value: 0}, {Key: "gpu", Value: 0},
	} {
		errs = append(errs, o.Attrs.Set(item.Key, item.Value))
	}
	return o, errors.Join(errs...)
}
