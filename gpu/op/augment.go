package op

import (
	"math"

	"dino-vk/gpu"
)

// Augmentation is the distribution of the crops of a picture. The lists by kind
// of crop are for the first global crop, the other global ones, the local ones.
type Augmentation struct {
	Globals, Locals         int        // crops of each kind
	GlobalSize, LocalSize   int        // their sides, pixels
	GlobalScale, LocalScale [2]float32 // least and greatest share of the picture's area
	Flip, Jitter, Gray      float32    // probabilities
	Brightness, Contrast    float32    // greatest distance of the jitter's factor from 1
	Saturation              float32
	Hue                     float32    // greatest turn; without one (0) the hue is left alone
	Blur, Solarize          [3]float32 // probabilities by kind
}

// DefaultAugmentation is DINO's (main_dino.py, DataAugmentationDINO).
func DefaultAugmentation() Augmentation {
	return Augmentation{
		Globals: 2, Locals: 8,
		GlobalSize: 224, LocalSize: 96,
		GlobalScale: [2]float32{0.4, 1}, LocalScale: [2]float32{0.05, 0.4},
		Flip: 0.5, Jitter: 0.8, Gray: 0.2,
		Brightness: 0.4, Contrast: 0.4, Saturation: 0.2, Hue: 0.1,
		Blur: [3]float32{1, 0.1, 0.5}, Solarize: [3]float32{0, 0.2, 0},
	}
}

// Crop says how one crop is made; it mirrors Crop in
// shaders/include/augment.glsl.
type Crop struct {
	Image              uint32 // row of the image table
	X, Y, W, H         uint32 // box within the picture, pixels
	ResizedW, ResizedH uint32 // the size that the box is resized to
	WindowX, WindowY   uint32 // upper left corner of the output within that
	Flags              uint32 // CropFlip and so on
	Order              uint32 // JitterOrder's
	Brightness         float32
	Contrast           float32
	Saturation         float32
	Hue                float32 // turns
	Radius             float32 // standard deviation of the blur, pixels; below 2.44
}

// Bits of Crop.Flags.
const (
	CropFlip uint32 = 1 << iota
	CropJitter
	CropGray
	CropBlur
	CropSolarize
)

// The operations of colour jitter.
const (
	JitterBrightness = iota
	JitterContrast
	JitterSaturation
	JitterHue // even a turn by 0 rounds the colours
	JitterNone
)

// JitterOrder is the Order of a Crop that jitters by these operations, up to
// four, each at most once.
func JitterOrder(operations ...int) uint32 {
	order := uint32(0)
	for i := range 4 {
		o := JitterNone
		if i < len(operations) {
			o = operations[i]
		}
		order |= uint32(o) << (4 * i)
	}
	return order
}

const cropWords = 16

// Crops are a batch's crops: globals (Globals·B, 3, S, S) and locals (Locals·B,
// 3, s, s), F32 and normalised, crop-major; Locals is nil if there are none.
// Params ((Globals+Locals)·B, 16) holds a Crop for each.
type Crops struct{ Globals, Locals, Params *gpu.Tensor }

// Augment draws and makes the crops of a batch. images (B, words) U32 holds a
// picture in each row, 8-bit RGB packed without padding; table (B, 4) U32 holds
// {byte offset of the picture in images, width, height, image id}; step is the
// StepParams buffer, of which seed and epoch are read. A crop depends on (seed,
// epoch, image id, crop) alone.
func Augment(g *gpu.Graph, a Augmentation, images, table, step *gpu.Tensor) Crops {
	defer g.Scope("augment")()
	if a.Globals < 1 || a.Locals < 0 {
		g.Errorf("%d global and %d local crops: at least one global crop is needed", a.Globals, a.Locals)
	}
	if g.Err() != nil || !pictures(g, images, table, a.GlobalSize) {
		none := g.New("crops", gpu.F32, 1, 3, 1, 1)
		return Crops{none, none, none}
	}
	b := table.Dim(0)
	out := Crops{Params: DrawCrops(g, a, table, step)}
	out.Globals = RenderCrops(g, images, table, out.Params, 0, a.Globals*b, a.GlobalSize, a.GlobalSize)
	if a.Locals > 0 {
		out.Locals = RenderCrops(g, images, table, out.Params, a.Globals*b, a.Locals*b, a.LocalSize, a.LocalSize)
	}
	return out
}

var (
	augmentParams  = gpu.Plain("augment_params")
	augmentCenter  = gpu.Plain("augment_center")
	augmentWeights = gpu.Plain("augment_weights")
	augmentRows    = gpu.Plain("augment_rows")
	augmentColumns = gpu.Plain("augment_columns")
	augmentStats   = gpu.Plain("augment_stats")
	augmentColor   = gpu.Plain("augment_color")
	augmentBlurX   = gpu.Plain("augment_blur_x")
	augmentBlurY   = gpu.Plain("augment_blur_y")
)

