package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"dino-vk/dino"
	"dino-vk/dino/data"
	"dino-vk/gpu"
)

func packCommand() *cli.Command {
	var flags dino.Config
	return &cli.Command{
		Name:  "pack",
		Usage: "decode pictures into one file, so that no epoch decodes them again",
		Description: "Writes the decoded pictures, as training sees them before it crops, with their\n" +
			"names and classes to a file that --data takes: three bytes a pixel, so at most\n" +
			"768 KiB a picture. Training on it is training on its source bit for bit, and a\n" +
			"run on the one goes on with the other.",
		Flags: append(configFlags(&flags, sourceSetting),
			&cli.PathFlag{Name: "output", Usage: "`FILE` to write"},
		),
		Action: func(c *cli.Context) error {
			if err := errors.Join(noArguments(c), required(c, "output")); err != nil {
				return err
			}
			config, err := mergeConfig(c, flags, 0)
			if err != nil {
				return err
			}
			return pack(c, config)
		},
	}
}

// sourceSetting chooses the settings of training that matter to reading its
// pictures.
func sourceSetting(f dino.Flag) bool {
	switch f.Name {
	case "data", "max-pixels", "jpeg", "num-workers":
		return true
	}
	return false
}

func pack(c *cli.Context, config dino.Config) error {
	w, output := c.App.Writer, c.Path("output")
	set, err := openData(c, config)
	if err != nil {
		return err
	}
	defer set.Close()
	if err := apart(config.Data, output); err != nil {
		return err
	}
	failed, lastLine := 0, time.Now()
	err = dino.WriteFile(output, func(file io.Writer) error {
		return data.WritePack(c.Context, file, set, workers(config.NumWorkers), func(done int, skipped []error) {
			reportSkipped(w, skipped)
			failed += len(skipped)
			if time.Since(lastLine) > lineEvery {
				lastLine = time.Now()
				fmt.Fprintf(w, "%d of %d\n", done, set.Len())
			}
		})
	})
	if err != nil {
		return err
	}
	info, err := os.Stat(output)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s: %d pictures, %s", output, set.Len(), gpu.FormatBytes(info.Size()))
	if set.JPEG != "" {
		fmt.Fprintf(w, ", JPEG decoder %s", set.JPEG)
	}
	if failed > 0 {
		fmt.Fprintf(w, "; %d of them could not be decoded and only keep their places", failed)
	}
	fmt.Fprintln(w)
	return nil
}

// apart refuses to write a pack in place of the pictures that it is made of.
func apart(source, output string) error {
	a, err := os.Stat(source)
	if err != nil {
		return nil // not a file of its own
	}
	b, err := os.Stat(output)
	if err == nil && os.SameFile(a, b) {
		return fmt.Errorf("--output %s is --data: write the pack to another file", output)
	}
	return nil
}
