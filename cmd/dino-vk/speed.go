package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"dino-vk/dino"
	"dino-vk/dino/data"
)

// fastStep is the images/s for which speed tells the cores that it takes: the
// order of what a large GPU trains a ViT-S/16 on.
const fastStep = 3000

func speedCommand() *cli.Command {
	var flags dino.Config
	return &cli.Command{
		Name:  "speed",
		Usage: "measure how many pictures a core decodes in a second",
		Description: "Decodes some of the pictures in turn by every JPEG decoder that --jpeg allows, as\n" +
			"training would, and counts the processor's time, not the clock's: what else runs\n" +
			"and how fast the disk is matter little. No device is needed.",
		Flags: append(configFlags(&flags, sourceSetting),
			&cli.IntFlag{Name: "pictures", Value: 500, Usage: "`N` pictures to decode, chosen evenly from all"},
		),
		Action: func(c *cli.Context) error {
			if err := errors.Join(noArguments(c), atLeast(c, "pictures", 1)); err != nil {
				return err
			}
			config, err := mergeConfig(c, flags, 0)
			if err != nil {
				return err
			}
			return speed(c, config)
		},
	}
}

// decoding is what was measured of a set under one decoder.
type decoding struct {
	set      *data.Set
	pictures int
	pixels   int
	time     time.Duration // of the processor
}

// add decodes pictures; those that can't be are not counted, nor is their time.
func (d *decoding) add(ctx context.Context, indices []int) error {
	for _, i := range indices {
		begun, err := cpuTime()
		if err != nil {
			return err
		}
		img, err := d.set.Decode(ctx, i)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			continue
		}
		ended, err := cpuTime()
		if err != nil {
			return err
		}
		d.pictures++
		d.pixels += img.W * img.H
		d.time += ended - begun
	}
	return nil
}

func speed(c *cli.Context, config dino.Config) error {
	first, err := openData(c, config)
	if err != nil {
		return err
	}
	defer first.Close()
	all := []*decoding{{set: first}}
	for _, name := range []string{data.JPEGTurbo, data.JPEGGo} {
		if config.JPEG != data.JPEGAuto || first.JPEG == "" || first.JPEG == name {
			continue
		}
		config.JPEG = name
		set, err := openSet(c, config)
		if err != nil {
			continue // it is not installed, or these are packed pictures
		}
		defer set.Close()
		all = append(all, &decoding{set: set})
	}
	indices := spread(first.Len(), c.Int("pictures"))
	for chunk := range slices.Chunk(indices, 10) { // in turn, so that all meet the same load
		for _, d := range all {
			if err := d.add(c.Context, chunk); err != nil {
				return err
			}
		}
	}
	if all[0].pictures == 0 {
		return fmt.Errorf("%s: %w among %d tried", config.Data, data.ErrNoImages, len(indices))
	}
	w := c.App.Writer
	fmt.Fprintf(w, "%s: %d of %d pictures, %.3f megapixels on average\n",
		config.Data, all[0].pictures, first.Len(), float64(all[0].pixels)/float64(all[0].pictures)/1e6)
	cores := fmt.Sprintf("cores for %d images/s", fastStep)
	fmt.Fprintf(w, "JPEG decoder  images/s per core  %s\n", cores)
	for _, d := range all {
		rate := float64(d.pictures) / max(d.time, time.Microsecond).Seconds()
		fmt.Fprintf(w, "%-12s  %17.0f  %*.2f\n", cmp.Or(d.set.JPEG, "none"), rate, len(cores), fastStep/rate)
	}
	return nil
}
