package data

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
)

// shapes is the generated set: one patterned object a picture, before a cloudy
// background. The class is the pattern. Outline, colours, place, size and
// background are drawn independently of it.
type shapes struct {
	split   string
	n, size int
	seed    uint64
}

// NewShapes returns n pictures of size x size pixels. Picture i depends on
// (split, seed, i, size) alone, to the bit on every machine; different splits
// share no picture. Its class is i modulo the number of classes, so that every
// prefix of the set is balanced.
func NewShapes(split string, n, size int, seed uint64) Source {
	return &shapes{split, n, size, seed}
}

func (s *shapes) Len() int        { return s.n }
func (s *shapes) Label(i int) int { return i % len(patterns) }
func (s *shapes) Close() error    { return nil }

func (s *shapes) Name(i int) string {
	return fmt.Sprintf("%s/%s/%05d", s.split, patterns[s.Label(i)].name, i)
}

func (s *shapes) Classes() []string {
	names := make([]string, len(patterns))
	for i, p := range patterns {
		names[i] = p.name
	}
	return names
}

func (s *shapes) Decode(ctx context.Context, i int) (Image, error) {
	if err := ctx.Err(); err != nil {
		return Image{}, fmt.Errorf("%s: %w", s.Name(i), err)
	}
	d := newDice(s.seed, s.split, uint64(i))
	return newScene(d, s.Label(i)).draw(s.size), nil
}

// dice is SplitMix64 (Steele, Lea, Flood 2014).
type dice uint64

// newDice starts a stream of random numbers for one picture.
func newDice(seed uint64, split string, i uint64) *dice {
	h := fnv.New64a()
	h.Write([]byte(split))
	d := dice(h.Sum64())
	d = dice(d.next() ^ seed)
	d = dice(d.next() ^ i)
	return &d
}

func (d *dice) next() uint64 {
	*d += 0x9e3779b97f4a7c15
	z := uint64(*d)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Of the set's arithmetic, every product that is added to something is wrapped
// in float64: without the conversion a compiler may fuse the two, on some
// machines only, and pixels would differ. For the same reason it uses no
// function of package math that is not exact.

// uniform draws from [lo, hi).
func (d *dice) uniform(lo, hi float64) float64 {
	return lo + float64((hi-lo)*float64(d.next()>>11)/(1<<53))
}

// around draws from [-r, r).
func (d *dice) around(r float64) float64 { return d.uniform(-r, r) }

// vec is a point or direction of the plane, y downward.
type vec struct{ x, y float64 }

func (p vec) dot(q vec) float64 { return float64(p.x*q.x) + float64(p.y*q.y) }
func (p vec) length() float64   { return math.Sqrt(p.dot(p)) }

// in returns p in the coordinates of which u, a unit vector, is the x axis.
func (p vec) in(u vec) vec { return vec{p.dot(u), p.dot(vec{-u.y, u.x})} }

// cloud is smooth noise in [0, 1] over the picture: random values on a grid of
// cells x cells, interpolated.
type cloud struct {
	cells  int
	values []float64
}

func (d *dice) cloud(cells int) cloud {
	c := cloud{cells, make([]float64, (cells+1)*(cells+1))}
	for i := range c.values {
		c.values[i] = d.uniform(0, 1)
	}
	return c
}

// at returns the noise at p in [0, 1)^2.
func (c cloud) at(p vec) float64 {
	x, y := float64(p.x*float64(c.cells)), float64(p.y*float64(c.cells))
	col, row := int(x), int(y)
	tx, ty := smoothstep(x-float64(col)), smoothstep(y-float64(row))
	stride := c.cells + 1
	v := c.values[row*stride+col:]
	return mix(mix(v[0], v[1], tx), mix(v[stride], v[stride+1], tx), ty)
}

func smoothstep(t float64) float64 { return float64(t * t * (3 - float64(2*t))) }

func mix(a, b, t float64) float64 { return a + float64((b-a)*t) }
