package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"dino-vk/dino"
)

func recipesCommand() *cli.Command {
	return &cli.Command{
		Name:     "recipes",
		Category: categoryTrain,
		Usage:    "list the recipes and what differs from the defaults",
		Description: "Lists what dino-vk train --recipe NAME sets. Any of it can be set otherwise by\n" +
			"--config or a flag.",
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			for i, r := range dino.Recipes {
				if i > 0 {
					fmt.Fprintln(c.App.Writer)
				}
				if err := showRecipe(c, r); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// shownSizes are the numbers of images for which a recipe's settings are shown
// where they follow from it.
var shownSizes = []int{1_000, 30_000, 60_000, 150_000, 300_000, 1_281_167}

// showRecipe prints what a recipe is and the settings that differ from the
// defaults, a column for each number of images where they depend on it.
func showRecipe(c *cli.Context, r dino.Recipe) error {
	fmt.Fprintf(c.App.Writer, "%s: %s\n", r.Name, r.About)
	for _, line := range fold("From "+r.Source+".", terminalWidth(c.App.Writer)-2) {
		fmt.Fprintln(c.App.Writer, " ", line)
	}
	w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	sizes := []int{0}
	if r.Scales() {
		sizes = shownSizes
		fmt.Fprint(w, "  images\tdefault")
		for _, n := range sizes {
			fmt.Fprintf(w, "\t%d", n)
		}
		fmt.Fprintln(w)
	}
	configs := make([]dino.Config, len(sizes))
	differs := map[string]bool{}
	for i, n := range sizes {
		var err error
		if configs[i], err = r.Configure(n, nil); err != nil {
			return err
		}
		for _, d := range dino.Diff(dino.DefaultConfig(), configs[i]) {
			differs[d.Flag] = true
		}
	}
	for _, f := range dino.Flags {
		if !differs[f.Name] {
			continue
		}
		values := make([]string, len(configs))
		for i := range configs {
			values[i] = f.Value(&configs[i]).String()
		}
		if r.Scales() {
			fmt.Fprintf(w, "  --%s\t%s\t%s\n", f.Name, f.Default, strings.Join(values, "\t"))
		} else {
			fmt.Fprintf(w, "  --%s\t%s\t(default %s)\n", f.Name, values[0], f.Default)
		}
	}
	return w.Flush()
}
