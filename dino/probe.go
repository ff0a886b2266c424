package dino

import (
	"context"
	"errors"
	"fmt"

	"dino-vk/dino/data"
	"dino-vk/dino/eval"
	"dino-vk/gpu"
)

const (
	probeNeighbours = 20
	heldOut         = 10 // without a test set, every so many-th picture is a query
)

// probe measures the teacher by k-NN while it is trained. A nil probe measures
// nothing.
type probe struct {
	every       int // epochs
	workers     int
	extractor   *Extractor
	knn         *eval.KNN
	dev         *gpu.Device
	train, test *data.Set // test is nil where queries are held out of train
	paths       [2]string // of train and test; empty: as above
	opened      []*data.Set
	left        []error // pictures that opened left out
	labels      []int   // of test's pictures, as classes of train
	candidates  int     // pictures of train that are no queries
}

// newProbe prepares what the settings ask for; nil where the pictures have no
// labels.
func newProbe(ctx context.Context, t *Trainer, c Config) (p *probe, err error) {
	if c.KNNEvery == 0 || c.KNNTrain == "" && len(t.set.Classes()) < 2 {
		return nil, nil
	}
	p = &probe{every: c.KNNEvery, workers: t.workers(), dev: t.dev, train: t.set, paths: [2]string{c.KNNTrain, c.KNNTest}}
	defer func() {
		if err != nil {
			p.close()
			p = nil
		}
	}()
	area := t.set.Area
	for _, one := range []struct {
		path string
		set  **data.Set
	}{{c.KNNTrain, &p.train}, {c.KNNTest, &p.test}} {
		if one.path == "" {
			continue
		}
		set, err := data.Open(ctx, one.path, data.Options{MaxPixels: c.MaxPixels, Workers: c.NumWorkers})
		if err != nil {
			return p, fmt.Errorf("k-NN: %w", err)
		}
		p.opened = append(p.opened, set)
		p.left = append(p.left, inSet(one.path, set.Skipped)...)
		*one.set = set
		area = max(area, set.Area)
	}
	p.candidates = p.train.Len()
	if p.test != nil {
		p.labels = data.LabelsIn(p.test, p.train.Classes())
	} else {
		p.candidates -= (p.train.Len() + heldOut - 1) / heldOut
	}
	if len(p.train.Classes()) < 2 || p.candidates < 1 {
		return p, errors.New("k-NN: the neighbours need labels of two classes at least, and more than one picture")
	}
	if p.extractor, err = newExtractor(t.step.net.Backbone, c.ImageSize, t.dev.Caps(), t.store, t.step.teacherBackbone(), c.BatchSize, area); err != nil {
		return p, err
	}
	p.knn, err = eval.NewKNN(t.dev.Caps(), p.candidates, t.step.net.Backbone.Features(), min(probeNeighbours, p.candidates))
	return p, err
}

// graphs are the recordings to be compiled with the step's.
func (p *probe) graphs() []*gpu.Graph {
	if p == nil {
		return nil
	}
	return []*gpu.Graph{p.extractor.graph}
}

// skipped says what its own sets left out.
func (p *probe) skipped() []error {
	if p == nil {
		return nil
	}
	return p.left
}

// inSet says of which set errors about pictures are; of the run's own, whose
// path is empty here, they are as elsewhere.
func inSet(path string, errs []error) []error {
	if path == "" {
		return errs
	}
	named := make([]error, len(errs))
	for i, err := range errs {
		named[i] = fmt.Errorf("%s: %w", path, err)
	}
	return named
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
	if p == nil {
		return
	}
	if p.extractor != nil && p.extractor.program != nil {
		p.extractor.program.Close()
	}
	for _, set := range p.opened {
		set.Close()
	}
}
