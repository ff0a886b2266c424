package dino

import (
	"math"
	"strconv"
)

// The sizes between which the settings of recipe auto are interpolated.
const (
	smallData = 20_000
	largeData = 1_000_000 // about ImageNet
)

// prototypesFor gives K for data of fewer than the given number of images, and
// the paper's K for more.
var prototypesFor = []struct{ below, k int }{
	{20_000, 1024}, {50_000, 2048}, {100_000, 4096}, {200_000, 16384}, {500_000, 32768}, {math.MaxInt, 65536},
}

// The warm-ups of recipe auto in optimizer steps, those of the paper's 30, 10 and
// 1 epochs of ImageNet at 1024 images a step.
const (
	warmTempSteps = 37_500
	warmRateSteps = 12_500
	freezeSteps   = 1_250
)

// scaleToData sets what LightlyTrain's DINO sets by the number of images n
// (DINOArgs.resolve_auto):
//
//   - K from a table;
//   - the teacher's temperature τ from 0.02 to 0.07 and its momentum from 0.99 to
//     0.996, linear in n between 20,000 and 1,000,000 and constant outside,
//     rounded to 2 and 3 decimals;
//   - the first temperature from 0.02 to 0.04, linear in τ between 0.02 and 0.07,
//     rounded to 2 decimals, and at most τ;
//   - the warm-ups of temperature and learning rate and the freeze of the last
//     layer in steps, at most 30 %, 10 % and 10 % of the run (the last limit is
//     not LightlyTrain's, which trains small sets for more epochs).
//
// Here warm-ups are whole epochs, of which the given settings have so many steps;
// a run of two epochs or more warms its learning rate up for one at least.
func scaleToData(c *Config, given Config, images int) {
	for _, row := range prototypesFor {
		if images < row.below {
			c.OutDim = row.k
			break
		}
	}
	n := float64(images)
	c.TeacherTemp = interpolate(n, smallData, largeData, 0.02, 0.07, 2)
	c.WarmupTeacherTemp = min(c.TeacherTemp, interpolate(c.TeacherTemp, 0.02, 0.07, 0.02, 0.04, 2))
	c.MomentumTeacher = interpolate(n, smallData, largeData, 0.99, 0.996, 3)

	epochSteps := max(images/max(given.GlobalBatch(), 1), 1)
	epochs := func(steps, percent int) int {
		return min((steps+epochSteps-1)/epochSteps, given.Epochs*percent/100)
	}
	c.WarmupTeacherTempEpochs = epochs(warmTempSteps, 30)
	c.WarmupEpochs = max(epochs(warmRateSteps, 10), min(1, given.Epochs-1))
	c.FreezeLastLayer = epochs(freezeSteps, 10)
}

// interpolate goes from a at x0 to b at x1, linearly between and constant
// outside, rounded to decimals.
func interpolate(x, x0, x1, a, b float64, decimals int) float64 {
	y := min(max(a+(b-a)*(x-x0)/(x1-x0), a), b)
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(y, 'f', decimals, 64), 64) // what was just formatted
	return rounded
}
