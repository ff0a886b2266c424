package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"dino-vk/dino/data"
)

func shapesCommand() *cli.Command {
	return &cli.Command{
		Name:  "shapes",
		Usage: "write the built-in set of pictures as folders",
		Description: "Writes PNG files to train/CLASS and test/CLASS below the output folder: the\n" +
			"pictures that --data shapes:train and shapes:test generate.",
		Flags: []cli.Flag{
			&cli.PathFlag{Name: "output", Usage: "`FOLDER` to write to"},
			&cli.IntFlag{Name: "train", Value: 1000, Usage: "training pictures, `N`"},
			&cli.IntFlag{Name: "test", Value: 400, Usage: "test pictures, `N`"},
			&cli.IntFlag{Name: "size", Value: 32, Usage: "side of a picture, `PIXELS`"},
			&cli.Uint64Flag{Name: "seed", Usage: "seed of the set, `N`"},
		},
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			if err := required(c, "output"); err != nil {
				return err
			}
			for _, name := range []string{"train", "test", "size"} {
				if err := atLeast(c, name, 1); err != nil {
					return err
				}
			}
			for _, split := range []string{"train", "test"} {
				set := data.NewShapes(split, c.Int(split), c.Int("size"), c.Uint64("seed"))
				if err := writePictures(c, set, c.Path("output")); err != nil {
					return err
				}
			}
			fmt.Fprintf(c.App.Writer, "%s: %d training and %d test pictures\n", c.Path("output"), c.Int("train"), c.Int("test"))
			return nil
		},
	}
}

// writePictures writes every picture of a source as a PNG file of its name.
func writePictures(c *cli.Context, src data.Source, dir string) error {
	for i := range src.Len() {
		picture, err := src.Decode(c.Context, i)
		if err != nil {
			return err
		}
		path := filepath.Join(dir, filepath.FromSlash(src.Name(i))+".png")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := writePNG(path, rgba(picture)); err != nil {
			return err
		}
	}
	return nil
}