type augmentParamsPush struct {
	Images, Count, Globals, GlobalSize, LocalSize uint32
	GlobalScale, GlobalScaleSpan                  float32
	LocalScale, LocalScaleSpan                    float32
	Flip, Jitter, Gray                            float32
	Brightness, Contrast, Saturation, Hue         float32
	BlurFirst, BlurSecond, BlurLocal              float32
	SolarizeFirst, SolarizeSecond, SolarizeLocal  float32
}

// DrawCrops draws a Crop for each crop of a batch, as Augment does.
func DrawCrops(g *gpu.Graph, a Augmentation, table, step *gpu.Tensor) *gpu.Tensor {
	b := table.Dim(0)
	n := (a.Globals + a.Locals) * b
	crops := g.New("crops", gpu.U32, n, cropWords)
	g.Dispatch(g.Pick(augmentParams, nil), grid(g, n, 64), augmentParamsPush{
		Images: uint32(b), Count: uint32(a.Globals + a.Locals), Globals: uint32(a.Globals),
		GlobalSize: uint32(a.GlobalSize), LocalSize: uint32(a.LocalSize),
		GlobalScale: a.GlobalScale[0], GlobalScaleSpan: a.GlobalScale[1] - a.GlobalScale[0],
		LocalScale: a.LocalScale[0], LocalScaleSpan: a.LocalScale[1] - a.LocalScale[0],
		Flip: a.Flip, Jitter: a.Jitter, Gray: a.Gray,
		Brightness: a.Brightness, Contrast: a.Contrast, Saturation: a.Saturation, Hue: a.Hue,
		BlurFirst: a.Blur[0], BlurSecond: a.Blur[1], BlurLocal: a.Blur[2],
		SolarizeFirst: a.Solarize[0], SolarizeSecond: a.Solarize[1], SolarizeLocal: a.Solarize[2],
	}, table, step, crops)
	return crops
}

// RenderCrops makes the n crops that rows first, first+1, ... of crops (·, 16)
// describe: F32 (n, 3, height, width), normalised. They are crop-major: n is a
// multiple of B. Every step equals Pillow's 8-bit one exactly. A box may be as
// long as one of aspect ratio 4/3 (or 3/4) that fills a picture's row of images.
func RenderCrops(g *gpu.Graph, images, table, crops *gpu.Tensor, first, n, width, height int) *gpu.Tensor {
	if !pictures(g, images, table, max(width, height)) {
		return g.New("crops", gpu.F32, n, 3, height, width)
	}
	if most := statsLanes * mostIterations; width*height > most {
		g.Errorf("augment: crops of %d x %d pixels, allowed are %d pixels", width, height, most)
		return g.New("crops", gpu.F32, n, 3, height, width)
	}
	longest := math.Ceil(math.Sqrt(pixels(images)*4/3)) + 1
	scale := max(1, longest/float64(min(width, height)))
	r := renderer{g: g, images: images, table: table, width: width, height: height,
		lines: int(longest), taps: int(4*scale) + 2, color: true}
	return r.render(crops, first, n)
}

// EvalTransform makes pictures ready for evaluation: the shorter side resized
// to size·256/224, the central size x size window kept and normalised: F32 (B,
// 3, size, size). images and table are those of Augment. Of a picture whose
// sides differ more than 64-fold, the ends are cut off first.
func EvalTransform(g *gpu.Graph, images, table *gpu.Tensor, size int) *gpu.Tensor {
	defer g.Scope("eval transform")()
	b, resized := table.Dim(0), size*256/224
	if !pictures(g, images, table, resized) {
		return g.New("pictures", gpu.F32, b, 3, size, size)
	}
	crops := g.New("crops", gpu.U32, b, cropWords)
	g.Dispatch(g.Pick(augmentCenter, nil), grid(g, b, 64),
		struct{ Images, Resized, Size uint32 }{uint32(b), uint32(resized), uint32(size)}, table, crops)
	// The shorter side is at most the root of the area; the longer one may
	// shrink a little more, as its new size is rounded down.
	scale := max(1, math.Sqrt(pixels(images))/float64(resized))
	r := renderer{g: g, images: images, table: table, width: size, height: size,
		lines: int(scale*float64(size+5)) + 4, taps: int(4*scale*(1+1/float64(resized))) + 2}
	return r.render(crops, 0, b)
}

// longestSide is the most pixels that a line may have before or after a resize;
// longer ones would overflow the 64-bit arithmetic of the weights.
const longestSide = 16384

// pixels is how many pixels a picture can have.
func pixels(images *gpu.Tensor) float64 { return float64(images.Dim(1)) * 4 / 3 }

// pictures checks what every augmentation is given: pictures, and the largest
// side of what is to become of them.
func pictures(g *gpu.Graph, images, table *gpu.Tensor, side int) bool {
	if side < 1 || side > longestSide {
		g.Errorf("augment: pictures of %d pixels a side, allowed are 1 to %d", side, longestSide)
		return false
	}
	if len(images.Shape) != 2 || len(table.Shape) != 2 || table.Dim(1) != 4 || table.Dim(0) != images.Dim(0) {
		g.Errorf("augment: images %v and table %v, want (B, words) and (B, 4)", images, table)
		return false
	}
	return true
}

