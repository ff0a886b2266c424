package op

import (
	"math"
	"slices"

	"dino-vk/gpu/gputest"
	"dino-vk/gpu/ref"
)

// Roundings, of half an epsilon each, that Vulkan and the kernels allow to what
// has several. A norm squares; adds 16 to a lane, its 4 components, 64 lanes by
// eights twice, and as many of its blocks; and the root halves that. 1 - beta^t is
// squared and added to for three bits of t, with three operations each.
const (
	ofQuotient   = 5
	ofRoot       = 9
	ofNorm       = (1+16+2+16+16+1)/2 + ofRoot
	ofClip       = ofNorm + 1 + ofQuotient + 1
	ofComplement = 3 * 2 * 3
)

// optimState is a tensor's state by the reference, and how far a kernel's may be
// off: every operation adds its roundings to what its operands are off by.
type optimState struct {
	optimValues
	off optimValues
}

type optimValues struct{ p, m, v, teacher []float64 }

func newOptimState(weight, teacher []float32) optimState {
	n := len(weight)
	x := optimState{off: optimValues{make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)}}
	x.optimValues = optimValues{gputest.Float64(weight), make([]float64, n), make([]float64, n), gputest.Float64(teacher)}
	return x
}

// step is the rule's, with gradients g that were clipped, if clip says so, and
// so many roundings of the bias corrections.
func (x optimState) step(rule Rule, flags ParamFlags, s StepParams, clip, ofBias float64, g []float64) {
	const half = gputest.Epsilon / 2
	off, lr, decay, ofGradient := x.off, float64(s.LR), 0.0, 0.0
	if flags&Decay != 0 {
		decay = 0.04
	}
	if clip > 0 {
		ofGradient = ofClip
	}
	moves, offMoves := make([]float64, len(g)), make([]float64, len(g)) // what SGD and LARS add up
	for i, g := range g {
		moves[i] = g + decay*x.p[i]
		offMoves[i] = decay*off.p[i] + half*((ofGradient+1)*math.Abs(g)+3*decay*math.Abs(x.p[i]))
	}
	rate, ofRate := 1.0, 0.0
	if p, d := ref.Clip(x.p, 0), ref.Clip(moves, 0); rule == LARS && flags&Decay != 0 && p > 0 && d > 0 {
		rate = 0.001 * p / d
		ofRate = 2*ofNorm + 2 + ofQuotient + (ref.Clip(off.p, 0)/p+ref.Clip(offMoves, 0)/d)/half
	}
	before := slices.Clone(x.m)
	weight := slices.Clone(x.p)
	refRule(rule, flags, s, x.p, g, x.m, x.v)
	for i, g := range g {
		m, p := math.Abs(before[i]), math.Abs(weight[i])
		if rule != AdamW {
			off.m[i] = 0.9*off.m[i] + rate*offMoves[i] + half*(3*0.9*m+(ofRate+2)*rate*math.Abs(moves[i]))
			off.p[i] += lr*off.m[i] + half*(p+2*lr*math.Abs(x.m[i]))
			continue
		}
		g = math.Abs(g)
		off.m[i] = 0.9*off.m[i] + half*(3*0.9*m+(3+ofGradient)*0.1*g)
		off.v[i] = 0.999*off.v[i] + half*(4*x.v[i]+2*ofGradient*0.001*g*g)
		bias1, bias2 := float64(s.Bias1), float64(s.Bias2)
		if flags&LastLayer != 0 {
			bias1, bias2 = float64(s.Bias1Last), float64(s.Bias2Last)
		}
		per := lr / bias1 / (math.Sqrt(x.v[i]/bias2) + 1e-8) // of the moment
		const of = 3*ofQuotient + 2*ofRoot + 3               // two roots, three quotients; eps, the product, the difference
		off.p[i] += 4*half*p + per*off.m[i] + per*math.Abs(x.m[i])*(off.v[i]/x.v[i]/2+half*(of+1.5*ofBias))
	}
}

// average moves the teacher.
func (x optimState) average() {
	for i, t := range x.teacher {
		const roundings = 3 * gputest.Epsilon / 2
		x.off.teacher[i] = 0.996*x.off.teacher[i] + 0.004*x.off.p[i] + roundings*(0.996*math.Abs(t)+0.004*math.Abs(x.p[i]))
	}
	ref.EMA(x.teacher, x.p, 0.996)
}

// compare holds the device's state against the reference's by name.
func (r *optimRig) compare(want map[string]optimState) {
	r.Helper()
	for name, x := range want {
		for role, c := range map[string]struct {
			got       *Bank
			want, off []float64
		}{
			"weight": {r.roles.Weight, x.p, x.off.p}, "moment1": {r.roles.Moment1, x.m, x.off.m},
			"moment2": {r.roles.Moment2, x.v, x.off.v}, "teacher": {r.roles.Teacher, x.teacher, x.off.teacher},
		} {
			if c.got == nil {
				continue
			}
			bound := func(i int, _ float64) float64 { return c.off[i] + math.SmallestNonzeroFloat32 }
			if err := gputest.Compare(r.floats(c.got.Tensor(name)), c.want, bound); err != nil {
				r.Errorf("%s of %s: %v", role, name, err)
			}
		}
	}
}
