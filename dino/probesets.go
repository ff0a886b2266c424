package dino

import (
	"context"
	"errors"
	"fmt"

	"dino-vk/dino/data"
)

// heldOut says that without a test set, every so many-th picture is a query.
const heldOut = 10

// probeSets are the labelled pictures on which a run measures its teacher.
type probeSets struct {
	train, test *data.Set // test is nil where queries are held out of train
	labels      []int     // of test's pictures, as classes of train
	candidates  int       // pictures of train that are no queries
	area        int       // pixels of the largest picture

	paths  [2]string // of train and test; empty: as above
	opened []*data.Set
	left   []error // pictures that opened left out
}

// openProbeSets opens what the settings of a run on set ask for; nil where
// nothing is to be measured or the pictures have no labels.
func openProbeSets(ctx context.Context, c Config, set *data.Set) (s *probeSets, err error) {
	if c.KNNEvery == 0 || c.KNNTrain == "" && len(set.Classes()) < 2 {
		return nil, nil
	}
	s = &probeSets{train: set, area: set.Area, paths: [2]string{c.KNNTrain, c.KNNTest}}
	defer func() {
		if err != nil {
			s.close()
			s = nil
		}
	}()
	for i, to := range []**data.Set{&s.train, &s.test} {
		path := s.paths[i]
		if path == "" {
			continue
		}
		opened, err := data.Open(ctx, path, data.Options{MaxPixels: c.MaxPixels, JPEG: c.JPEG, Workers: c.NumWorkers})
		if err != nil {
			return s, fmt.Errorf("k-NN: %w", err)
		}
		s.opened = append(s.opened, opened)
		s.left = append(s.left, inSet(path, opened.Skipped)...)
		s.area = max(s.area, opened.Area)
		*to = opened
	}
	s.candidates = s.train.Len()
	if s.test != nil {
		s.labels = data.LabelsIn(s.test, s.train.Classes())
	} else {
		s.candidates -= (s.train.Len() + heldOut - 1) / heldOut
	}
	if len(s.train.Classes()) < 2 || s.candidates < 1 {
		return s, errors.New("k-NN: the neighbours need labels of two classes at least, and more than one picture")
	}
	return s, nil
}

// skipped says what opening left out.
func (s *probeSets) skipped() []error {
	if s == nil {
		return nil
	}
	return s.left
}

func (s *probeSets) close() {
	if s == nil {
		return
	}
	for _, set := range s.opened {
		set.Close()
	}
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
