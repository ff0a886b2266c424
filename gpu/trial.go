package gpu

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"
)

// trial is an attempt on tensors of its own.
type trial struct {
	store  *Store
	inputs []*Tensor
	nodes  []node
}

func newTrial(a attempt) *trial {
	t := &trial{store: NewStore()}
	known := map[Range]*Tensor{}
	for _, n := range a.nodes {
		n.args = slices.Clone(n.args)
		for i, arg := range n.args {
			if arg == nil {
				continue
			}
			own := known[arg.Range()]
			if own == nil {
				own = t.store.New(arg.Name, arg.Type, arg.Shape...)
				known[arg.Range()] = own
				t.inputs = append(t.inputs, own)
			}
			n.args[i] = own
		}
		t.nodes = append(t.nodes, n)
	}
	return t
}

// outputs are the tensors that the trial writes, but for those that only lead to
// others: what a later node reads and does not write.
func (t *trial) outputs() []*Tensor {
	var list []*Tensor
	for i := range t.nodes {
		n := &t.nodes[i]
		list = slices.DeleteFunc(list, func(o *Tensor) bool { return slices.Contains(n.args, o) })
		for j, arg := range n.args {
			if arg != nil && n.writes(j) && !slices.Contains(list, arg) {
				list = append(list, arg)
			}
		}
	}
	return list
}

// writes reports whether the node writes its argument of this number.
func (n *node) writes(arg int) bool {
	if n.kind == dispatchNode {
		return n.module.bindings[arg].write
	}
	return arg == 0
}

// graph records the trial some times over, each as a scope of its own.
func (t *trial) graph(caps Caps, times int) *Graph {
	g := NewGraph(caps)
	for i := range times {
		for _, n := range t.nodes {
			n.scope = strconv.Itoa(i)
			g.nodes = append(g.nodes, n)
		}
	}
	return g
}

// noise is n numbers in [-1, 1), each moved by at most the part move of itself.
// They follow from the seed, and come again after a number of them that is a
// prime: no two rows are equal.
func noise(seed uint64, n int, move float64) []float32 {
	const period = 65521
	values, moves := rand.New(rand.NewPCG(seed, 0)), rand.New(rand.NewPCG(seed, 1))
	list := make([]float32, n)
	for i := range min(n, period) {
		list[i] = float32((2*values.Float64() - 1) * (1 + move*(2*moves.Float64()-1)))
	}
	for i := period; i < n; i += copy(list[i:], list[:period]) {
	}
	return list
}

// seed is that of an input's noise, the same for the same argument of another
// variant: it follows from the name and the inputs of that name before.
func (t *trial) seed(input int) uint64 {
	name := t.inputs[input].Name
	h := fnv.New64a()
	h.Write([]byte(name))
	for _, other := range t.inputs[:input] {
		if other.Name == name {
			h.Write([]byte{0})
		}
	}
	return h.Sum64()
}

// compute runs the trial once on noise, moved by at most the part move, and
// returns what it wrote.
func (t *trial) compute(ctx context.Context, d *Device, move float64) ([]output, error) {
	if err := t.store.Allocate(d); err != nil {
		return nil, err
	}
	defer t.store.Close()
	programs, err := Compile(d, t.graph(d.Caps(), 1))
	if err != nil {
		return nil, err
	}
	defer programs[0].Close()
	for i, in := range t.inputs {
		if _, ok := blocks()[in.Type]; !ok {
			continue // integers are offsets and the like, of which 0 always is one
		}
		if err := t.store.Write(in, in.Type.Encode(noise(t.seed(i), in.Len(), move))); err != nil {
			return nil, err
		}
	}
	if err := d.patiently(ctx, programs[0].Run); err != nil {
		return nil, err
	}
	var results []output
	for _, out := range t.outputs() {
		data := make([]byte, out.Bytes())
		if err := t.store.Read(out, data); err != nil {
			return nil, err
		}
		results = append(results, output{out, out.Type.Decode(data)})
	}
	return results, nil
}

