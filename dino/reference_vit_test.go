package dino

import (
	"fmt"
	"path"
	"strings"
	"testing"

	"dino-vk/dino/internal/reference"
	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/op"
)

func TestReferenceViTForward(t *testing.T) {
	family := reference.Default().Family(t, "vit_forward")
	cases := reference.ViTs(t, family)
	for _, f := range family.Files {
		if f.Lookup("x") == nil {
			continue // weights
		}
		t.Run(f.Name, func(t *testing.T) {
			model := cases[f.Text(t, "case")]
			weights := family.File(strings.TrimSuffix(f.Text(t, "weights"), ".safetensors"))
			if weights == nil {
				t.Fatalf("the set lacks %s", f.Text(t, "weights"))
			}
			x := f.Tensor(t, "x")
			length := model.Tokens(x.Shape[2], x.Shape[3])

			c := gputest.New(t)
			tape := op.NewTape(c.Graph)
			w := weightInputs(t, c, weights, "", model.Params())
			kept := map[string]*gpu.Tensor{}
			keep := func(name string, x *gpu.Tensor) { kept[name] = c.Keep(x) }
			out := model.Blocks(tape, w, op.Mode{}, c.Input("x", f.F32(t, "x"), x.Shape...))
			keep("tokens", out.Tokens)
			keep("pos", op.PosEmbed(tape, w("pos_embed"), model.PatchSize, x.Shape[2], x.Shape[3]))
			last := len(out.Blocks) - 1
			inter := 0
			for f.Lookup(fmt.Sprintf("inter_%d", inter)) != nil {
				inter++
			}
			for i, block := range out.Blocks {
				keep(fmt.Sprintf("block_%d", i), block)
				if j := i - (last + 1 - inter); j >= 0 {
					keep(fmt.Sprintf("inter_%d", j), model.Norm(tape, w, block))
				}
			}
			keep("cls", model.Norm(tape, w, op.Cls(tape, out.Blocks[last], out.Runs)))
			keep("last_attn", op.AttentionProbs(tape, out.QKV, model.Heads, length, length))
			c.Run()
			for _, x := range f.Tensors() {
				if len(x.Tol) == 0 {
					continue
				}
				if kept[x.Name] == nil {
					t.Errorf("nothing computes %q", x.Name)
					continue
				}
				f.Check(t, x.Name, c.Floats(kept[x.Name]))
			}
		})
	}
}

func TestReferenceViTBackward(t *testing.T) {
	set := reference.Default()
	family, forward := set.Family(t, "vit_backward"), set.Family(t, "vit_forward")
	cases := reference.ViTs(t, forward)
	for _, f := range family.Files {
		t.Run(f.Name, func(t *testing.T) {
			model := cases[f.Text(t, "case")]
			weights := forward.File(strings.TrimSuffix(path.Base(f.Text(t, "weights")), ".safetensors"))
			if weights == nil {
				t.Fatalf("the set lacks %s", f.Text(t, "weights"))
			}
			c := gputest.New(t)
			tape := op.NewTape(c.Graph)
			params := model.Params()
			w := weightInputs(t, c, weights, "", params)
			gradients := gradientOutputs(c, tape, f, w, params)
			if len(gradients) != len(params) {
				t.Fatalf("%d gradients for %d parameters", len(gradients), len(params))
			}
			x, dx := leafInput(t, c, tape, f)

			features := model.Forward(tape, w, op.Mode{}, x)
			cls := c.Keep(features)
			tape.Backward(features, c.Input("cotangent", f.F32(t, "cotangent"), features.Shape...))
			c.Run()

			f.Check(t, "cls", c.Floats(cls))
			f.Check(t, "grad_x", c.Floats(dx))
			checkGradients(t, c, f, params, gradients)
		})
	}
}
