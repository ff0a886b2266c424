package dino

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"

	"dino-vk/dino/safetensors"
	"dino-vk/gpu"
	"dino-vk/gpu/op"
)

// Views are a micro-batch's crops of B images, normalised: global ones (2·B, 3,
// S, S) and local ones (L·B, 3, s, s), crop-major; Locals is nil without any.
// Table (B, 4) u32 holds the images' ids in its last column.
type Views struct{ Globals, Locals, Table *gpu.Tensor }

// Crops records where a step's crops come from. params holds the StepParams.
type Crops func(g *gpu.Graph, params *gpu.Tensor) Views

// Words of the structs that the host and the kernels share.
var (
	metricWords = binary.Size(op.Metrics{}) / 4
	paramWords  = binary.Size(op.StepParams{}) / 4
)

// Step is a training step, recorded once: its weights and other tensors, and
// the programs that run it.
type Step struct {
	config Config
	net    Network
	params []op.Param // of a network, its running statistics among them
	crops  Crops
	graphs []*gpu.Graph

	store                                      *gpu.Store
	student, gradient, teacher                 *op.Bank
	moments                                    []*op.Bank          // as momentNames has them
	statistics                                 *op.Buffers         // of both networks
	typ                                        gpu.Type            // of what products read
	copies                                     map[string]*op.Bank // of the networks' weights, in typ; empty for float32
	scaler                                     *gpu.Tensor         // of the loss, nil but for float16
	center, centerSum, metrics, status, report *gpu.Tensor
	scalars                                    *gpu.Tensor // StepParams
	optimizer                                  *op.Optimizer

	programs []*gpu.Program
}

// NewStep records the step of a run. What crops needs in device memory it may
// declare in store. No memory is taken yet.
func NewStep(c Config, caps gpu.Caps, store *gpu.Store, crops Crops) (*Step, error) {
	net, err := NewNetwork(c)
	if err != nil {
		return nil, err
	}
	s := &Step{config: c, net: net, params: net.Params(), crops: crops, store: store}
	trained, buffers := divide(s.params)
	layout, err := op.NewLayout(trained, c.flags, caps.MaxBinding)
	if err != nil {
		return nil, err
	}
	s.statistics, err = op.NewBuffers(store, append(under(studentPrefix, buffers), under(teacherPrefix, buffers)...), caps.MaxBinding)
	if err != nil {
		return nil, err
	}
	s.student = layout.NewBank(store, "student")
	s.gradient = layout.NewBank(store, "gradient")
	for _, name := range c.momentNames() {
		s.moments = append(s.moments, layout.NewBank(store, name))
	}
	s.teacher = layout.NewBank(store, "teacher")
	roles := op.Roles{Weight: s.student, Gradient: s.gradient, Moment1: s.moments[0], Teacher: s.teacher}
	if len(s.moments) > 1 {
		roles.Moment2 = s.moments[1]
	}
	if s.typ = c.elements(caps); s.typ.Narrow() {
		roles.WeightCopy, roles.TeacherCopy = layout.NewBankOf(s.typ, store, "student.copy"), layout.NewBankOf(s.typ, store, "teacher.copy")
		s.copies = map[string]*op.Bank{studentPrefix: roles.WeightCopy, teacherPrefix: roles.TeacherCopy}
	}
	if s.typ == gpu.F16 {
		s.scaler = store.New("scaler", gpu.F32, scalerWords)
	}
	s.optimizer = op.NewOptimizer(store, layout, op.Rule(c.Optimizer), roles)
	s.center = store.New("center", gpu.F32, c.OutDim)
	s.centerSum = store.New("center.sum", gpu.F32, c.OutDim)
	s.status = store.New("status", gpu.U32, op.StatusWords)
	s.metrics = store.New("metrics", gpu.U32, metricWords)
	s.report = store.Host("report", gpu.U32, metricWords)
	s.scalars = store.Input("params", gpu.U32, paramWords)
	for i := range parts(c.Accumulate) {
		g := gpu.NewGraph(caps)
		s.record(g, i == 0, i == parts(c.Accumulate)-1)
		if err := g.Err(); err != nil {
			return nil, fmt.Errorf("training step: %w", err)
		}
		g.Prune() // the end of what Recompute records again
		s.graphs = append(s.graphs, g)
	}
	return s, nil
}

