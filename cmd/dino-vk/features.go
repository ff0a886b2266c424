package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"dino-vk/dino"
	"dino-vk/dino/data"
	"dino-vk/dino/eval"
	"dino-vk/dino/weights"
	"dino-vk/gpu"
)

// networkFlags name a network.
func networkFlags() []cli.Flag {
	return []cli.Flag{
		&cli.PathFlag{Name: "checkpoint", Usage: "`FILE` of weights: a run's folder or checkpoint, the reference's, or a backbone of timm, torchvision or Hugging Face (.pth, .bin, .safetensors)"},
		&cli.StringFlag{Name: "network", Value: "teacher", Usage: "`NAME` of the one to take: teacher or student"},
		&cli.IntFlag{Name: "heads", Usage: "attention heads, where the file does not tell them"},
	}
}

// modelFlags name a network and how pictures are shown to it.
func modelFlags() []cli.Flag {
	return append(networkFlags(), []cli.Flag{
		&cli.IntFlag{Name: "image-size", Usage: "side in pixels at which pictures are seen; 0 is that of the training"},
		&cli.StringFlag{Name: "device", Usage: "Vulkan device by index, part of its `NAME`, or UUID; empty takes the best"},
		&cli.IntFlag{Name: "batch-size", Value: 64, Usage: "pictures on the device at a time"},
		&cli.StringFlag{Name: "jpeg", Value: data.JPEGAuto, Usage: "`NAME` of the decoder of JPEG files: " + strings.Join(data.JPEGDecoders(), ", ")},
		&cli.IntFlag{Name: "num-workers", Usage: "goroutines that decode pictures; 0 is one per core"},
	}...)
}

// model is the network that --checkpoint and --network name.
type model struct {
	*dino.Model
	file   *weights.File
	config dino.Config
}

// openModel opens the file of weights; the caller closes it.
func openModel(c *cli.Context) (*model, error) {
	if err := required(c, "checkpoint"); err != nil {
		return nil, err
	}
	if err := errors.Join(atLeast(c, "heads", 0), atLeast(c, "image-size", 0)); err != nil {
		return nil, err
	}
	f, err := weights.Open(c.Path("checkpoint"))
	if err != nil {
		return nil, err
	}
	m := &model{file: f}
	if m.config, err = dino.ConfigOf(f, c.String("network"), c.Int("heads")); err == nil {
		m.Model, err = dino.OpenModel(f, c.String("network"), m.config)
	}
	if errors.Is(err, dino.ErrHeads) {
		err = usagef(c, "%w; give --heads", err)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return m, nil
}

// imageSize is --image-size, or else the size that the model was made for.
func imageSize(c *cli.Context, m *dino.Model) int { return cmp.Or(c.Int("image-size"), m.Size) }

// workers is the number of goroutines that --num-workers asks for.
func workers(n int) int {
	if n > 0 {
		return n
	}
	return runtime.NumCPU()
}

// pictureOptions are what modelFlags say of opening pictures.
func pictureOptions(c *cli.Context) data.Options {
	return data.Options{JPEG: c.String("jpeg"), Workers: c.Int("num-workers")}
}

// openPictures opens a set of pictures for evaluation.
func openPictures(c *cli.Context, path string) (*data.Set, error) {
	set, err := data.Open(c.Context, path, pictureOptions(c))
	if err != nil {
		return nil, err
	}
	reportSkipped(c.App.ErrWriter, set.Skipped)
	return set, nil
}

// reportSkipped names the pictures that were left out, and why.
func reportSkipped(w io.Writer, skipped []error) {
	for _, err := range skipped {
		fmt.Fprintln(w, "skipped:", err)
	}
}

// extract computes the features of a set of pictures.
func extract(c *cli.Context, dev *gpu.Device, m *dino.Model, set *data.Set) (*eval.Table, error) {
	if err := atLeast(c, "batch-size", 1); err != nil {
		return nil, err
	}
	e, err := dino.NewExtractor(dev, m, imageSize(c, m), min(c.Int("batch-size"), set.Len()), set.Area)
	if err != nil {
		return nil, fitting(err)
	}
	defer e.Close()
	t := &eval.Table{Classes: set.Classes(), Width: e.Width()}
	skipped, err := e.Features(c.Context, set, workers(c.Int("num-workers")), func(i int, feature []float32) error {
		t.Add(set.Name(i), set.Label(i), feature)
		return nil
	})
	reportSkipped(c.App.ErrWriter, skipped)
	if err == nil && len(t.Names) == 0 {
		err = errors.New("not one picture could be read")
	}
	return t, err
}

// fitting adds to an error for lack of memory what would help.
func fitting(err error) error {
	if errors.Is(err, gpu.ErrOutOfMemory) {
		return fmt.Errorf("%w; use a smaller --batch-size or --image-size", err)
	}
	return err
}

func featuresCommand() *cli.Command {
	return &cli.Command{
		Name:     "features",
		Category: categoryLook,
		Usage:    "write the features of pictures",
		Flags: append(modelFlags(),
			&cli.StringFlag{Name: "data", Usage: "`PATH` of the pictures: whatever train takes"},
			&cli.PathFlag{Name: "output", Usage: "`FILE` to write; its extension is the format: " + strings.Join(eval.Formats, ", ")},
		),
		Action: func(c *cli.Context) (err error) {
			if err := noArguments(c); err != nil {
				return err
			}
			if err := required(c, "checkpoint", "data", "output"); err != nil {
				return err
			}
			output := c.Path("output")
			extension := strings.ToLower(filepath.Ext(output))
			if !slices.Contains(eval.Formats, extension) {
				return usagef(c, "--output %s: the extension must be one of %s", output, strings.Join(eval.Formats, ", "))
			}
			m, err := openModel(c)
			if err != nil {
				return err
			}
			defer m.file.Close()
			set, err := openPictures(c, c.String("data"))
			if err != nil {
				return err
			}
			defer set.Close()
			dev, err := openDevice(c, gpu.Options{Device: c.String("device")}, false)
			if err != nil {
				return err
			}
			defer closeDevice(dev, &err)
			t, err := extract(c, dev, m.Model, set)
			if err != nil {
				return err
			}
			err = dino.WriteFile(output, func(w io.Writer) error { return t.Write(w, extension) })
			if err == nil {
				fmt.Fprintf(c.App.Writer, "%s: %d pictures, %d features each\n", output, len(t.Names), t.Width)
			}
			return err
		},
	}
}
