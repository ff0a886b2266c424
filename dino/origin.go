package dino

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dino-vk/dino/pth"
	"dino-vk/dino/weights"
	"dino-vk/resnet"
)

// ErrHeads says that a file of weights leaves the number of attention heads open.
var ErrHeads = errors.New("nothing tells the number of attention heads")

// ConfigOf is what a file of weights says of the settings: those of its run, or
// else what its arguments and the shapes of the network's tensors tell, and
// defaults for the rest. heads, unless 0, wins over what the file tells of them;
// with 0, and nothing in the file, the error is ErrHeads.
func ConfigOf(f *weights.File, network string, heads int) (Config, error) {
	c := DefaultConfig()
	if f.Source == weights.Run {
		s, err := readState(f.Metadata)
		if err != nil {
			return c, fmt.Errorf("%s: %w", f.Path, err)
		}
		s.Config.Heads = cmp.Or(heads, s.Config.Heads)
		return s.Config, nil
	}
	if f.Training != nil {
		if err := c.setArguments(f.Training.Args); err != nil {
			return c, fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	a, err := f.Architecture(network)
	if err != nil {
		return c, err
	}
	a.Heads = cmp.Or(heads, a.Heads)
	if err := c.setArchitecture(a); err != nil {
		return c, fmt.Errorf("%s: %w", f.Path, err)
	}
	if f.Training != nil {
		if c.Precision = FP32; c.UseFP16 && c.onlyFP32() == nil {
			c.Precision = FP16
		}
		c.UseFP16 = false
	}
	return c, nil
}

// setArguments takes over the arguments of a run of the reference.
func (c *Config) setArguments(args *pth.Dict) error {
	var errs []error
	for _, f := range Flags {
		if f.Reference == "" || slices.Contains([]string{"arch", "data", "output", "num-workers"}, f.Name) {
			continue // told by the shapes, or of another machine
		}
		text, err := argument(args.Get(f.Reference))
		if err == nil && text != "" {
			err = f.Value(c).Set(text)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("argument %s: %w", f.Reference, err))
		}
	}
	// Each of the reference's processes took a batch; here they come one after
	// another.
	if n, ok := args.Get("world_size").(int); ok && n > 0 {
		c.Accumulate = n
	}
	return errors.Join(errs...)
}

// argument is an argument's value as text, "" for None.
func argument(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case bool:
		return strconv.FormatBool(v), nil
	case int:
		return strconv.Itoa(v), nil
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), nil
	case string:
		return v, nil
	case pth.Tuple:
		return arguments(v)
	case *pth.List:
		return arguments(v.Items)
	}
	return "", errors.New("neither a number nor text")
}

func arguments(list []any) (string, error) {
	texts := make([]string, len(list))
	for i, v := range list {
		switch v.(type) {
		case int, float64:
		default:
			return "", errors.New("a list of something else than numbers")
		}
		texts[i], _ = argument(v)
	}
	return strings.Join(texts, ","), nil
}

// setArchitecture takes over what shapes tell.
func (c *Config) setArchitecture(a weights.Architecture) error {
	if a.HeadLayers > 0 {
		c.OutDim, c.HeadLayers, c.HeadBottleneckDim, c.UseBNInHead = a.OutDim, a.HeadLayers, a.HeadBottleneck, a.HeadBatchNorm
		if a.HeadLayers > 1 {
			c.HeadHiddenDim = a.HeadHidden
		}
	}
	if a.Blocks != nil {
		return c.setResNet(a)
	}
	c.PatchSize, c.ImageSize = a.PatchSize, a.ImageSize
	i := slices.IndexFunc(Archs, func(n Arch) bool {
		return n.Dim == a.Dim && n.Depth == a.Depth && (a.Heads == 0 || a.Heads == n.Heads)
	})
	if i >= 0 {
		c.Arch = Archs[i].Name
		return nil
	}
	c.Dim, c.Depth, c.Heads = a.Dim, a.Depth, a.Heads
	if a.Heads == 0 {
		return fmt.Errorf("%w that share %d features", ErrHeads, a.Dim)
	}
	return nil
}

func (c *Config) setResNet(a weights.Architecture) error {
	i := slices.IndexFunc(resnet.Archs, func(n resnet.Arch) bool {
		return n.Bottleneck == a.Bottleneck && slices.Equal(n.Layers, a.Blocks)
	})
	if i < 0 {
		return fmt.Errorf("a ResNet of %v blocks in its stages, bottlenecks %v: none of --arch %s", a.Blocks, a.Bottleneck, strings.Join(ArchNames(), ", "))
	}
	c.Arch, c.Width, c.Stem = resnet.Archs[i].Name, a.Width, string(resnet.ImageNet)
	if a.StemSize == 3 {
		c.Stem = string(resnet.CIFAR)
	}
	c.PatchSize = DefaultConfig().PatchSize // an argument that says nothing here
	return nil
}