// momentNames are the moments that the optimizer keeps, as a checkpoint has them.
func (c Config) momentNames() []string {
	if op.Rule(c.Optimizer) == op.AdamW {
		return []string{"adam.m", "adam.v"}
	}
	return []string{"momentum"}
}

// parts is how many different recordings a step of n micro-batches consists
// of: a first, a last, and one for all between.
func parts(n int) int { return min(n, 3) }

// part is the recording that micro-batch i of n runs.
func part(i, n int) int {
	switch {
	case i == 0:
		return 0
	case i == n-1:
		return parts(n) - 1
	}
	return 1
}

// divide tells the trained weights from the running statistics.
func divide(params []op.Param) (trained, buffers []op.Param) {
	for _, p := range params {
		if p.Buffer {
			buffers = append(buffers, p)
		} else {
			trained = append(trained, p)
		}
	}
	return trained, buffers
}

// under puts a prefix before the names.
func under(prefix string, params []op.Param) []op.Param {
	list := slices.Clone(params)
	for i := range list {
		list[i].Name = prefix + list[i].Name
	}
	return list
}

// weights finds a network's tensors, the running statistics as the step that is
// under way has them.
func (s *Step) weights(network string) op.Weights { return s.find(network, s.statistics.Work) }

// kept finds a network's tensors as the last good step left them.
func (s *Step) kept(network string) op.Weights { return s.find(network, s.statistics.Kept) }

func (s *Step) find(network string, statistic op.Weights) op.Weights {
	bank := s.bank(network)
	return func(name string) *gpu.Tensor {
		if w := bank.Tensor(name); w != nil {
			return w
		}
		return statistic(network + name)
	}
}

func (s *Step) bank(network string) *op.Bank {
	return map[string]*op.Bank{studentPrefix: s.student, teacherPrefix: s.teacher}[network]
}

// Graphs are the step's recordings, to be compiled in this order.
func (s *Step) Graphs() []*gpu.Graph { return s.graphs }

// Start gives the step its compiled programs and its starting state: weights
// drawn from the seed, the same for student and teacher, and all else zero.
func (s *Step) Start(programs []*gpu.Program) error {
	s.programs = programs
	if err := s.optimizer.Upload(s.store); err != nil {
		return err
	}
	if s.scaler != nil {
		bytes, err := gpu.Encode(op.FirstScaler)
		if err == nil {
			err = s.store.Write(s.scaler, bytes)
		}
		if err != nil {
			return fmt.Errorf("loss scale: %w", err)
		}
	}
	return s.begin(func(p op.Param) ([]float32, error) { return p.Values(s.config.Seed), nil })
}

// begin gives student and teacher the same weights.
func (s *Step) begin(values func(op.Param) ([]float32, error)) error {
	for _, p := range s.params {
		v, err := values(p)
		if err != nil {
			return err
		}
		for _, network := range []string{studentPrefix, teacherPrefix} {
			if err := s.store.WriteF32(s.kept(network)(p.Name), v); err != nil {
				return fmt.Errorf("weights: %w", err)
			}
		}
	}
	return s.refresh()
}

// stateTensor is a tensor of the state with its name in a checkpoint.
type stateTensor struct {
	name   string
	tensor *gpu.Tensor
}

// state lists the tensors that a checkpoint holds.
func (s *Step) state() []stateTensor {
	list := []stateTensor{{"center", s.center}}
	if s.scaler != nil {
		list = append(list, stateTensor{"scaler", s.scaler})
	}
	add := func(prefix string, find op.Weights) {
		for _, p := range s.params {
			if w := find(p.Name); w != nil {
				list = append(list, stateTensor{prefix + p.Name, w})
			}
		}
	}
	add(studentPrefix, s.kept(studentPrefix))
	add(teacherPrefix, s.kept(teacherPrefix))
	for i, name := range s.config.momentNames() {
		add(name+".", s.moments[i].Tensor)
	}
	return list
}

