package main

import (
	"errors"
	"fmt"
	"image"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"dino-vk/dino"
	"dino-vk/dino/eval"
	"dino-vk/gpu"
)

func cropsCommand() *cli.Command {
	var flags dino.Config
	return &cli.Command{
		Name:  "crops",
		Usage: "show the crops that training makes of pictures",
		Description: "Writes a contact sheet: a row for each of a few pictures, with the picture, its\n" +
			"global crops and its local crops as an epoch of training makes them.",
		Flags: append(configFlags(&flags, cropSetting),
			&cli.IntFlag{Name: "epoch", Usage: "epoch of the training, counted from 0"},
			&cli.IntFlag{Name: "pictures", Value: 8, Usage: "pictures to show, chosen evenly from all"},
			&cli.PathFlag{Name: "output", Usage: "`FILE.png` to write"},
		),
		Action: func(c *cli.Context) error {
			if err := errors.Join(noArguments(c), required(c, "output"), atLeast(c, "epoch", 0), atLeast(c, "pictures", 1)); err != nil {
				return err
			}
			config, err := mergeConfig(c, flags, 0)
			if err != nil {
				return err
			}
			return crops(c, config)
		},
	}
}

// cropSetting chooses the settings of training that matter to its crops.
func cropSetting(f dino.Flag) bool {
	switch f.Name {
	case "seed", "data", "max-pixels", "jpeg", "device", "num-workers":
		return true
	}
	return f.Group == "crops"
}

func crops(c *cli.Context, config dino.Config) (err error) {
	output := c.Path("output")
	if strings.ToLower(filepath.Ext(output)) != ".png" {
		return usagef(c, "--output %s: the file's name must end in .png", output)
	}
	set, err := openData(c, config)
	if err != nil {
		return err
	}
	defer set.Close()
	dev, err := openDevice(c, gpu.Options{Device: config.Device}, false)
	if err != nil {
		return err
	}
	defer closeDevice(dev, &err)
	indices := spread(set.Len(), c.Int("pictures"))
	k, err := dino.NewCropper(dev, config, c.Int("epoch"), min(len(indices), 8), set.Area)
	if err != nil {
		return err
	}
	defer k.Close()
	var rows [][]image.Image
	skipped, err := k.Crops(c.Context, set, indices, workers(config.NumWorkers), func(i int, crops dino.PictureCrops) error {
		picture, err := set.Decode(c.Context, i)
		if err != nil {
			return err
		}
		row := eval.CropRow(rgba(picture), crops.Globals, config.ImageSize, crops.Locals, config.LocalSize)
		for i, m := range row {
			row[i] = enlarge(m.(*image.RGBA), enlargement(config.ImageSize))
		}
		rows = append(rows, row)
		return nil
	})
	reportSkipped(c.App.ErrWriter, skipped)
	if err != nil {
		return err
	}
	if err := writePNG(output, eval.ContactSheet(rows, 4)); err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "%s: %d pictures, each with 2 global and %d local crops\n", output, len(rows), config.LocalCropsNumber)
	return nil
}
