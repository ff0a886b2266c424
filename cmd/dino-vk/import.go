package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"dino-vk/dino"
	"dino-vk/dino/weights"
)

func importCommand() *cli.Command {
	var flags dino.Config
	return &cli.Command{
		Name:      "import",
		Category:  categoryTrain,
		Usage:     "go on with a run of the reference trainer",
		ArgsUsage: "checkpoint.pth",
		Description: "Makes of a training checkpoint of the reference (facebookresearch/dino) a run in\n" +
			"--output: student, teacher, head, center, the optimizer's state and the epoch. The\n" +
			"settings are those of the checkpoint's arguments and shapes; flags win over them.\n" +
			"train --config OUTPUT/config.yaml then goes on with it.",
		Flags: settingFlags(&flags, func(dino.Flag) bool { return true }),
		Action: func(c *cli.Context) error {
			return importRun(c, flags)
		},
	}
}

func importRun(c *cli.Context, flags dino.Config) (err error) {
	if c.NArg() != 1 || strings.HasPrefix(c.Args().First(), "-") {
		return usagef(c, "name one file: a training checkpoint of the reference")
	}
	if !c.IsSet("output") {
		return usagef(c, "--output is missing")
	}
	f, err := weights.Open(c.Args().First())
	if err != nil {
		return err
	}
	defer f.Close()
	if f.Training == nil {
		return fmt.Errorf("%s: %w but a %s; train --init begins with its weights", f.Path, dino.ErrNoTraining, f.Source)
	}
	config, err := dino.ConfigOf(f, "student", flags.Heads)
	if errors.Is(err, dino.ErrHeads) {
		err = usagef(c, "%w; give --heads", err)
	}
	if err != nil {
		return err
	}
	if err := setFlags(c, flags, &config); err != nil {
		return err
	}
	if err := config.Validate(); err != nil {
		return usagef(c, "%w", err)
	}
	set, err := openData(c, config)
	if err != nil {
		return err
	}
	defer set.Close()
	s, err := dino.Import(f, config, set)
	if err != nil {
		return err
	}
	w := c.App.Writer
	fmt.Fprintf(w, "%s: after epoch %d of %d, step %d", config.Output, s.Epoch, config.Epochs, s.Step)
	if u := s.Updates.All; u > 0 {
		fmt.Fprintf(w, ", %d updates by the optimizer", u)
	}
	fmt.Fprintf(w, "; go on with: dino-vk train --config %s\n", filepath.Join(config.Output, dino.ConfigName))
	return nil
}

// fileFirst lets "import FILE --output DIR" mean "import --output DIR FILE": for
// package flag nothing after a word that is no flag is one.
func fileFirst(args []string) []string {
	if len(args) > 3 && args[1] == "import" && !strings.HasPrefix(args[2], "-") {
		return append(append([]string{args[0], args[1]}, args[3:]...), args[2])
	}
	return args
}