// patience is how long a trial may take on a device that is no CPU: many times what
// it should.
var patience = 30 * time.Second

// patiently carries out a trial's run. A device that does not end it is given up,
// as lost as one that says so; and as nothing that it uses may be freed, nothing
// of it is.
func (d *Device) patiently(ctx context.Context, run func(context.Context) error) error {
	if d.Kind == CPU {
		return run(ctx)
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := run(limited)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		d.stuck = true
		return fmt.Errorf("it does not end: %w", ErrDeviceLost)
	}
	return err
}

// How an attempt is timed: by runs of some repetitions until enough time is spent.
const (
	repetitions = 3
	mostRuns    = 4
	enoughTime  = 50 * time.Millisecond
)

// time is the median of the attempt's device time on noise. One that takes more
// than twice the limit is not run again; a limit of 0 is none.
func (a attempt) time(ctx context.Context, d *Device, limit time.Duration) (time.Duration, error) {
	t := newTrial(a)
	if err := t.store.Allocate(d); err != nil {
		return 0, err
	}
	defer t.store.Close()
	if err := t.fill(ctx, d); err != nil {
		return 0, err
	}
	programs, err := CompileTraced(d, t.graph(d.Caps(), repetitions))
	if err != nil {
		return 0, err
	}
	defer programs[0].Close()
	var first []time.Duration // not counted: everything is cold
	err = d.patiently(ctx, func(ctx context.Context) (err error) {
		first, err = programs[0].scopes(ctx)
		return err
	})
	if err != nil {
		return 0, err
	}
	if fastest := slices.Min(first); limit > 0 && fastest > 2*limit {
		return fastest, nil
	}
	var times []time.Duration
	for spent := time.Duration(0); spent < enoughTime && len(times) < mostRuns*repetitions; {
		each, err := programs[0].scopes(ctx)
		if err != nil {
			return 0, err
		}
		for _, one := range each {
			spent += one
		}
		times = append(times, each...)
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}

// fill gives the inputs a block of noise over and over. Integers stay zero.
func (t *trial) fill(ctx context.Context, d *Device) error {
	g := NewGraph(d.Caps())
	for _, in := range t.inputs {
		block, ok := blocks()[in.Type]
		if !ok {
			continue
		}
		n := min(in.Len(), blockLen)
		if err := t.store.Write(in.Slice(0, n), block[:n*in.Type.Bytes()]); err != nil {
			return err
		}
		for ; n < in.Len(); n *= 2 {
			more := min(n, in.Len()-n)
			g.Copy(in.Slice(n, more), in.Slice(0, more))
		}
	}
	if len(g.nodes) == 0 {
		return g.err
	}
	programs, err := Compile(d, g)
	if err != nil {
		return err
	}
	defer programs[0].Close()
	return programs[0].Run(ctx)
}

const blockLen = 1 << 16

// blocks are noise by its type.
var blocks = sync.OnceValue(func() map[Type][]byte {
	values := noise(0, blockLen, 0)
	return map[Type][]byte{F32: F32.Encode(values), F16: F16.Encode(values), BF16: BF16.Encode(values)}
})

// scopes runs the program once and returns the device time of each scope.
func (p *Program) scopes(ctx context.Context) ([]time.Duration, error) {
	slot, err := p.Acquire(ctx)
	if err == nil {
		err = p.Submit(slot)
	}
	if err == nil {
		err = p.Wait(ctx, slot)
	}
	if err != nil {
		return nil, err
	}
	list, err := p.Timings(slot)
	if err != nil {
		return nil, err
	}
	var times []time.Duration
	scope := ""
	for i, one := range list {
		if i == 0 || one.Scope != scope {
			times, scope = append(times, 0), one.Scope
		}
		times[len(times)-1] += one.Duration
	}
	return times, nil
}
