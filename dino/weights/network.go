package weights

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"dino-vk/gpu/op"
)

// Prefixes of the reference's names: of a network's two parts.
const (
	BackbonePrefix = "backbone."
	HeadPrefix     = "head."
)

// Network is a backbone and, where the file has one, the head.
type Network struct {
	Tensors []*Tensor // backbone.cls_token, …, head.mlp.0.weight, …
	byName  map[string]*Tensor
	path    string
}

func newNetwork(path string, list stateDict) (*Network, error) {
	n := &Network{Tensors: list, byName: map[string]*Tensor{}, path: path}
	for _, t := range list {
		if old := n.byName[t.Name]; old != nil {
			return nil, fmt.Errorf("%s: tensors %q and %q are both %q", path, old.Source(), t.Source(), t.Name)
		}
		n.byName[t.Name] = t
	}
	return n, nil
}

// Tensor is the tensor of that name, nil if there is none.
func (n *Network) Tensor(name string) *Tensor { return n.byName[name] }

// HasHead reports whether the file holds the head, too.
func (n *Network) HasHead() bool { return n.byName[lastLayer+"weight_v"] != nil }

// Find returns a tensor that must have the given shape. The error names the
// tensor and both shapes.
func (n *Network) Find(name string, shape []int) (*Tensor, error) {
	t := n.byName[name]
	switch {
	case t == nil:
		return nil, fmt.Errorf("%s: tensor %q %v is missing", n.path, name, shape)
	case !slices.Equal(t.Shape, shape):
		return nil, fmt.Errorf("%s: tensor %q is %v, the model needs %v", n.path, name, t.Shape, shape)
	case decoders[t.Type] == nil:
		return nil, fmt.Errorf("%s: tensor %q is %s, the model needs floats", n.path, name, t.Type)
	}
	return t, nil
}

// Check compares the tensors whose names begin with prefix with all those that
// a model has, and reports every missing, unknown and misshapen one.
func (n *Network) Check(prefix string, params []op.Param) error {
	var errs []error
	known := map[string]bool{}
	for _, p := range params {
		known[prefix+p.Name] = true
		if _, err := n.Find(prefix+p.Name, p.Shape); err != nil {
			errs = append(errs, err)
		}
	}
	for _, t := range n.Tensors {
		if strings.HasPrefix(t.Name, prefix) && !known[t.Name] {
			errs = append(errs, fmt.Errorf("%s: tensor %q %v is not part of the model", n.path, t.Source(), t.Shape))
		}
	}
	const most = 10
	if len(errs) > most {
		errs = append(errs[:most], fmt.Errorf("and %d tensors more", len(errs)-most))
	}
	return errors.Join(errs...)
}
