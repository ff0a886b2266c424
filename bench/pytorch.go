package bench

import "fmt"

// PyTorch is the speed of training steps beside the same steps in PyTorch.
type PyTorch struct {
	Recipe          string  `json:"recipe"`
	Batch           int     `json:"batch"`
	Version         string  `json:"version"` // of PyTorch
	Threads         string  `json:"threads"` // the fastest setting that was tried
	ImagesPerSecond float64 `json:"images_per_second"`
	Ours            float64 `json:"ours"`       // images per second of this program
	LossError       float64 `json:"loss_error"` // largest relative difference of the first losses
}

// Ratio is this program's speed over PyTorch's.
func (p *PyTorch) Ratio() float64 { return p.Ours / p.ImagesPerSecond }

// String says it in a line.
func (p *PyTorch) String() string {
	return fmt.Sprintf("%s, batch %d: %s images/s, PyTorch %s (%s) %s images/s: %.3g of its speed; the losses differ by %.1e at most",
		p.Recipe, p.Batch, figure(p.Ours), p.Version, p.Threads, figure(p.ImagesPerSecond), p.Ratio(), p.LossError)
}
