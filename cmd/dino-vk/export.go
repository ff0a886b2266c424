package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"dino-vk/dino"
	"dino-vk/dino/onnx"
	"dino-vk/dino/weights"
)

// exportFormat is a way to write a network for other programs.
type exportFormat struct {
	name, meaning string
	// extension is that of files that mean this format, "" for folders and for
	// formats that must be named.
	extension string
	write     func(m *model, size int, output string) error
}

// exportFormats are the formats of dino-vk export.
var exportFormats = []exportFormat{
	{"safetensors", "backbone under the reference's names, which are timm's and torchvision's", ".safetensors", inFile((*dino.Model).WriteBackbone)},
	{"pth", "backbone as the reference releases it, for torch.load", ".pth", inFile((*dino.Model).WritePickled)},
	{"checkpoint", "run as the reference's trainer saves it (.pth) and goes on with it", "", exportRun},
	{"timm", "backbone in a folder for timm (local-dir:)", "", exportTIMM},
	{"huggingface", "ViT in a folder for Hugging Face transformers (ViTModel)", "", exportHuggingFace},
	{"onnx", "backbone for one image size and any batch", ".onnx", exportONNX},
}

func exportCommand() *cli.Command {
	formats := make([]string, len(exportFormats))
	for i, f := range exportFormats {
		formats[i] = fmt.Sprintf("  %-12s %s", f.name, f.meaning)
	}
	return &cli.Command{
		Name:        "export",
		Category:    categoryLook,
		Usage:       "write a network for other programs",
		Description: "Writes the network, or the whole run, for other programs:\n\n" + strings.Join(formats, "\n"),
		Flags: append(networkFlags(),
			&cli.PathFlag{Name: "output", Usage: "`FILE` or folder to write"},
			&cli.StringFlag{Name: "format", Usage: "`NAME` of one of the formats above; empty goes by the extension"},
			&cli.IntFlag{Name: "image-size", Usage: "onnx: side of the images in pixels; 0 is that of the training"},
		),
		Action: export,
	}
}

func export(c *cli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}
	if err := required(c, "checkpoint", "output"); err != nil {
		return err
	}
	output := c.Path("output")
	format, err := findFormat(c, output)
	if err != nil {
		return err
	}
	m, err := openModel(c)
	if err != nil {
		return err
	}
	defer m.file.Close()
	if err := format.write(m, imageSize(c, m.Model), output); err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "%s: %s\n", output, format.meaning)
	return nil
}

// findFormat is the format that --format names, or else the extension.
func findFormat(c *cli.Context, output string) (exportFormat, error) {
	name, extension := c.String("format"), strings.ToLower(filepath.Ext(output))
	i := slices.IndexFunc(exportFormats, func(f exportFormat) bool {
		return name != "" && f.name == name || name == "" && extension != "" && f.extension == extension
	})
	if i >= 0 {
		return exportFormats[i], nil
	}
	names := strings.Join(formatNames(), ", ")
	if name != "" {
		return exportFormat{}, usagef(c, "--format %s: unknown; use one of %s", name, names)
	}
	return exportFormat{}, usagef(c, "--output %s: its extension names no format; give --format, one of %s", output, names)
}

func formatNames() []string {
	names := make([]string, len(exportFormats))
	for i, f := range exportFormats {
		names[i] = f.name
	}
	return names
}

// inFile makes a format of what writes a model.
func inFile(write func(*dino.Model, io.Writer) error) func(*model, int, string) error {
	return func(m *model, _ int, output string) error {
		return dino.WriteFile(output, func(w io.Writer) error { return write(m.Model, w) })
	}
}

func exportRun(m *model, _ int, output string) (err error) {
	if m.file.Source != weights.Run {
		return fmt.Errorf("%s: a %s; only a run has all that a training checkpoint holds", m.file.Path, m.file.Source)
	}
	ck, err := dino.OpenCheckpoint(m.file.Path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ck.Close()) }()
	return dino.WriteFile(output, func(w io.Writer) error { return dino.WriteReference(w, ck) })
}

func exportONNX(m *model, size int, output string) error {
	return dino.WriteFile(output, func(w io.Writer) error { return onnx.Write(w, m.Model, size) })
}

func exportHuggingFace(m *model, _ int, output string) error {
	config, preprocessor, err := m.HuggingFaceConfig()
	if err != nil {
		return err
	}
	return writeFolder(output, m.WriteHuggingFace, map[string][]byte{"config.json": config, "preprocessor_config.json": preprocessor})
}

func exportTIMM(m *model, _ int, output string) error {
	config, err := m.TIMMConfig(m.config)
	if err != nil {
		return err
	}
	return writeFolder(output, m.WriteBackbone, map[string][]byte{"config.json": config})
}

// writeFolder writes model.safetensors and what stands beside it.
func writeFolder(folder string, write func(io.Writer) error, files map[string][]byte) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	if err := dino.WriteFile(filepath.Join(folder, "model.safetensors"), write); err != nil {
		return err
	}
	for name, text := range files {
		err := dino.WriteFile(filepath.Join(folder, name), func(w io.Writer) error {
			_, err := w.Write(text)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