// renderer records how crops of one size are made.
type renderer struct {
	g             *gpu.Graph
	images, table *gpu.Tensor
	width, height int
	lines, taps   int  // room for a crop's rows after the horizontal pass, for the weights of a sample
	color         bool // whether crops may be jittered or blurred
}

// render splits the crops so that no binding exceeds the device's limit: over
// the crops, and over the pictures if those exceed it themselves.
func (r *renderer) render(crops *gpu.Tensor, first, n int) *gpu.Tensor {
	b, area := r.table.Dim(0), r.width*r.height
	out := r.g.New("crops", gpu.F32, n, 3, r.height, r.width)
	if n%b != 0 || len(crops.Shape) != 2 || crops.Dim(1) != cropWords || first+n > crops.Dim(0) {
		r.g.Errorf("augment: crops %d to %d of %v from %d pictures", first, first+n, crops, b)
		return out
	}
	caps := r.g.Caps()
	fitting := func(words int) int { return int(caps.MaxBinding / int64(4*words)) }
	most := min(fitting(max(3*area, r.lines*r.width, r.tapWords())), int(caps.MaxGroups[1]))
	unit := viewUnit(out)
	if whole := fitting(r.images.Dim(1)); whole < b {
		unit = max(unit, viewUnit(r.images))
		most = max(min(most, whole)/unit*unit, 1)
		for row := 0; row < n; row += b {
			for at := 0; at < b; at += most {
				count := min(most, b-at)
				r.part(crops, first+row+at, out.Rows(row+at, count), r.images.Rows(at, count), at)
			}
		}
		return out
	}
	most = max(most/unit*unit, 1)
	for row := 0; row < n; row += most {
		r.part(crops, first+row, out.Rows(row, min(most, n-row)), r.images, 0)
	}
	return out
}

// viewUnit is the least number of rows, a power of two, after which a view of t
// may begin: a multiple of 256 bytes.
func viewUnit(t *gpu.Tensor) int {
	unit := 1
	for row := t.Len() / t.Dim(0); unit*row%64 != 0; {
		unit *= 2
	}
	return unit
}

// part records the crops that rows first, first+1, ... of crops describe into
// out; images begins with the picture of that number.
func (r *renderer) part(crops *gpu.Tensor, first int, out, images *gpu.Tensor, picture int) {
	g, n, area := r.g, out.Dim(0), r.width*r.height
	base := 4 * picture * images.Dim(1)
	taps := g.New("taps", gpu.I32, n, r.tapWords())
	lines := g.New("lines", gpu.U32, n, r.lines, r.width)
	sharp := g.New("pixels", gpu.U32, n, r.height, r.width)
	from, width, height := uint32(first), uint32(r.width), uint32(r.height)
	most, rows := uint32(r.taps), uint32(r.lines)
	point := struct{ First, Width, Height uint32 }{from, width, height}
	each := func(n, local int) int { return (n + local - 1) / local }

	g.Dispatch(g.Pick(augmentWeights, nil), grid(g, n*2*max(r.width, r.height), 64),
		struct{ First, Count, Width, Height, Most uint32 }{from, uint32(n), width, height, most}, crops, taps)
	g.Dispatch(g.Pick(augmentRows, nil), gpu.Groups{each(r.lines*r.width, 256), n, 1},
		struct{ First, Width, Height, Most, Rows, Base uint32 }{from, width, height, most, rows, uint32(base)},
		images, r.table, crops, taps, lines)
	g.Dispatch(g.Pick(augmentColumns, nil), gpu.Groups{each(area, 256), n, 1},
		struct{ First, Width, Height, Most, Rows uint32 }{from, width, height, most, rows}, crops, taps, lines, sharp)
	if !r.color {
		g.Dispatch(g.Pick(augmentColor, nil), gpu.Groups{each(area, 256), n, 1}, point, crops, nil, sharp, out)
		return
	}
	stats := g.New("stats", gpu.U32, n, 4)
	g.Dispatch(g.Pick(augmentStats, nil), grid(g, n, 1),
		struct{ First, Count, Width, Height uint32 }{from, uint32(n), width, height}, crops, sharp, stats)
	g.Dispatch(g.Pick(augmentColor, nil), gpu.Groups{each(area, 256), n, 1}, point, crops, stats, sharp, out)
	blurred := g.New("blurred", gpu.U32, n, r.height, r.width)
	g.Dispatch(g.Pick(augmentBlurX, nil), gpu.Groups{each(r.height*each(r.width, strip), 64), n, 1},
		point, crops, stats, sharp, blurred)
	g.Dispatch(g.Pick(augmentBlurY, nil), gpu.Groups{each(r.width*each(r.height, strip), 64), n, 1},
		point, crops, stats, blurred, out)
}

// strip is how many pixels one invocation blurs (STRIP in blur.glsl).
const strip = 8

// statsLanes is how many invocations share a crop in augment_stats.comp.
const statsLanes = 256

// tapWords is the room for the weights of one crop.
func (r *renderer) tapWords() int { return 2 * (2 + r.taps) * max(r.width, r.height) }
