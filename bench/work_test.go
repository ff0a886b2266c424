package bench

import (
	"fmt"
	"math"
	"testing"
	"time"

	"dino-vk/gpu/op"
)

// stepFLOPs counts a step's multiplications and additions from its sizes alone,
// in another way than the table of operations does: by token, block and crop.
func stepFLOPs(batch, dim, depth, patch, globalTokens, localTokens, locals int, head ...int) float64 {
	perToken := 2 * 12 * dim * dim // qkv 3, projection 1, MLP 8 squares of the width
	block := func(sequences, tokens int) int { return sequences * tokens * perToken }
	attention := func(sequences, tokens int) int { return sequences * 4 * tokens * tokens * dim }
	embedding := func(sequences, tokens int) int { return sequences * (tokens - 1) * 2 * patch * dim }
	mlp := 0
	for i := 1; i < len(head); i++ {
		mlp += 2 * head[i-1] * head[i]
	}
	student := depth*(3*(block(2, globalTokens)+block(locals, localTokens))+
		7*(attention(2, globalTokens)+attention(locals, localTokens))/2) +
		2*(embedding(2, globalTokens)+embedding(locals, localTokens)) + 3*(2+locals)*mlp
	teacher := depth*(block(2, globalTokens)+attention(2, globalTokens)) + embedding(2, globalTokens) + 2*mlp
	return float64(batch) * float64(student+teacher)
}

func TestStepFLOPs(t *testing.T) {
	for recipe, want := range map[string]float64{
		"small":   stepFLOPs(64, 96, 4, 48, 65, 17, 4, 96, 512, 512, 64, 1024),
		"vit-s16": stepFLOPs(2, 384, 12, 768, 197, 37, 8, 384, 2048, 2048, 256, 65536),
	} {
		r, err := FindRecipe(recipe)
		if err != nil {
			t.Fatal(err)
		}
		got := StepFLOPs(r.Config)
		t.Logf("%s: %.4g GFLOP an image", recipe, got/float64(r.Config.BatchSize)/1e9)
		if got != want {
			t.Errorf("%s: %.0f operations, want %.0f", recipe, got, want)
		}
	}
}

// TestResNetFLOPs compares with the multiply-adds of an image that torchvision's
// documentation gives, in 1e9, with those of its classifier, 1000 times the
// features.
func TestResNetFLOPs(t *testing.T) {
	for arch, want := range map[string]float64{"resnet18": 1.81, "resnet34": 3.66, "resnet50": 4.09, "resnet101": 7.80} {
		c := paper()
		c.Arch, c.BatchSize, c.LocalCropsNumber = arch, 1, 0
		s := sizesOf(c)
		r, ok := c.ResNet()
		if !ok {
			t.Fatal(arch)
		}
		sum := 1000 * float64(r.Features())
		for _, o := range s.resNet(r) {
			sum += float64(o.times) * o.forward.flops / 2 / 2 // of two crops
		}
		if got := sum / 1e9; math.Abs(got-want) > 0.006 {
			t.Errorf("%s: %.3f, documented are %.2f", arch, got, want)
		}
	}
}

