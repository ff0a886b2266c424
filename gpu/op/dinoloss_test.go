package op

import (
	"fmt"
	"math"
	"testing"

	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/ref"
)

// lossCase is a problem of the DINO loss.
type lossCase struct {
	batch, crops, width int
	spread              float64 // standard deviation of the logits
	binding             int64   // limit of a binding in bytes; 0 = the device's
}

func TestDINOLoss(t *testing.T) {
	eachReading(t, []*gpu.Kernel{dinoLoss, dinoLossRows}, func(t *testing.T) {
		for _, c := range []lossCase{
			{batch: 1, crops: 2, width: 1, spread: 1},
			{batch: 1, crops: 3, width: 31, spread: 1},
			{batch: 3, crops: 2, width: 33, spread: 1},
			{batch: 5, crops: 6, width: 128, spread: 1},
			{batch: 64, crops: 6, width: 1024, spread: 0.5},
			{batch: 3, crops: 10, width: 1009, spread: 1},
			{batch: 2, crops: 10, width: 65536, spread: 0.3},
			{batch: 3, crops: 4, width: 2112, spread: 1},
			{batch: 4, crops: 4, width: 512, spread: 300}, // one-hot softmaxes, exp of thousands
			{batch: 100, crops: 4, width: 36, spread: 1, binding: 140 * 36 * 4},
			{batch: 67, crops: 3, width: 30, spread: 1, binding: 100 * 30 * 4},
			{batch: 66_001, crops: 2, width: 4, spread: 1}, // more images than a grid has rows
		} {
			t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) { testDINOLoss(t, c) })
		}
	})
}

func testDINOLoss(t *testing.T, l lossCase) {
	c := gputest.New(t)
	if l.binding != 0 {
		smallBindings(c, l.binding)
	}
	logits := func(seed uint64, rows int) []float32 {
		x := gputest.Normal(seed, rows*l.width)
		for i := range x {
			x[i] *= float32(l.spread)
		}
		return x
	}
	student0, teacher0, center0 := logits(1, l.crops*l.batch), logits(2, 2*l.batch), logits(3, 1)
	p := testParams
	p.StudentTemp, p.TeacherTemp = 0.125, 0.0625 // exact, so that the reference has the same
	scale := 1 / float64(l.batch*(2*l.crops-2))
	p.LossScale, p.GradientScale = float32(scale), float32(scale)

	student := c.Input("student", student0, l.crops*l.batch, l.width)
	teacher := c.Input("teacher", teacher0, 2*l.batch, l.width)
	center := c.Input("center", center0, l.width)
	params := paramsInput(c, p)
	metrics := c.Output("metrics", gpu.F32, 8)
	dstudent := c.Keep(DINOLoss(NewTape(c.Graph), student, teacher, center, params, metrics, false))
	c.Run()

	want := ref.DINOLoss(gputest.Float64(student0), gputest.Float64(teacher0), gputest.Float64(center0), l.batch, 0.125, 0.0625)
	// Vulkan lets exp(a) err by 3 + 2|a| units, and rounding a adds |a| more.
	// Both the sum Σ of a softmax and its terms are exps; weighted by what they
	// contribute, |a| averages at most ln K. Larger |a| come with e^a = 0.
	k := 16 + 8*math.Log(float64(l.width))
	got := c.Floats(metrics)
	check := func(name string, got float32, want, scale float64) {
		if e := math.Abs(float64(got) - want); !(e <= k*gputest.Epsilon*max(scale, 1)) {
			t.Errorf("%s %v, want %v", name, got, want)
		}
	}
	check("loss", got[0], want.Loss, want.Loss)
	check("entropy", got[1], want.Entropy, want.Loss)
	check("KL", got[2], want.KL, want.Loss)
	c.Near(dstudent, want.DStudent, gputest.EpsOf(k, 2*scale/0.125*0.5))
}

