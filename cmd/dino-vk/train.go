package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"dino-vk/dino"
	"dino-vk/dino/data"
	"dino-vk/gpu"
)

func trainCommand() *cli.Command {
	var flags dino.Config
	return &cli.Command{
		Name:     "train",
		Category: categoryTrain,
		Usage:    "train DINO on a set of pictures",
		Description: "Trains, writes checkpoints, config.yaml and log.txt to --output, and goes on with\n" +
			"the run that it finds there. Ctrl-C writes a checkpoint and ends.",
		Flags: configFlags(&flags, func(dino.Flag) bool { return true }),
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			return train(c, flags)
		},
	}
}

func train(c *cli.Context, flags dino.Config) (err error) {
	w := c.App.Writer
	config, err := loadConfig(c, flags, 0) // mistakes are told before the pictures are looked for
	if err != nil {
		return err
	}
	set, err := openData(c, config)
	if err != nil {
		return err
	}
	defer set.Close()
	if config, err = loadConfig(c, flags, set.Len()); err != nil {
		return err
	}
	dev, err := openDevice(c, gpu.Options{Device: config.Device}, false)
	if err != nil {
		return err
	}
	defer closeDevice(dev, &err)
	shown := &console{w: w}
	t, err := dino.NewTrainer(c.Context, config, dev, set, shown)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	pictures := fmt.Sprintf("%d pictures", set.Len())
	if set.JPEG != "" {
		pictures += ", JPEG decoder " + set.JPEG
	}
	fmt.Fprintf(w, "%s: %s; %s; %s of device memory\n", config.Data, pictures, dev.Info().Name, gpu.FormatBytes(t.Memory()))
	if n := t.Tuned(); n > 0 {
		fmt.Fprintf(w, "chose the fastest variants of the kernels for %d problems\n", n)
	}
	if from := t.Initial(); from != "" {
		fmt.Fprintf(w, "starting from %s\n", from)
	}
	if n := t.Done(); n >= t.Steps() {
		fmt.Fprintf(w, "nothing left to do after step %d of %d\n", n, t.Steps())
	} else if n > 0 {
		fmt.Fprintf(w, "going on after step %d of %d\n", n, t.Steps())
	}
	*shown = *newConsole(w, t.Done(), t.Steps())
	err = t.Run(c.Context)
	shown.close()
	switch {
	case errors.Is(err, context.Canceled):
		fmt.Fprintf(w, "interrupted: a checkpoint is in %s; the same command goes on from it\n", config.Output)
	case errors.Is(err, dino.ErrNonFinite):
		return fmt.Errorf("%w; the checkpoint in %s is the last good one: try a lower --lr, a --clip-grad, or another --seed, in another --output",
			err, config.Output)
	case err == nil:
		if u, ok := t.Usage(); ok {
			fmt.Fprintln(w, u)
		}
		fmt.Fprintf(w, "done: %d steps; peak device memory %s; checkpoint in %s\n", t.Done(), gpu.FormatBytes(dev.PeakMemory()), config.Output)
	}
	return err
}

// openSet opens the pictures of --data.
func openSet(c *cli.Context, config dino.Config) (*data.Set, error) {
	if config.Data == "" {
		return nil, usagef(c, "--data is missing: a folder, list, tar, CIFAR or IDX file of pictures, a pack, or shapes")
	}
	return data.Open(c.Context, config.Data, data.Options{MaxPixels: config.MaxPixels, JPEG: config.JPEG, Workers: config.NumWorkers})
}

// openData opens the pictures of --data and says what was left out.
func openData(c *cli.Context, config dino.Config) (*data.Set, error) {
	set, err := openSet(c, config)
	if err == nil {
		reportSkipped(c.App.Writer, set.Skipped)
	}
	return set, err
}

// closeDevice closes the device; validation messages, which only a device
// opened with DINOVK_VALIDATE=1 has, are an error.
func closeDevice(dev *gpu.Device, err *error) {
	*err = errors.Join(*err, dev.Close())
	if messages := dev.ValidationMessages(); len(messages) > 0 {
		*err = errors.Join(*err, fmt.Errorf("%d validation messages, the first: %s", len(messages), messages[0]))
	}
}
