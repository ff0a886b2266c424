package dino

import (
	"context"

	"dino-vk/dino/eval"
	"dino-vk/gpu"
)

const probeNeighbours = 20

// probe measures the teacher by k-NN while it is trained. A nil probe measures
// nothing.
type probe struct {
	*probeSets
	every     int // epochs
	workers   int
	extractor *Extractor
	knn       *eval.KNN
	dev       *gpu.Device
}

// newProbe records what measuring on the trainer's sets takes; nil without any.
func newProbe(t *Trainer) (*probe, error) {
	if t.measured == nil {
		return nil, nil
	}
	p := &probe{probeSets: t.measured, every: t.config.KNNEvery, workers: t.workers(), dev: t.dev}
	backbone := t.step.net.Backbone
	var err error
	p.extractor, err = newExtractor(backbone, t.config.ImageSize, t.caps(), t.store, t.step.kept(teacherPrefix).Under(backbonePrefix), t.config.BatchSize, p.area)
	if err != nil {
		return nil, err
	}
	p.knn, err = eval.NewKNN(t.caps(), p.candidates, backbone.Features(), min(probeNeighbours, p.candidates))
	return p, err
}

// graphs are the recordings to be compiled with the step's.
func (p *probe) graphs() []*gpu.Graph {
	if p == nil {
		return nil
	}
	return []*gpu.Graph{p.extractor.graph}
}

func (p *probe) start(programs []*gpu.Program) {
	if p != nil {
		p.extractor.program = programs[0]
	}
}

// memory is what a measurement takes besides the trainer's own.
func (p *probe) memory() int64 {
	if p == nil {
		return 0
	}
	return p.knn.Memory()
}

// due reports whether the teacher is to be measured after an epoch.
func (p *probe) due(epoch int, last bool) bool {
	return p != nil && (last || (epoch+1)%p.every == 0)
}

// pictures is how many a measurement looks at.
func (p *probe) pictures() int {
	n := p.train.Len()
	if p.test != nil {
		n += p.test.Len()
	}
	return n
}

// measure returns the top-1 accuracy in percent, and what could not be read.
func (p *probe) measure(ctx context.Context) (top1 float64, skipped []error, err error) {
	var train, queries []float32
	var trainLabels, labels []int
	skipped, err = p.extractor.Features(ctx, p.train, p.workers, func(i int, feature []float32) error {
		if p.test == nil && i%heldOut == 0 {
			queries, labels = append(queries, feature...), append(labels, p.train.Label(i))
		} else {
			train, trainLabels = append(train, feature...), append(trainLabels, p.train.Label(i))
		}
		return nil
	})
	skipped = inSet(p.paths[0], skipped)
	if err != nil {
		return 0, skipped, err
	}
	if p.test != nil {
		more, err := p.extractor.Features(ctx, p.test, p.workers, func(i int, feature []float32) error {
			queries, labels = append(queries, feature...), append(labels, p.labels[i])
			return nil
		})
		skipped = append(skipped, inSet(p.paths[1], more)...)
		if err != nil {
			return 0, skipped, err
		}
	}
	for len(trainLabels) < p.candidates { // pictures that could not be read
		train, trainLabels = append(train, make([]float32, p.extractor.Width())...), append(trainLabels, -1)
	}
	defer p.knn.Close()
	if err := p.knn.Start(p.dev, train); err != nil {
		return 0, skipped, err
	}
	found, err := p.knn.Search(ctx, queries)
	if err != nil {
		return 0, skipped, err
	}
	return eval.Accuracy(found.Classify(trainLabels, probeNeighbours, eval.Temperature), labels, 1), skipped, nil
}

func (p *probe) close() {
	if p != nil && p.extractor.program != nil {
		p.extractor.program.Close()
	}
}