func TestWork(t *testing.T) {
	pair := func(forward, backward work) [2]work { return [2]work{forward, backward} }
	for _, c := range []struct {
		name string
		got  [2]work
		want [2]work
	}{
		// x (2, 3), w (5, 3), b (5), y (2, 5): 6, 15, 5 and 10 elements.
		{"linear", pair(linearWork(2, 3, 5, 5, 0, true)), [2]work{{2 * 30, 4 * (6 + 15 + 5 + 10)}, {4 * 30, 4 * (10 + 6 + 15 + 5 + 15 + 6)}}},
		{"linear with GELU", pair(linearWork(2, 3, 5, 5, 1, true)), [2]work{{2 * 30, 4 * (6 + 15 + 5 + 20)}, {4 * 30, 4 * (20 + 6 + 15 + 5 + 15 + 6)}}},
		{"first linear without bias", pair(linearWork(2, 3, 5, 0, 0, false)), [2]work{{2 * 30, 4 * (6 + 15 + 10)}, {2 * 30, 4 * (10 + 6 + 15)}}},
		// 3 sequences of 2 tokens and 1 of 5, 2 heads of 4: 11 tokens, Σ n² = 37.
		{"attention", pair(attentionWork([]op.Run{{Sequences: 3, Length: 2}, {Sequences: 1, Length: 5}}, 2, 8)),
			[2]work{{2 * 2 * 37 * 8, 4 * (11*24 + 11*8 + 22)}, {5 * 2 * 37 * 8, 4 * (2*11*24 + 2*11*8 + 22)}}},
		// 2 images of 5 x 5 x 3 to 3 x 3 x 4 by 3 x 3: 150, 72 and 108 elements.
		{"convolution", pair(convolutionWork(2, 5, 3, 3, 4, 3, true)), [2]work{{2 * 72 * 27, 4 * (150 + 108 + 72)}, {4 * 72 * 27, 4 * (72 + 150 + 108 + 108 + 150)}}},
		{"batch norm", pair(batchNormWork(3, 4, false)), [2]work{{0, 4 * (24 + 12 + 16 + 8)}, {0, 4 * (24 + 24 + 12 + 16 + 16)}}},
		{"batch norm with a residual", pair(batchNormWork(3, 4, true)), [2]work{{0, 4 * (24 + 24 + 16 + 8)}, {0, 4 * (24 + 24 + 36 + 16 + 16)}}},
		{"layer norm", pair(layerNormWork(3, 4)), [2]work{{0, 4 * (12 + 12 + 6 + 8)}, {0, 4 * (36 + 6 + 4 + 8)}}},
	} {
		if c.got != c.want {
			t.Errorf("%s: forward and backward %v, want %v", c.name, c.got, c.want)
		}
	}
}

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   Spread
	}{
		{[]float64{7}, Spread{7, 7, 7}},
		{[]float64{3, 1}, Spread{2, 1.5, 2.5}},
		{[]float64{5, 1, 4, 2, 3}, Spread{3, 2, 4}},
	} {
		if got := spread(c.values); got != c.want {
			t.Errorf("%v: %v, want %v", c.values, got, c.want)
		}
	}
}

func TestEffort(t *testing.T) {
	e := Effort{Least: 3, Most: 10, Time: time.Second}
	for each, want := range map[time.Duration]int{time.Hour: 3, time.Second / 5: 5, time.Millisecond: 10, 0: 10} {
		if got := e.count(each); got != want {
			t.Errorf("%v each: %d times, want %d", each, got, want)
		}
	}
}

// TestKernelBatch checks that slow devices get smaller batches, and that the
// batch is the largest that fits.
func TestKernelBatch(t *testing.T) {
	const limit = time.Second
	c := small()
	for _, speed := range []float64{0.001, 1, 10, 1e6} {
		t.Run(fmt.Sprint(speed), func(t *testing.T) {
			p := Peaks{GFLOPs: speed, GBs: speed}
			n := kernelBatch(c, p, limit).BatchSize
			at := func(batch int) time.Duration {
				c.BatchSize = batch
				return estimate(c, p)
			}
			if n < 1 || n > 64 || n > 1 && at(n) > limit || n < 64 && at(2*n) <= limit {
				t.Errorf("batch %d: estimated %v, of twice as many %v", n, at(n), at(2*n))
			}
		})
	}
}

// tiny is a training that takes no time, with everything that the real ones
// have.
func tiny() Recipe {
	c := small()
	c.Dim, c.Depth, c.Heads, c.BatchSize = 16, 2, 2, 2
	c.HeadHiddenDim, c.HeadBottleneckDim, c.OutDim = 24, 8, 32
	return Recipe{"tiny", constant(c)}
}
