package data

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"testing"
)

func allOf(t *testing.T, src Source) []Image {
	t.Helper()
	images := make([]Image, src.Len())
	for i := range images {
		im, err := src.Decode(context.Background(), i)
		if err != nil {
			t.Fatal(err)
		}
		images[i] = im
	}
	return images
}

// The hashes were computed on amd64; fused multiply-adds elsewhere must not
// change them.
func TestShapesAreTheSameEverywhere(t *testing.T) {
	for _, c := range []struct {
		split string
		size  int
		seed  uint64
		want  string
	}{
		{"train", 32, 0, "5c53039ddfc95301"},
		{"test", 32, 0, "4725993cbc9b8010"},
		{"train", 65, 1<<64 - 1, "56f5f82b01b4213a"},
	} {
		h := sha256.New()
		for _, im := range allOf(t, NewShapes(c.split, 48, c.size, c.seed)) {
			h.Write(im.Pix)
		}
		if got := fmt.Sprintf("%x", h.Sum(nil)[:8]); got != c.want {
			t.Errorf("%s, %d pixels, seed %d: pixels hash to %s, want %s", c.split, c.size, c.seed, got, c.want)
		}
	}
}

func TestShapesShareNoPicture(t *testing.T) {
	seen := map[string]string{}
	for _, seed := range []uint64{0, 1} {
		for _, split := range []string{"train", "test"} {
			src := NewShapes(split, 200, 8, seed)
			for i, im := range allOf(t, src) {
				name := fmt.Sprintf("seed %d %s", seed, src.Name(i))
				if im.W != 8 || im.H != 8 || len(im.Pix) != 3*8*8 {
					t.Fatalf("%s: %dx%d, %d bytes", name, im.W, im.H, len(im.Pix))
				}
				if other, ok := seen[string(im.Pix)]; ok {
					t.Errorf("%s equals %s", name, other)
				}
				seen[string(im.Pix)] = name
			}
		}
	}
}

func TestShapesPrefixesAndClasses(t *testing.T) {
	short, long := NewShapes("train", 24, 16, 3), NewShapes("train", 101, 16, 3)
	for i, im := range allOf(t, short) {
		again, _ := long.Decode(context.Background(), i)
		if !bytes.Equal(im.Pix, again.Pix) {
			t.Errorf("picture %d depends on the length of the set", i)
		}
	}
	counts := make([]int, len(long.Classes()))
	for i := range long.Len() {
		counts[long.Label(i)]++
	}
	if slices.Max(counts)-slices.Min(counts) > 1 {
		t.Errorf("classes have %v pictures", counts)
	}
}

func TestShapesStopWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := NewShapes("train", 1, 8, 0).Decode(ctx, 0); err == nil {
		t.Error("no error after the context ended")
	}
}

// What is drawn besides the pattern must not tell the class: each property's
// class means stay within 4.5 standard errors of the mean of all. With 8
// classes and 8 properties one false alarm is expected in 2,000 seeds.
func TestShapesClassIsIndependentOfTheRest(t *testing.T) {
	const n = 4000
	properties := map[string]func(s *scene) float64{
		"x":      func(s *scene) float64 { return s.center.x },
		"y":      func(s *scene) float64 { return s.center.y },
		"radius": func(s *scene) float64 { return s.radius },
		"tilt":   func(s *scene) float64 { return s.slope.y },
		"ground": func(s *scene) float64 { return s.ground.values[0] },
		"ink":    func(s *scene) float64 { return s.ink[0] },
		"paper":  func(s *scene) float64 { return s.paper[2] },
		"period": func(s *scene) float64 { return s.period },
	}
	classes := len(patterns)
	for name, property := range properties {
		var sum, squares float64
		means := make([]float64, classes)
		for i := range n {
			v := property(newScene(newDice(7, "train", uint64(i)), i%classes))
			sum += v
			squares += v * v
			means[i%classes] += v / float64(n/classes)
		}
		mean := sum / n
		bound := 4.5 * math.Sqrt((squares/n-mean*mean)/float64(n/classes))
		for class, m := range means {
			if math.Abs(m-mean) > bound {
				t.Errorf("seed 7: mean %s of %s pictures %.4f, of all %.4f, bound %.4f", name, patterns[class].name, m, mean, bound)
			}
		}
	}
}

// Raw pixels must not give the classes away: k-NN (k = 20, votes
// exp(cosine/0.07)) on pixels about mid-gray is wrong for three in five.
func TestShapesAreHardForRawPixels(t *testing.T) {
	const train, test, k, most = 512, 256, 20, 40
	centered := func(split string, n int) (Source, [][]float64) {
		src := NewShapes(split, n, 32, 0)
		rows := make([][]float64, n)
		for i, im := range allOf(t, src) {
			row := make([]float64, len(im.Pix))
			var norm float64
			for j, v := range im.Pix {
				row[j] = float64(v) - 127.5
				norm += row[j] * row[j]
			}
			for j := range row {
				row[j] /= math.Sqrt(norm)
			}
			rows[i] = row
		}
		return src, rows
	}
	bank, keys := centered("train", train)
	queries, rows := centered("test", test)
	type neighbour struct {
		similarity float64
		label      int
	}
	right := 0
	for i, row := range rows {
		near := make([]neighbour, train)
		for j, key := range keys {
			var dot float64
			for c, v := range row {
				dot += v * key[c]
			}
			near[j] = neighbour{dot, bank.Label(j)}
		}
		slices.SortFunc(near, func(a, b neighbour) int { return cmp.Compare(b.similarity, a.similarity) })
		votes := make([]float64, len(bank.Classes()))
		for _, n := range near[:k] {
			votes[n.label] += math.Exp(n.similarity / 0.07)
		}
		if slices.Index(votes, slices.Max(votes)) == queries.Label(i) {
			right++
		}
	}
	top1 := 100 * float64(right) / test
	t.Logf("raw pixels: top-1 %.1f %%, chance %.1f %%", top1, 100/float64(len(bank.Classes())))
	if top1 > most {
		t.Errorf("raw pixels reach %.1f %%, want at most %d", top1, most)
	}
}
