package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"dino-vk/dino"
)

// configFlags are the settings that keep chooses from the table, and where
// others come from.
func configFlags(c *dino.Config, keep func(dino.Flag) bool) []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "recipe", Category: "run", Usage: "`NAME` of a recipe, see dino-vk recipes; the file of --config and flags win over it"},
		&cli.PathFlag{Name: "config", Category: "run", Usage: "YAML `FILE` of settings, such as a run's config.yaml; flags win over it"},
	}, settingFlags(c, keep)...)
}

// settingFlags makes the command line's flags from the settings that keep
// chooses from the table.
func settingFlags(c *dino.Config, keep func(dino.Flag) bool) []cli.Flag {
	var list []cli.Flag
	for _, f := range dino.Flags {
		if !keep(f) {
			continue
		}
		usage := f.Usage
		if f.Reference != "" && f.Reference != strings.ReplaceAll(f.Name, "-", "_") {
			usage += "; the reference's --" + f.Reference
		}
		list = append(list, &cli.GenericFlag{
			Name: f.Name, Usage: usage, Category: f.Group,
			Value: setting{f.Value(c), f.Name}, DefaultText: f.Default,
		})
	}
	return list
}

// setting is a flag's value that also can stand alone where it is a switch.
type setting struct {
	dino.Value
	name string
}

// IsBoolFlag lets --norm-last-layer mean --norm-last-layer=true.
func (s setting) IsBoolFlag() bool {
	_, ok := s.Get().(bool)
	return ok
}

// placeholder stands for the value in the help.
func (s setting) placeholder() string {
	switch s.Get().(type) {
	case int, uint64:
		return "N"
	case float64:
		return "X"
	case dino.Scale:
		return "LOW,HIGH"
	case bool:
		return "[=false]"
	}
	if slices.Contains([]string{"arch", "optimizer", "jpeg", "device"}, s.name) {
		return "NAME"
	}
	return "PATH"
}

// joinSwitches lets "--norm-last-layer false", as the reference wants it
// written, mean --norm-last-layer=false: for package flag a switch's value is
// never the next word.
func joinSwitches(args []string) []string {
	var joined []string
	for i := 0; i < len(args); i++ {
		word := args[i]
		if f, ok := dino.FlagNamed(strings.TrimLeft(word, "-")); ok && strings.HasPrefix(word, "-") && i+1 < len(args) {
			_, notBool := strconv.ParseBool(args[i+1])
			if (setting{Value: f.Value(&dino.Config{})}).IsBoolFlag() && notBool == nil {
				i++
				word += "=" + args[i]
			}
		}
		joined = append(joined, word)
	}
	return joined
}

// mergeConfig is the configuration that the recipe, the file of --config and the
// flags give together for so many images: defaults, then the recipe, then the
// file, then flags.
func mergeConfig(c *cli.Context, flags dino.Config, images int) (dino.Config, error) {
	var recipe dino.Recipe
	if name := c.String("recipe"); name != "" {
		var ok bool
		if recipe, ok = dino.RecipeNamed(name); !ok {
			return dino.Config{}, usagef(c, "--recipe %s: unknown; use one of %s", name, strings.Join(recipeNames(), ", "))
		}
	}
	var text []byte
	path := c.Path("config")
	if path != "" {
		var err error
		if text, err = os.ReadFile(path); err != nil {
			return dino.Config{}, err
		}
	}
	return recipe.Configure(images, func(config *dino.Config) error {
		if err := config.MergeYAML(text); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return setFlags(c, flags, config)
	})
}

// setFlags takes over the settings that flags on the command line give.
func setFlags(c *cli.Context, flags dino.Config, config *dino.Config) error {
	for _, f := range dino.Flags {
		if c.IsSet(f.Name) && isSetting(c, f.Name) {
			if err := f.Value(config).Set(f.Value(&flags).String()); err != nil {
				return err
			}
		}
	}
	return nil
}

func recipeNames() []string {
	var names []string
	for _, r := range dino.Recipes {
		names = append(names, r.Name)
	}
	return names
}

// isSetting reports whether a flag of the command stands for the setting of its
// name, as the --output of training does and that of other commands does not.
func isSetting(c *cli.Context, name string) bool {
	_, ok := c.Generic(name).(setting)
	return ok
}

// loadConfig is mergeConfig's configuration, all of which makes sense.
func loadConfig(c *cli.Context, flags dino.Config, images int) (dino.Config, error) {
	config, err := mergeConfig(c, flags, images)
	if err != nil {
		return config, err
	}
	if err := config.Validate(); err != nil {
		return config, usagef(c, "%w", err)
	}
	return config, nil
}
