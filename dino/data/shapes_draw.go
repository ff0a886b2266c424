package data

import "math"

// patterns are the classes: at is the distance in picture sides from q to the
// border of the ink of a pattern of period t, negative where there is ink.
var patterns = []struct {
	name string
	at   func(q vec, t float64) float64
}{
	{"upright", func(q vec, t float64) float64 { return wave(q.x, t) }},
	{"level", func(q vec, t float64) float64 { return wave(q.y, t) }},
	{"slanted", func(q vec, t float64) float64 { return wave(float64((q.x+q.y)*(math.Sqrt2/2)), t) }},
	{"checked", checked},
	{"dotted", dotted},
	{"ringed", func(q vec, t float64) float64 { return wave(q.length(), t) }},
	{"zigzag", zigzag},
	{"plain", func(vec, float64) float64 { return -1 }},
}

// wave is the distance from x to the border of stripes of width t/2.
func wave(x, t float64) float64 {
	x /= t
	return float64((math.Abs(x-math.Floor(x)-0.5) - 0.25) * t)
}

func checked(q vec, t float64) float64 {
	a, b := wave(q.x, t), wave(q.y, t)
	d := min(math.Abs(a), math.Abs(b))
	if (a < 0) != (b < 0) {
		return -d
	}
	return d
}

// dotted has discs of radius 0.36t at the points of a square lattice.
func dotted(q vec, t float64) float64 {
	x, y := q.x/t, q.y/t
	d := vec{x - math.Floor(x) - 0.5, y - math.Floor(y) - 0.5}
	return float64((d.length() - 0.36) * t)
}

// zigzag has level stripes bent at right angles.
func zigzag(q vec, t float64) float64 {
	x := q.x / t
	bend := float64(math.Abs(x-math.Floor(x)-0.5) * t)
	return float64(wave(q.y+bend, t) * (math.Sqrt2 / 2))
}

// outlines are distances to the border of an object of radius 1, negative
// inside.
var outlines = []func(q vec) float64{
	func(q vec) float64 { return q.length() - 1 },
	func(q vec) float64 { return max(math.Abs(q.x), math.Abs(q.y)) - 0.86 },
	func(q vec) float64 { // octagon
		x, y := math.Abs(q.x), math.Abs(q.y)
		return max(x, y, float64((x+y)*(math.Sqrt2/2))) - 0.93
	},
	func(q vec) float64 { return vec{q.x, float64(1.2 * q.y)}.length() - 1.05 },
}

// scene is a picture before it is drawn; lengths are in picture sides.
type scene struct {
	outline func(q vec) float64
	center  vec
	radius  float64

	pattern func(q vec, t float64) float64
	period  float64
	slope   vec // the pattern's x axis
	shift   vec // of the pattern
	mirror  bool

	ink, paper rgb
	ground     cloud
}

// newScene draws a picture's properties. All but the pattern come from the same
// distribution for every class.
func newScene(d *dice, class int) *scene {
	s := &scene{pattern: patterns[class].at}
	s.radius = d.uniform(0.26, 0.38)
	margin := float64(0.8 * s.radius)
	s.center = vec{d.uniform(margin, 1-margin), d.uniform(margin, 1-margin)}
	s.outline = outlines[d.next()%uint64(len(outlines))]
	s.period = d.uniform(0.09, 0.18)
	tilt := vec{1, d.around(0.4)}
	s.slope = vec{tilt.x / tilt.length(), tilt.y / tilt.length()}
	s.shift = vec{d.around(s.period), d.around(s.period)}
	s.mirror = d.next()%2 == 0
	dark, light := d.shade(0.12), d.shade(0.88)
	if s.ink, s.paper = dark, light; d.next()%2 == 0 {
		s.ink, s.paper = light, dark
	}
	s.ground = d.cloud(6)
	return s
}

// draw renders the scene at size x size pixels, antialiased by distances.
func (s *scene) draw(size int) Image {
	im := Image{W: size, H: size, Pix: make([]uint8, 0, 3*size*size)}
	pixels := float64(size)
	for y := range size {
		for x := range size {
			p := vec{(float64(x) + 0.5) / pixels, (float64(y) + 0.5) / pixels}
			o := vec{p.x - s.center.x, p.y - s.center.y}
			inside := coverage(float64(s.outline(vec{o.x / s.radius, o.y / s.radius}) * float64(s.radius*pixels)))
			q := o.in(s.slope)
			if s.mirror {
				q.x = -q.x
			}
			q.x, q.y = q.x+s.shift.x, q.y+s.shift.y
			inked := coverage(float64(s.pattern(q, s.period) * pixels))
			ground := 0.15 + float64(0.7*s.ground.at(p))
			for i := range s.ink {
				v := mix(ground, mix(s.paper[i], s.ink[i], inked), inside)
				im.Pix = append(im.Pix, uint8(float64(255*min(max(v, 0), 1))+0.5))
			}
		}
	}
	return im
}

// coverage is the part of a pixel inside a border at a distance in pixels.
func coverage(distance float64) float64 { return min(max(0.5-distance, 0), 1) }

// rgb is a colour, 0 to 1 by channel.
type rgb [3]float64

// shade draws a slightly tinted gray.
func (d *dice) shade(gray float64) rgb {
	var c rgb
	for i := range c {
		c[i] = gray + d.around(0.1)
	}
	return c
}