// The networks' prefixes in a checkpoint.
const (
	studentPrefix = "student."
	teacherPrefix = "teacher."
)

// Entries are the tensors of the state for a checkpoint, read from the device
// when their turn comes. One that is not finite gives ErrNonFinite.
func (s *Step) Entries() []safetensors.Entry {
	var list []safetensors.Entry
	for _, t := range s.state() {
		list = append(list, safetensors.Entry{
			Name: t.name, Type: safetensors.F32, Shape: t.tensor.Shape,
			Data: func(w io.Writer) error {
				bytes := make([]byte, t.tensor.Bytes())
				if err := s.store.Read(t.tensor, bytes); err != nil {
					return err
				}
				if i := nonFinite(bytes); i >= 0 {
					return fmt.Errorf("%s: element %d is %w", t.name, i, ErrNonFinite)
				}
				_, err := w.Write(bytes)
				return err
			},
		})
	}
	return list
}

// nonFinite is the first of the float32 values that is infinite or NaN, -1 if
// none is.
func nonFinite(values []byte) int {
	const exponent = 0x7f800000
	for i := 0; i < len(values); i += 4 {
		if binary.LittleEndian.Uint32(values[i:])&exponent == exponent {
			return i / 4
		}
	}
	return -1
}

// Load takes the state from a checkpoint.
func (s *Step) Load(ck *Checkpoint) error {
	var wants []Want
	for _, t := range s.state() {
		wants = append(wants, Want{t.name, t.tensor.Shape})
	}
	if err := ck.Check(wants); err != nil {
		return err
	}
	for _, t := range s.state() {
		values := make([]float32, t.tensor.Len())
		if err := ck.ReadF32(t.name, values); err != nil {
			return err
		}
		if err := s.store.WriteF32(t.tensor, values); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return s.refresh()
}

// Acquire waits until the memory of a slot is free. The caller fills what
// micro-batch i of a step needs there, calls SetParams, and Submit.
func (s *Step) Acquire(ctx context.Context, i int) (slot int, err error) {
	return s.programs[part(i, s.config.Accumulate)].Acquire(ctx)
}

// SetParams prepares a slot for a step of the schedule.
func (s *Step) SetParams(slot int, params op.StepParams) error {
	bytes, err := gpu.Encode(params)
	if err != nil {
		return err
	}
	copy(s.store.Mapped(s.scalars, slot), bytes)
	return nil
}

// Submit runs micro-batch i with what was prepared in the slot.
func (s *Step) Submit(i, slot int) error {
	return s.programs[part(i, s.config.Accumulate)].Submit(slot)
}

// Wait waits until micro-batch i's run in the slot is over.
func (s *Step) Wait(ctx context.Context, i, slot int) error {
	return s.programs[part(i, s.config.Accumulate)].Wait(ctx, slot)
}

// Span is when micro-batch i's run in the slot was on the device, after Wait.
func (s *Step) Span(i, slot int) (span gpu.Span, ok bool, err error) {
	return s.programs[part(i, s.config.Accumulate)].Span(slot)
}

// Timings are the device times of micro-batch i's run in the slot, after Wait,
// of programs that were compiled with timestamps.
func (s *Step) Timings(i, slot int) ([]gpu.Timing, error) {
	return s.programs[part(i, s.config.Accumulate)].Timings(slot)
}

// Report is what the last step in the slot reported, after Wait.
func (s *Step) Report(slot int) op.Metrics {
	bytes := s.store.Mapped(s.report, slot)
	f := func(i int) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(bytes[4*i:])) }
	return op.Metrics{
		Loss: f(0), Entropy: f(1), KL: f(2), GradNorm: f(3), GradNormMax: f(4),
		Status: binary.LittleEndian.Uint32(bytes[20:]), LossScale: f(6), Skipped: binary.LittleEndian.Uint32(bytes[28:]),
	}
}

// Close frees the programs.
func (s *Step) Close() {
	for _, p := range s.programs {
		p.Close()
	}
}
