package main

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"dino-vk/dino"
	"dino-vk/gpu"
	"dino-vk/gpu/op"
)

// tuneTime bounds tune on a device whose driver compiles slowly.
const tuneTime = 10 * time.Minute

// What tune and OpenTuned record; tests record less.
var (
	samples   = op.Samples
	recording = dino.Recording
)

func tuneCommand() *cli.Command {
	var flags dino.Config
	return &cli.Command{
		Name:     "tune",
		Category: categoryMachine,
		Usage:    "test every kernel on a device and choose the fastest for a training",
		Description: "Compares every variant of every kernel with the plainest one, times those that fit\n" +
			"the training that the flags describe, and keeps what it finds out; train and bench do\n" +
			"the same where they know nothing of the device yet. What was known is forgotten; runs\n" +
			"that have begun go on with the variants that they began with.",
		Flags: configFlags(&flags, tunedSetting),
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			config, err := loadConfig(c, flags, 0)
			if err != nil {
				return err
			}
			return tune(c, config)
		},
	}
}

// tunedSetting chooses the settings that the shapes of a training depend on.
func tunedSetting(f dino.Flag) bool { return !f.Neutral && f.Name != "data" || f.Name == "device" }

func tune(c *cli.Context, config dino.Config) (err error) {
	dev, err := openDevice(c, gpu.Options{Device: config.Device}, true)
	if err != nil {
		return err
	}
	defer closeDevice(dev, &err)
	w := c.App.Writer
	fmt.Fprintf(w, "%s, %s: %d variants are switched off\n", dev.Info().Name, dev.Info().DriverVersion, len(dev.Faults()))
	problems := 0
	err = dev.Tune(c.Context, recording(config), tuneTime, func(t gpu.Tuned) {
		problems++
		fmt.Fprintln(w, t.Problem)
		for _, v := range t.Variants {
			mark, took := " ", "failed"
			if v.Variant == t.Chosen {
				mark = "*"
			}
			if v.Time > 0 {
				took = fmt.Sprintf("%.4f ms", 1e3*v.Time.Seconds())
			}
			fmt.Fprintf(w, "%12s %s %s\n", took, mark, v.Variant)
		}
	})
	if err == nil && problems == 0 {
		fmt.Fprintln(w, "nothing was timed: the device has no timestamps, or one variant of each kernel")
	}
	return err
}
