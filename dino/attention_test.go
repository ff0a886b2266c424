package dino

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"dino-vk/dino/data"
	"dino-vk/gpu"
	"dino-vk/gpu/gputest"
	"dino-vk/gpu/op"
	"dino-vk/vit"
)

// noise is a set of random pictures of different sizes, of which one can't be
// read.
type noise struct{ n, bad int }

var errBad = errors.New("a bad picture")

func (s noise) Len() int          { return s.n }
func (s noise) Name(i int) string { return "noise" }
func (s noise) Label(i int) int   { return -1 }
func (s noise) Classes() []string { return nil }
func (s noise) Close() error      { return nil }

func (s noise) Decode(_ context.Context, i int) (data.Image, error) {
	if i == s.bad {
		return data.Image{}, errBad
	}
	r := rand.New(rand.NewPCG(1, uint64(i)))
	img := data.Image{W: 20 + 5*i, H: 40 - 3*i}
	for range 3 * img.W * img.H {
		img.Pix = append(img.Pix, uint8(r.Uint32()))
	}
	return img, nil
}

// Maps are the first rows of the whole attention matrices of the pictures that
// it returns, whatever the batch, and also where patches don't fill a picture.
func TestAttention(t *testing.T) {
	dev := gputest.Open(t)
	c := DefaultConfig()
	c.PatchSize, c.Dim, c.Depth, c.Heads, c.ImageSize, c.Seed = 8, 24, 2, 3, 32, 5
	m, err := Untrained(c)
	if err != nil {
		t.Fatal(err)
	}
	src := noise{n: 6, bad: 4}
	indices := []int{5, 0, 4, 2, 3}
	for _, test := range []struct{ size, batch, side int }{{32, 2, 4}, {45, 5, 5}, {16, 7, 2}} {
		a, err := NewAttention(dev, m, test.size, test.batch, 45*40)
		if err != nil {
			t.Fatal(err)
		}
		var seen []int
		var maps []AttentionMap
		skipped, err := a.Maps(t.Context(), src, indices, 2, func(i int, m AttentionMap) error {
			seen, maps = append(seen, i), append(maps, m)
			return nil
		})
		a.Close()
		if err != nil || len(skipped) != 1 || !errors.Is(skipped[0], errBad) {
			t.Fatalf("size %d: skipped %v, error %v", test.size, skipped, err)
		}
		if want := []int{5, 0, 2, 3}; !slices.Equal(seen, want) {
			t.Errorf("size %d: pictures %v, want %v", test.size, seen, want)
		}
		for k, got := range maps {
			if got.Side != test.side || got.Size != 8*test.side || len(got.Heads) != 3 {
				t.Fatalf("size %d: %d heads, %d patches a side, %d pixels", test.size, len(got.Heads), got.Side, got.Size)
			}
			want := cls(t, c.ViT(), m, got)
			for h, head := range got.Heads {
				for i, v := range head {
					// Two blocks of sums of at most 96 products of magnitude 1.
					if d := math.Abs(float64(v - want[h][i])); !(d < 2*96*0x1p-23) {
						t.Fatalf("size %d, picture %d, head %d, patch %d: %g, want %g", test.size, seen[k], h, i, v, want[h][i])
					}
				}
			}
		}
	}
}

// cls is how CLS attends to the patches of the picture of a map, by head.
func cls(t *testing.T, v vit.Config, m *Model, of AttentionMap) [][]float32 {
	c := gputest.New(t)
	tensors := map[string]*gpu.Tensor{}
	for _, p := range m.Params() {
		values, err := m.Values(p)
		if err != nil {
			t.Fatal(err)
		}
		tensors[p.Name] = c.Input(p.Name, values, p.Shape...)
	}
	tape := op.NewTape(c.Graph)
	x := c.Input("x", of.Picture, 1, 3, of.Size, of.Size)
	out := v.Blocks(tape, func(name string) *gpu.Tensor { return tensors[name] }, op.Mode{}, x)
	tokens := out.Runs[0].Length
	probs := c.Keep(op.AttentionProbs(tape, out.QKV, v.Heads, tokens, tokens))
	c.Run()
	values := c.Floats(probs)
	var heads [][]float32
	for h := range v.Heads {
		first := h * tokens * tokens
		heads = append(heads, values[first+1:first+tokens])
	}
	return heads
}

func TestNoAttention(t *testing.T) {
	c := runSettings(t)
	convNet(&c)
	conv, err := Untrained(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []*Model{RawPixels(8), conv} {
		if _, err := NewAttention(gputest.Open(t), m, 8, 1, 64); !errors.Is(err, ErrNoAttention) {
			t.Errorf("error %v, want ErrNoAttention", err)
		}
	}
}
