package main

import (
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"dino-vk/dino"
	"dino-vk/dino/data"
	"dino-vk/dino/eval"
	"dino-vk/gpu"
)

func attentionCommand() *cli.Command {
	return &cli.Command{
		Name:      "attention",
		Category:  categoryLook,
		Usage:     "show where a network looks in pictures",
		ArgsUsage: "[picture...]",
		Description: "Draws the self-attention of the CLS token in the last block: for each picture a\n" +
			"map per head (NAME-head0.png, ...) and the heads' mean laid over the picture\n" +
			"(NAME-mean.png), and all of them together in attention.png.",
		Flags: append(modelFlags(),
			&cli.StringFlag{Name: "data", Usage: "`PATH` of the pictures: whatever train takes; or else name files after the flags"},
			&cli.PathFlag{Name: "output", Usage: "`FOLDER` for the images"},
			&cli.IntFlag{Name: "limit", Value: 16, Usage: "pictures at most, chosen evenly from all; 0 takes all"},
		),
		Action: attention,
	}
}

func attention(c *cli.Context) (err error) {
	if err := required(c, "checkpoint", "output"); err != nil {
		return err
	}
	if err := errors.Join(atLeast(c, "limit", 0), atLeast(c, "batch-size", 1)); err != nil {
		return err
	}
	m, err := openModel(c)
	if err != nil {
		return err
	}
	defer m.file.Close()
	set, err := namedPictures(c)
	if err != nil {
		return err
	}
	defer set.Close()
	dev, err := openDevice(c, gpu.Options{Device: c.String("device")}, false)
	if err != nil {
		return err
	}
	defer closeDevice(dev, &err)
	size, indices := imageSize(c, m.Model), spread(set.Len(), c.Int("limit"))
	a, err := dino.NewAttention(dev, m.Model, size, min(c.Int("batch-size"), len(indices)), set.Area)
	if errors.Is(err, dino.ErrNoAttention) {
		return fmt.Errorf("%s: %w to look at", m.file.Path, err)
	} else if err != nil {
		return fitting(err)
	}
	defer a.Close()
	output := c.Path("output")
	if err := os.MkdirAll(output, 0o755); err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	g := gallery{folder: output}
	skipped, err := a.Maps(c.Context, set, indices, workers(c.Int("num-workers")), func(i int, m dino.AttentionMap) error {
		name := set.Name(i)
		if c.NArg() > 1 {
			name = filepath.Base(name)
		}
		return g.add(name, m)
	})
	reportSkipped(c.App.ErrWriter, skipped)
	if err == nil {
		err = g.flush()
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "%s: %d heads in %d pictures of %d x %d; all together: %s\n",
		output, a.Heads(), g.pictures, size, size, strings.Join(g.sheets, ", "))
	return nil
}

// namedPictures opens the pictures that --data or the arguments name.
func namedPictures(c *cli.Context) (*data.Set, error) {
	files := c.Args().Slice()
	for _, f := range files {
		if strings.HasPrefix(f, "-") {
			return nil, usagef(c, "%s stands after a picture: put flags before pictures", f)
		}
	}
	switch path := c.String("data"); {
	case path == "" && len(files) == 0:
		return nil, usagef(c, "no pictures: name a set with --data, or picture files after the flags")
	case path != "" && len(files) > 0:
		return nil, usagef(c, "both --data %s and %s: give one of them", path, files[0])
	case path != "":
		return openPictures(c, path)
	case len(files) == 1: // may be a folder, too
		return openPictures(c, files[0])
	}
	set, err := data.OpenFiles(c.Context, files, pictureOptions(c))
	if err == nil {
		reportSkipped(c.App.ErrWriter, set.Skipped)
	}
	return set, err
}

// spread chooses at most limit of n numbers evenly; limit 0 takes all.
func spread(n, limit int) []int {
	if limit == 0 {
		limit = n
	}
	indices := make([]int, min(n, limit))
	for i := range indices {
		indices[i] = i * n / len(indices)
	}
	return indices
}

// gallery writes pictures of attention.
type gallery struct {
	folder   string
	names    fileNames
	pictures int
	rows     [][]image.Image // of the sheet under way
	sheets   []string        // written
}

// sheetRows bounds a contact sheet's memory; more pictures need more sheets.
const sheetRows = 64

func (g *gallery) add(name string, m dino.AttentionMap) error {
	file := filepath.Join(g.folder, g.names.unique(name))
	picture := enlarge(eval.CropImage(m.Picture, m.Size, m.Size), enlargement(m.Size))
	side := picture.Rect.Dx()
	for h, head := range m.Heads {
		// A block of one colour for each patch shows what the network computes.
		heat := eval.HeatMap(head, m.Side, m.Side, side, side, false)
		if err := writePNG(fmt.Sprintf("%s-head%d.png", file, h), heat); err != nil {
			return err
		}
	}
	row := eval.AttentionRow(picture, m.Heads, m.Side, m.Side)
	if err := writePNG(file+"-mean.png", row[len(row)-1]); err != nil {
		return err
	}
	g.pictures++
	g.rows = append(g.rows, row)
	if len(g.rows) == sheetRows {
		return g.flush()
	}
	return nil
}

// flush writes the sheet under way.
func (g *gallery) flush() error {
	if len(g.rows) == 0 {
		return nil
	}
	name := "attention.png"
	if n := len(g.sheets); n > 0 {
		name = fmt.Sprintf("attention%d.png", n+1)
	}
	sheet := eval.ContactSheet(g.rows, 4)
	g.rows, g.sheets = nil, append(g.sheets, name)
	return writePNG(filepath.Join(g.folder, name), sheet)
}
