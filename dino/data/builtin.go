package data

import (
	"fmt"
	"strconv"
	"strings"
)

// shapesName is the path that stands for the generated set.
const shapesName = "shapes"

// shapesSpec is what a name such as shapes:test:n=500:size=64:seed=1 asks for.
type shapesSpec struct {
	split   string
	n, size int
	seed    uint64
}

// parseShapes reads shapes[:train|:test][:n=N][:size=S][:seed=X] and reports
// whether path is such a name. Left out, they are train, 10,000 pictures (2,000
// for test), 32 pixels a side and seed 0.
func parseShapes(path string) (spec shapesSpec, ok bool, err error) {
	parts := strings.Split(path, ":")
	if parts[0] != shapesName {
		return spec, false, nil
	}
	spec = shapesSpec{split: "train", size: 32}
	for _, part := range parts[1:] {
		key, value, _ := strings.Cut(part, "=")
		switch key {
		case "train", "test":
			spec.split = part
		case "n":
			spec.n, err = strconv.Atoi(value)
		case "size":
			spec.size, err = strconv.Atoi(value)
		case "seed":
			spec.seed, err = strconv.ParseUint(value, 10, 64)
		default:
			err = fmt.Errorf("%q", part)
		}
		if err != nil {
			break
		}
	}
	if spec.n == 0 {
		spec.n = map[string]int{"train": 10_000, "test": 2_000}[spec.split]
	}
	if err != nil || spec.n < 1 || spec.size < 1 || spec.size > 4096 {
		return spec, true, fmt.Errorf("%s: it must be shapes[:train|:test][:n=N][:size=S][:seed=X]", path)
	}
	return spec, true, nil
}

// openShapes makes the generated set that path names.
func openShapes(s shapesSpec, path string) *Set {
	return &Set{Source: NewShapes(s.split, s.n, s.size, s.seed), Origin: path, Area: s.size * s.size}
}