// Gradient accumulation: the loss of two halves of a batch adds up to that of
// the whole.
func TestDINOLossAccumulates(t *testing.T) {
	const batch, crops, width = 2, 4, 64
	student0, teacher0 := gputest.Normal(1, crops*batch*width), gputest.Normal(2, 2*batch*width)
	part := func(x []float32, image int) []float32 { // the rows of one image
		var rows []float32
		for at := image * width; at < len(x); at += batch * width {
			rows = append(rows, x[at:at+width]...)
		}
		return rows
	}
	c := gputest.New(t)
	p := testParams
	p.LossScale = 1.0 / (batch * (2*crops - 2))
	p.GradientScale = p.LossScale
	params, center := paramsInput(c, p), c.Input("center", make([]float32, width), width)
	whole, halves := c.Output("whole", gpu.F32, 8), c.Output("halves", gpu.F32, 8)
	DINOLoss(NewTape(c.Graph), c.Input("student", student0, crops*batch, width), c.Input("teacher", teacher0, 2*batch, width),
		center, params, whole, false)
	for image := range batch {
		DINOLoss(NewTape(c.Graph), c.Input("student", part(student0, image), crops, width), c.Input("teacher", part(teacher0, image), 2, width),
			center, params, halves, image > 0)
	}
	c.Run()
	want := gputest.Float64(c.Floats(whole)[:3])
	if err := gputest.Compare(c.Floats(halves)[:3], want, gputest.EpsOf(4, want[0])); err != nil {
		t.Error(err)
	}
}

// A logit that is not finite must not hide: the loss says so.
func TestDINOLossNotFinite(t *testing.T) {
	eachReading(t, []*gpu.Kernel{dinoLoss, dinoLossRows}, func(t *testing.T) {
		for _, bad := range []float64{math.NaN(), math.Inf(1)} {
			for _, role := range []string{"student", "teacher"} {
				t.Run(fmt.Sprint(role, bad), func(t *testing.T) { testDINOLossNotFinite(t, role, bad) })
			}
		}
	})
}

func testDINOLossNotFinite(t *testing.T, role string, bad float64) {
	const batch, crops, width = 2, 3, leastPart
	student0, teacher0 := gputest.Normal(1, crops*batch*width), gputest.Normal(2, 2*batch*width)
	if role == "student" {
		student0[4*width+7] = float32(bad)
	} else {
		teacher0[3*width+31] = float32(bad)
	}
	c := gputest.New(t)
	metrics := c.Output("metrics", gpu.F32, 8)
	DINOLoss(NewTape(c.Graph), c.Input("student", student0, crops*batch, width), c.Input("teacher", teacher0, 2*batch, width),
		c.Input("center", make([]float32, width), width), paramsInput(c, testParams), metrics, false)
	c.Run()
	if loss := float64(c.Floats(metrics)[0]); !math.IsNaN(loss) && !math.IsInf(loss, 0) {
		t.Errorf("loss %g", loss)
	}
}

func TestDINOLossShapes(t *testing.T) {
	for _, c := range []struct{ student, teacher, center []int }{
		{[]int{6, 8}, []int{4, 8}, []int{9}}, // widths
		{[]int{7, 8}, []int{4, 8}, []int{8}}, // no whole crops
		{[]int{2, 8}, []int{4, 8}, []int{8}}, // one crop
		{[]int{6, 8}, []int{3, 8}, []int{8}}, // no two teacher crops
	} {
		g, s := gpu.NewGraph(gpu.MinimalCaps), gpu.NewStore()
		DINOLoss(NewTape(g), s.New("student", gpu.F32, c.student...), s.New("teacher", gpu.F32, c.teacher...),
			s.New("center", gpu.F32, c.center...), s.New("params", gpu.U32, 24), s.New("metrics", gpu.F32, 8), false)
		if g.Err() == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

func BenchmarkDINOLoss(b *testing.B) {
	for _, l := range []lossCase{{batch: 64, crops: 6, width: 1024}, {batch: 2, crops: 10, width: 65536}} {
		b.Run(fmt.Sprintf("B=%d,crops=%d,K=%d", l.batch, l.crops, l.width), func(b *testing.B) {
			rows := int64(l.batch * (3*l.crops + 4)) // student twice and its gradient, teacher twice
			benchmark(b, 4*rows*int64(l.width), 0, func(g *gpu.Graph, s *source) {
				DINOLoss(NewTape(g), s.normal(l.crops*l.batch, l.width), s.normal(2*l.batch, l.width), s.normal(l.width),
					s.params(), s.normal(6), false)
			})
		})
	}
}
