package main

import (
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"dino-vk/dino"
)

// configFlags makes the command line's flags from the table of settings.
func configFlags(c *dino.Config) []cli.Flag {
	list := []cli.Flag{&cli.PathFlag{
		Name: "config", Usage: "YAML `FILE` of settings; flags win over it", TakesFile: true,
	}}
	for _, f := range dino.Flags {
		usage := f.Usage
		if f.Reference != "" && f.Reference != f.Name {
			usage += " [reference: " + f.Reference + "]"
		}
		list = append(list, &cli.GenericFlag{
			Name: f.Name, Usage: usage, Category: f.Group,
			Value: setting{f.Value(c)}, DefaultText: f.Default,
		})
	}
	return list
}

// setting is a flag's value that also can stand alone where it is a switch.
type setting struct{ dino.Value }

// IsBoolFlag lets --norm-last-layer mean --norm-last-layer=true.
func (s setting) IsBoolFlag() bool {
	_, ok := s.Get().(bool)
	return ok
}

// loadConfig is the configuration that the flags and the file of --config
// give together: defaults, then the file, then flags.
func loadConfig(c *cli.Context, flags dino.Config) (dino.Config, error) {
	config := dino.DefaultConfig()
	if path := c.Path("config"); path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return config, err
		}
		if err := config.MergeYAML(text); err != nil {
			return config, fmt.Errorf("%s: %w", path, err)
		}
	}
	for _, f := range dino.Flags {
		if c.IsSet(f.Name) {
			if err := f.Value(&config).Set(f.Value(&flags).String()); err != nil {
				return config, err
			}
		}
	}
	return config, config.Validate()
}

// noArguments refuses words after the flags, which often are a flag without
// its dashes.
func noArguments(c *cli.Context) error {
	if c.NArg() > 0 {
		return fmt.Errorf("%s takes no argument %q (see %s --help)", c.Command.HelpName, c.Args().First(), c.Command.HelpName)
	}
	return nil
}
