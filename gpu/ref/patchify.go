package ref

// Patchify cuts images (n, c, height, width) into patches of p x p pixels,
// dropping what remains: (n gh gw, c p p).
func Patchify(images []float64, n, c, height, width, p int) []float64 {
	var patches []float64
	eachPixel(n, c, height, width, p, func(at int) { patches = append(patches, images[at]) })
	return patches
}

// PatchifyBackward gives the gradient of the images.
func PatchifyBackward(dpatches []float64, n, c, height, width, p int) []float64 {
	dimages := make([]float64, n*c*height*width)
	i := 0
	eachPixel(n, c, height, width, p, func(at int) { dimages[at] = dpatches[i]; i++ })
	return dimages
}

// eachPixel visits the pixels in the order of the patches' elements.
func eachPixel(n, c, height, width, p int, f func(at int)) {
	for i := range n {
		for y := range height / p {
			for x := range width / p {
				for plane := range c {
					for v := range p {
						for u := range p {
							f(((i*c+plane)*height+y*p+v)*width + x*p + u)
						}
					}
				}
			}
		}
	}
}
