package gputest_test

import (
	"fmt"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
)

func TestMain(m *testing.M) { gputest.Main(m) }

// add records y += x.
func add(g *gpu.Graph, y, x *gpu.Tensor) {
	n := y.Len()
	push := struct{ N uint32 }{uint32(n)}
	g.Dispatch(g.Pick(gpu.Plain("add"), n), gpu.Groups{(n + 255) / 256, 1, 1}, push, y, x)
}

func TestOpen(t *testing.T) {
	dev := gputest.Open(t)
	if dev.Lost() || gputest.Open(t) != dev {
		t.Error("a device that works was opened again")
	}
}

// y = (y + x) + z, with z = x + x made in the graph.
func TestCase(t *testing.T) {
	for _, n := range []int{1, 31, 32, 33, 1009, 4096} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			x0, y0 := gputest.Normal(1, n), gputest.Normal(2, n)
			c := gputest.New(t)
			x := c.Input("x", x0, n)
			y := c.InOut("y", y0, n)
			z := c.Graph.New("z", gpu.F32, n)
			c.Graph.Copy(z, x)
			add(c.Graph, z, x)
			add(c.Graph, y, x)
			add(c.Graph, y, z)
			kept := c.Keep(z)
			c.Run()

			wantY, wantZ := make([]float64, n), make([]float64, n)
			terms := make([]float64, n)
			for i := range n {
				wantZ[i] = 2 * float64(x0[i])
				wantY[i] = float64(y0[i]) + 3*float64(x0[i])
				terms[i] = max(float64(y0[i]), -float64(y0[i])) + 3*max(float64(x0[i]), -float64(x0[i]))
			}
			c.Near(kept, wantZ, gputest.Eps(0))
			c.Near(y, wantY, gputest.EpsTerms(2, terms))
		})
	}
}
