package bench

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"dino-vk/gpu"
)

// roofline draws kernels below the roofs of a device: arithmetic intensity,
// operations of matrix products over bytes touched once, against GFLOP/s, both
// logarithmic (Williams et al., Communications of the ACM 52(4), 2009).
type roofline struct {
	strings.Builder
	peaks       Peaks
	left, right float64 // decimal logarithms of the axes' ends
	bottom, top float64
	kinds       []string // of points, in the order of their first one
}

// Sizes of the picture in pixels.
const (
	pictureWidth, pictureHeight = 900, 560
	marginLeft, marginBottom    = 70, 50
	marginRight, marginTop      = 20, 40
)

// Roofline is an SVG picture of the kernels that multiply matrices. It is empty
// where there are none or no peaks.
func (r *Result) Roofline() string {
	var list []Kernel
	for _, k := range r.Kernels {
		if k.GFLOPs > 0 && k.GBs > 0 {
			list = append(list, k)
		}
	}
	if r.Peaks == nil || len(list) == 0 {
		return ""
	}
	d := &roofline{peaks: *r.Peaks, left: math.Inf(1), right: math.Inf(-1), bottom: math.Inf(1)}
	roof := max(d.peaks.GFLOPs, d.peaks.MatrixFP16, d.peaks.MatrixBF16)
	d.top = math.Ceil(math.Log10(roof))
	for _, k := range list {
		x := math.Log10(k.intensity())
		d.left, d.right = min(d.left, math.Floor(x)), max(d.right, math.Ceil(x))
		d.bottom = min(d.bottom, math.Floor(math.Log10(k.GFLOPs)))
	}
	d.right = max(d.right, math.Ceil(math.Log10(roof/d.peaks.GBs)))
	d.axes(r.Device.Name)
	for _, one := range []struct {
		rate         float64
		name, colour string
	}{{d.peaks.GFLOPs, "fp32", "#444"}, {d.peaks.MatrixFP16, "fp16 matrix units", "#b50"}, {d.peaks.MatrixBF16, "bf16 matrix units", "#07a"}} {
		if one.rate > 0 {
			d.roof(one.rate, one.name, one.colour)
		}
	}
	for _, k := range list {
		d.point(k)
	}
	d.legend()
	d.WriteString("</svg>\n")
	return d.String()
}

// intensity is the kernel's operations per byte.
func (k Kernel) intensity() float64 { return k.GFLOPs / k.GBs }

// at is where an intensity and a rate lie.
func (d *roofline) at(intensity, gflops float64) (x, y float64) {
	x = marginLeft + (math.Log10(intensity)-d.left)/(d.right-d.left)*(pictureWidth-marginLeft-marginRight)
	y = pictureHeight - marginBottom - (math.Log10(gflops)-d.bottom)/(d.top-d.bottom)*(pictureHeight-marginBottom-marginTop)
	return x, y
}

func (d *roofline) line(x1, y1, x2, y2 float64, style string) {
	fmt.Fprintf(d, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" %s/>\n", x1, y1, x2, y2, style)
}

func (d *roofline) text(x, y float64, anchor, format string, args ...any) {
	s := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(fmt.Sprintf(format, args...))
	fmt.Fprintf(d, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor, s)
}

// axes begins the picture.
func (d *roofline) axes(device string) {
	fmt.Fprintf(d, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">\n", pictureWidth, pictureHeight)
	d.WriteString("<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n")
	for e := d.left; e <= d.right; e++ {
		x, low := d.at(math.Pow(10, e), math.Pow(10, d.bottom))
		_, high := d.at(1, math.Pow(10, d.top))
		d.line(x, low, x, high, `stroke="#ddd"`)
		d.text(x, low+18, "middle", "%g", math.Pow(10, e))
	}
	for e := d.bottom; e <= d.top; e++ {
		x, y := d.at(math.Pow(10, d.left), math.Pow(10, e))
		end, _ := d.at(math.Pow(10, d.right), 1)
		d.line(x, y, end, y, `stroke="#ddd"`)
		d.text(x-6, y+4, "end", "%g", math.Pow(10, e))
	}
	d.text((marginLeft+pictureWidth)/2, pictureHeight-10, "middle", "operations of matrix products per byte")
	d.text(marginLeft, 20, "start", "GFLOP/s, %s", device)
}

// roof draws min(peak, intensity × bandwidth).
func (d *roofline) roof(gflops float64, name, colour string) {
	ridge := gflops / d.peaks.GBs
	start := max(math.Pow(10, d.left), math.Pow(10, d.bottom)/d.peaks.GBs)
	style := fmt.Sprintf("stroke=%q stroke-width=\"1.5\"", colour)
	x, y := d.at(ridge, gflops)
	if start < ridge {
		x0, y0 := d.at(start, start*d.peaks.GBs)
		d.line(x0, y0, x, y, style)
	}
	end, _ := d.at(math.Pow(10, d.right), 1)
	d.line(x, y, end, y, style)
	d.text(end-4, y-5, "end", "%s: %s", name, figure(gflops))
}

// pointColours are those of kinds of points.
var pointColours = []string{"#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#8c564b", "#e377c2"}

// point draws a kernel: forward a disc, backward a square; its name appears
// where the mouse rests on it.
func (d *roofline) point(k Kernel) {
	x, y := d.at(k.intensity(), k.GFLOPs)
	colour := d.colour(k.Recipe + ", " + cmp.Or(k.Type, torchTypes[gpu.F32]))
	title := strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(strings.TrimSpace(k.Line(&d.peaks)))
	shape := fmt.Sprintf("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\"", x, y)
	if k.Pass != "forward" {
		shape = fmt.Sprintf("<rect x=\"%.1f\" y=\"%.1f\" width=\"7\" height=\"7\"", x-3.5, y-3.5)
	}
	fmt.Fprintf(d, "%s fill=%q fill-opacity=\"0.7\"><title>%s</title></%s>\n", shape, colour, title, shape[1:strings.IndexByte(shape, ' ')])
}

// colour is that of a kind of points.
func (d *roofline) colour(kind string) string {
	i := slices.Index(d.kinds, kind)
	if i < 0 {
		i = len(d.kinds)
		d.kinds = append(d.kinds, kind)
	}
	return pointColours[i%len(pointColours)]
}

// legend names the kinds of points.
func (d *roofline) legend() {
	y := float64(marginTop + 16)
	for _, kind := range d.kinds {
		fmt.Fprintf(d, "<circle cx=\"%d\" cy=\"%.1f\" r=\"4\" fill=%q/>\n", marginLeft+16, y-4, d.colour(kind))
		d.text(marginLeft+26, y, "start", "%s", kind)
		y += 16
	}
	d.text(marginLeft+12, y, "start", "disc: forward, square: backward")
}
