package weights

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"dino-vk/dino/pth"
)

// Training is what the reference's trainer keeps besides the networks
// (main_dino.py, save_dict).
type Training struct {
	Epoch int       // epochs done
	Args  *pth.Dict // the command line, by the reference's names; empty if none was kept

	states map[string]*pth.Dict // the optimizer's, by parameter
	scaler *pth.Dict            // of the loss, nil if none was kept
}

// The last layer of the head, which the optimizer may hold fixed.
const lastLayer = HeadPrefix + "last_layer."

func newTraining(root *pth.Dict, student *Network) (*Training, error) {
	t := &Training{Args: &pth.Dict{}, states: map[string]*pth.Dict{}}
	var ok bool
	if t.Epoch, ok = root.Get("epoch").(int); !ok || t.Epoch < 0 {
		return nil, errors.New("the number of epochs is missing")
	}
	if args, ok := root.Get("args").(*pth.Object); ok {
		t.Args = &args.Attrs
	}
	t.scaler, _ = root.Get("fp16_scaler").(*pth.Dict)
	optimizer, ok := root.Get("optimizer").(*pth.Dict)
	if !ok {
		return nil, errors.New("the optimizer's state is missing")
	}
	if err := t.readOptimizer(optimizer, student); err != nil {
		return nil, fmt.Errorf("optimizer: %w", err)
	}
	return t, nil
}

// LossScale is the state of a run in half precision: the scale of the loss and
// the updates since it changed. ok is false without one.
func (t *Training) LossScale() (scale float64, good int, ok bool) {
	if t.scaler == nil {
		return 0, 0, false
	}
	scale, ok = t.scaler.Get("scale").(float64)
	good, okGood := t.scaler.Get("_growth_tracker").(int)
	return scale, good, ok && okGood && scale > 0
}

// centerOf is the center in a training checkpoint, a buffer of DINOLoss.
func centerOf(root *pth.Dict) (*Tensor, error) {
	loss, ok := root.Get("dino_loss").(*pth.Dict)
	if !ok {
		return nil, errors.New("dino_loss with the center is missing")
	}
	center, ok := loss.Get("center").(*pth.Tensor)
	if !ok {
		return nil, errors.New("the center is missing")
	}
	return tensorOf(centerName, center), nil
}

// readOptimizer finds which parameter each of the optimizer's states belongs
// to: the states are numbered in the order of utils.get_params_groups.
func (t *Training) readOptimizer(optimizer *pth.Dict, student *Network) error {
	states, ok := optimizer.Get("state").(*pth.Dict)
	groups, ok2 := optimizer.Get("param_groups").(*pth.List)
	if !ok || !ok2 || len(groups.Items) != 2 {
		return errors.New("no state of two groups of parameters")
	}
	var numbers [2][]int
	for i, g := range groups.Items {
		d, ok := g.(*pth.Dict)
		if !ok {
			return fmt.Errorf("group %d is no dict", i)
		}
		list, ok := d.Get("params").(*pth.List)
		if !ok {
			return fmt.Errorf("group %d has no parameters", i)
		}
		for _, v := range list.Items {
			number, ok := v.(int)
			if !ok {
				return fmt.Errorf("group %d has a parameter that is no number", i)
			}
			numbers[i] = append(numbers[i], number)
		}
	}
	names := ParamGroups(student, true)
	if len(numbers[0]) == len(names[0])-1 {
		names = ParamGroups(student, false)
	}
	for i := range names {
		if len(names[i]) != len(numbers[i]) {
			return fmt.Errorf("group %d holds %d parameters, the student has %d for it", i, len(numbers[i]), len(names[i]))
		}
		for k, name := range names[i] {
			d, ok := states.Get(numbers[i][k]).(*pth.Dict)
			if !ok {
				continue // never updated yet
			}
			t.states[name] = d
		}
	}
	return nil
}

// ParamGroups are the parameters of the student in the order in which the
// reference's optimizer numbers them (utils.get_params_groups): first those
// with weight decay, then biases and vectors. The last layer's weight_g is
// among them where it is trained (norm_last_layer false).
func ParamGroups(student *Network, trainG bool) [2][]string {
	var groups [2][]string
	for _, p := range student.Tensors {
		if isBuffer(p.Name) || p.Name == lastLayer+"weight_g" && !trainG {
			continue
		}
		i := 0
		if len(p.Shape) == 1 || strings.HasSuffix(p.Name, ".bias") {
			i = 1
		}
		groups[i] = append(groups[i], p.Name)
	}
	return groups
}

// isBuffer reports whether a name is that of a running statistic.
func isBuffer(name string) bool {
	return strings.HasSuffix(name, ".running_mean") || strings.HasSuffix(name, ".running_var") || strings.HasSuffix(name, ".num_batches_tracked")
}

// Moment is a tensor of a parameter's optimizer state: "exp_avg" and
// "exp_avg_sq" of AdamW, "momentum_buffer" of SGD, "mu" of LARS. It is nil where
// the parameter was never updated, and an error if its shape is another.
func (t *Training) Moment(param, key string, shape []int) (*Tensor, error) {
	d := t.states[param]
	if d == nil || d.Get(key) == nil {
		return nil, nil
	}
	x, ok := d.Get(key).(*pth.Tensor)
	if !ok {
		return nil, fmt.Errorf("optimizer: %s of %q is no tensor", key, param)
	}
	if !slices.Equal(x.Shape, shape) || decoders[x.Type] == nil {
		return nil, fmt.Errorf("optimizer: %s of tensor %q is %s %v, the model needs floats %v", key, param, x.Type, x.Shape, shape)
	}
	return tensorOf(param+" "+key, x), nil
}

// Steps is how often AdamW updated the parameter.
func (t *Training) Steps(param string) (int, error) {
	d := t.states[param]
	if d == nil {
		return 0, nil
	}
	switch v := d.Get("step").(type) {
	case int:
		if v >= 0 {
			return v, nil
		}
	case *pth.Tensor:
		x := tensorOf(param+" step", v)
		if x.Len() != 1 {
			break
		}
		value := make([]float32, 1)
		if err := x.ReadF32(value); err != nil {
			return 0, err
		}
		if n := int(value[0]); n >= 0 && float32(n) == value[0] {
			return n, nil
		}
	}
	return 0, fmt.Errorf("optimizer: parameter %q has no number of steps", param)
}
