package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/urfave/cli/v2"

	"dino-vk/dino"
	"dino-vk/dino/data"
	"dino-vk/dino/eval"
	"dino-vk/gpu"
)

func evalCommand() *cli.Command {
	return &cli.Command{
		Name:        "eval",
		Category:    categoryLook,
		Usage:       "measure what a network learned",
		Subcommands: []*cli.Command{knnCommand()},
	}
}

func knnCommand() *cli.Command {
	return &cli.Command{
		Name:  "knn",
		Usage: "classify pictures by their nearest neighbours in feature space",
		Description: "Every test picture takes the class for which its k nearest training pictures vote\n" +
			"with exp(similarity/temperature).",
		Flags: append(modelFlags(),
			&cli.StringFlag{Name: "train", Usage: "`PATH` of labelled pictures, the neighbours: whatever train --data takes"},
			&cli.StringFlag{Name: "test", Usage: "`PATH` of labelled pictures to classify"},
			&cli.IntSliceFlag{Name: "nb-knn", Value: cli.NewIntSlice(10, 20, 100, 200), Usage: "numbers of neighbours"},
			&cli.Float64Flag{Name: "temperature", Value: eval.Temperature, Usage: "temperature of the votes"},
			&cli.BoolFlag{Name: "baselines", Usage: "measure raw pixels and the untrained network too"},
			&cli.PathFlag{Name: "json", Usage: "`FILE` for the best top-1 of every model"},
		),
		Action: evalKNN,
	}
}

func evalKNN(c *cli.Context) (err error) {
	if err := noArguments(c); err != nil {
		return err
	}
	if err := required(c, "checkpoint", "train", "test"); err != nil {
		return err
	}
	ks := slices.Clone(c.IntSlice("nb-knn"))
	slices.Sort(ks)
	if len(ks) == 0 || ks[0] < 1 || c.Float64("temperature") <= 0 {
		return usagef(c, "--nb-knn %v, --temperature %g: all must be positive", ks, c.Float64("temperature"))
	}
	m, err := openModel(c)
	if err != nil {
		return err
	}
	defer m.file.Close()
	models, err := knnModels(c, m)
	if err != nil {
		return err
	}
	train, err := openPictures(c, c.String("train"))
	if err != nil {
		return err
	}
	defer train.Close()
	test, err := openPictures(c, c.String("test"))
	if err != nil {
		return err
	}
	defer test.Close()
	if len(train.Classes()) < 2 {
		return fmt.Errorf("--train %s: its pictures have no labels of two classes", c.String("train"))
	}
	dev, err := openDevice(c, gpu.Options{Device: c.String("device")}, false)
	if err != nil {
		return err
	}
	defer closeDevice(dev, &err)
	best := map[string]float64{}
	for _, m := range models {
		if best[m.name], err = measureKNN(c, dev, m, train, test, ks); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	if path := c.Path("json"); path != "" {
		return dino.WriteFile(path, func(w io.Writer) error { return json.NewEncoder(w).Encode(best) })
	}
	return nil
}

// namedModel is a model with what to call it.
type namedModel struct {
	name string
	*dino.Model
}

// knnModels are the models to measure, the network itself last.
func knnModels(c *cli.Context, m *model) ([]namedModel, error) {
	var list []namedModel
	if c.Bool("baselines") {
		untrained, err := dino.Untrained(m.config)
		if err != nil {
			return nil, err
		}
		list = append(list, namedModel{"raw", dino.RawPixels(imageSize(c, m.Model))}, namedModel{"untrained", untrained})
	}
	return append(list, namedModel{c.String("network"), m.Model}), nil
}

// measureKNN prints the accuracies of a model and returns the best top-1.
func measureKNN(c *cli.Context, dev *gpu.Device, m namedModel, train, test *data.Set, ks []int) (float64, error) {
	neighbours, err := extract(c, dev, m.Model, train)
	if err != nil {
		return 0, err
	}
	queries, err := extract(c, dev, m.Model, test)
	if err != nil {
		return 0, err
	}
	labels := data.Relabel(queries.Labels, queries.Classes, neighbours.Classes)
	n := len(neighbours.Names)
	search, err := eval.NewKNN(dev.Caps(), n, neighbours.Width, min(ks[len(ks)-1], n))
	if err != nil {
		return 0, err
	}
	defer search.Close()
	if err := search.Start(dev, neighbours.Values); err != nil {
		return 0, err
	}
	found, err := search.Search(c.Context, queries.Values)
	if err != nil {
		return 0, err
	}
	best := 0.0
	for _, k := range ks {
		if k > n {
			fmt.Fprintf(c.App.Writer, "%s: k = %d left out: there are only %d neighbours\n", m.name, k, n)
			continue
		}
		rankings := found.Classify(neighbours.Labels, k, c.Float64("temperature"))
		top1, top5 := eval.Accuracy(rankings, labels, 1), eval.Accuracy(rankings, labels, 5)
		fmt.Fprintf(c.App.Writer, "%-10s %d-NN  top-1 %.2f %%  top-5 %.2f %%\n", m.name, k, top1, top5)
		best = max(best, top1)
	}
	return best, nil
}
